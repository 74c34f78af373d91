package socketio

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
	"github.com/caddy-socketio/caddy-socketio/internal/incidents"
)

// one makes settings with one gateway in "/".
func one(f gatewayFunc) Settings { return Settings{Namespaces: namespaces("/", f)} }

func TestAnswers(t *testing.T) {
	returns := map[string]func() (any, error){
		"value":   func() (any, error) { return map[string]any{"a": "<b>"}, nil },
		"nil":     func() (any, error) { return nil, nil },
		"binary":  func() (any, error) { return map[string]any{"f": gateway.Binary("x")}, nil },
		"reply":   func() (any, error) { return gateway.Reply{Event: "e", Args: []any{1}}, nil },
		"both":    func() (any, error) { return &gateway.Reply{Event: "e", Ack: true}, nil },
		"own":     func() (any, error) { return nil, &gateway.Error{Code: "c", Message: "m", Data: map[string]any{"d": 1}} },
		"foreign": func() (any, error) { return nil, errors.New("secret") },
		"panic":   func() (any, error) { panic("secret") },
		"func":    func() (any, error) { return func() {}, nil },
	}
	connect := gatewayFunc(func(_ context.Context, s gateway.Socket) error {
		for name, f := range returns {
			s.Handle(name, func(context.Context, *gateway.Event) (any, error) { return f() })
		}
		return nil
	})
	internal := `{"code":"internal","message":"internal"`
	for name, tc := range map[string]struct{ ack, plain []string }{
		"value":   {[]string{`31[{"a":"<b>"}]`}, nil},
		"nil":     {[]string{`31[]`}, nil},
		"binary":  {[]string{`61-1[{"f":{"_placeholder":true,"num":0}}]`, "binary x"}, nil},
		"reply":   {[]string{`2["e",1]`, `31[]`}, []string{`2["e",1]`}},
		"both":    {[]string{`31[true]`}, []string{`2["e"]`}},
		"own":     {[]string{`31[{"error":{"code":"c","d":1,"message":"m"},"ok":false}]`}, []string{`2["exception",{"code":"c","d":1,"event":"own","message":"m","status":"error"}]`}},
		"foreign": {[]string{`31[{"error":` + internal + `},"ok":false}]`}, []string{`2["exception",{"code":"internal","event":"foreign","message":"internal","status":"error"}]`}},
		"panic":   {[]string{`31[{"error":` + internal + `},"ok":false}]`}, []string{`2["exception",{"code":"internal","event":"panic","message":"internal","status":"error"}]`}},
		"func":    {[]string{`31[{"error":` + internal + `},"ok":false}]`}, nil},
		"error":   {[]string{`31[{"error":{"code":"unknown-event","message":"unknown event"},"ok":false}]`}, []string{`2["exception",{"code":"unknown-event","event":"error","message":"unknown event","status":"error"}]`}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, one(connect), func(t *testing.T, w *world) {
				c := w.dial()
				c.enter("/")
				c.send(`21["` + name + `"]`)
				c.want(tc.ack...)
				c.send(`2["` + name + `"]`)
				c.want(tc.plain...)
				c.send("1", "0") // nothing else came before this
				c.want(`0{"sid":*`)
			})
		})
	}
}

func TestPanicIsLoggedWithItsStack(t *testing.T) {
	inBubble(t, one(func(_ context.Context, s gateway.Socket) error {
		s.Handle("x", func(context.Context, *gateway.Event) (any, error) { panic("broken") })
		return nil
	}), func(t *testing.T, w *world) {
		c := w.dial()
		c.enter("/")
		c.send(`21["x"]`)
		c.want(`31[*`)
		lines := w.logs.FilterMessage("handler failed").All()
		if len(lines) != 1 {
			t.Fatalf("got %d lines", len(lines))
		}
		stack, _ := lines[0].ContextMap()["stack"].(string)
		if !strings.Contains(stack, "TestPanicIsLoggedWithItsStack") {
			t.Errorf("no stack: %v", lines[0].ContextMap())
		}
	})
}

func TestAnswerAheadOfTheReturn(t *testing.T) {
	inBubble(t, one(func(_ context.Context, s gateway.Socket) error {
		s.Handle("x", func(_ context.Context, ev *gateway.Event) (any, error) {
			if err := ev.Answer("first"); err != nil {
				return nil, err
			}
			if ev.Answer("again") == nil {
				t.Error("a second answer is no error")
			}
			return "returned", s.Emit("after")
		})
		return nil
	}), func(t *testing.T, w *world) {
		c := w.dial()
		c.enter("/")
		c.send(`21["x"]`, `2["x"]`)
		c.want(`31["first"]`, `2["after"]`)
	})
}

func TestHandlerWaitsForItsOwnClient(t *testing.T) {
	inBubble(t, one(func(_ context.Context, s gateway.Socket) error {
		s.Handle("ask", func(ctx context.Context, _ *gateway.Event) (any, error) {
			args, err := s.EmitWithAck(ctx, "question", 1)
			return args.Raw(0), err
		})
		s.HandleAny(func(context.Context, *gateway.Event) (any, error) { return nil, nil })
		return nil
	}), func(t *testing.T, w *world) {
		c := w.dial()
		c.enter("/")
		c.send(`21["ask"]`)
		for range maxQueued { // the ack must not wait for them
			c.send(`2["ignored"]`)
		}
		c.want(`20["question",1]`)
		c.send(`30[42]`)
		c.want(`31[42]`)
	})
}

func TestAckTimeoutAndDisconnect(t *testing.T) {
	inBubble(t, one(func(context.Context, gateway.Socket) error { return nil }), func(t *testing.T, w *world) {
		c := w.dial()
		id := c.enter("/")
		s := w.server.Namespace("/").Socket(id)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := s.EmitWithAck(ctx, "x"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the deadline", err)
		}
		c.send("30[1]") // late
		go func() {
			synctest.Wait()
			c.cut()
		}()
		if _, err := s.EmitWithAck(context.Background(), "x"); !errors.Is(err, gateway.ErrDisconnected) {
			t.Errorf("got %v, want ErrDisconnected", err)
		}
		if err := s.Emit("x"); !errors.Is(err, gateway.ErrDisconnected) {
			t.Errorf("got %v, want ErrDisconnected", err)
		}
	})
}

func TestPendingAcksAreBounded(t *testing.T) {
	inBubble(t, one(func(context.Context, gateway.Socket) error { return nil }), func(t *testing.T, w *world) {
		c := w.dial()
		s := w.server.Namespace("/").Socket(c.enter("/"))
		synctest.Wait() // it is connected here as well; until then fewer are held
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		for range maxPendingAcks {
			go func() { _, _ = s.EmitWithAck(ctx, "x") }()
		}
		synctest.Wait()
		if _, err := s.EmitWithAck(ctx, "x"); !errors.Is(err, errPendingAcks) {
			t.Errorf("got %v", err)
		}
		w.reached(incidents.PendingAcks)
	})
}

func TestEmitRefusesWhatCannotBeSent(t *testing.T) {
	inBubble(t, one(func(context.Context, gateway.Socket) error { return nil }), func(t *testing.T, w *world) {
		c := w.dial()
		s := w.server.Namespace("/").Socket(c.enter("/"))
		for name, err := range map[string]error{
			"channel":  s.Emit("x", make(chan int)),
			"reserved": s.Emit("disconnect"),
			"raw":      s.Emit("x", json.RawMessage(`{"a":`)),
			"two":      s.Emit("x", json.RawMessage(`1 2`)),
			"target":   w.server.Namespace("/").Emit("x", func() {}),
		} {
			if err == nil {
				t.Errorf("%s: no error", name)
			}
		}
		if err := s.Emit("fine", json.RawMessage(` {"a": "é"} `), []byte("b"), "é\"\n", nil, 1.5); err != nil {
			t.Error(err)
		}
		c.want(`051-["fine", {"a": "é"} ,{"_placeholder":true,"num":0},"é\"\n",null,1.5]`[1:], "binary b")
	})
}

func TestEmitsDuringConnectComeAfterIt(t *testing.T) {
	inBubble(t, one(func(_ context.Context, s gateway.Socket) error {
		if s.Connected() {
			t.Error("connected already")
		}
		if err := s.Join("room"); err != nil {
			return err
		}
		if err := s.Emit("early"); err != nil {
			return err
		}
		return s.Namespace().To("room").Emit("room")
	}), func(t *testing.T, w *world) {
		c := w.dial()
		c.enter("/")
		c.want(`2["early"]`, `2["room"]`)
	})
}

func TestConnectErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		want string
	}{
		"own":     {&gateway.Error{Code: "full", Message: "no place", Data: map[string]any{"n": 1}}, `4{"data":{"code":"full","n":1},"message":"no place"}`},
		"foreign": {errors.New("secret"), `4{"data":{"code":"internal"},"message":"internal"}`},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, one(func(_ context.Context, s gateway.Socket) error {
				if err := s.Join("room"); err != nil {
					return err
				}
				return tc.err
			}), func(t *testing.T, w *world) {
				c := w.dial()
				c.send("0")
				c.want(tc.want)
				w.empty("/")
			})
		})
	}
}
