package hub_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
	"github.com/caddy-socketio/caddy-socketio/internal/hub"
)

func config(label string) map[string]gateway.Gateway {
	return map[string]gateway.Gateway{"/": labelled(label)}
}

// label asks who answers now.
func (c *client) label(want string) {
	c.t.Helper()
	c.send(`421["label"]`)
	c.want(`431["` + want + `"]`)
}

func TestAConfigTakesOverAndRollsBack(t *testing.T) {
	first := generation(config("first"))
	inBubble(t, first, func(t *testing.T, w *world) {
		c := w.enter("/")
		push := func(label string) func() {
			g := generation(config(label))
			g.Logger = first.Logger
			for range 2 { // the second time changes nothing
				if err := w.hub.Push(g); err != nil {
					t.Fatal(err)
				}
			}
			return func() {
				if err := w.hub.Drop(g); err != nil {
					t.Error(err)
				}
			}
		}
		drop := push("failed")
		c.label("failed")
		drop() // the config has failed after it was live
		c.label("first")
		drop()
		c.label("first")
		dropSecond := push("second")
		if err := w.hub.Drop(first); err != nil {
			t.Fatal(err)
		}
		c.label("second")
		push("third")
		dropSecond()
		c.label("third")
		if s := w.hub.Status(); s.Generations != 1 || s.Reloads != 4 || s.Sessions != 1 || s.Draining {
			t.Errorf("status %+v", s)
		}
	})
}

func TestAConfigThatCannotBeAppliedChangesNothing(t *testing.T) {
	inBubble(t, generation(config("first")), func(t *testing.T, w *world) {
		c := w.enter("/")
		bad := generation(map[string]gateway.Gateway{"no slash": labelled("bad")})
		bad.Drain = time.Hour
		if err := w.hub.Push(bad); err == nil {
			t.Error("no error")
		}
		if err := w.hub.Drop(bad); err != nil {
			t.Error(err)
		}
		c.label("first")
		if s := w.hub.Status(); s.Generations != 1 || s.Reloads != 0 {
			t.Errorf("status %+v", s)
		}
	})
}

// A stock client does not come back after DISCONNECT: only those may get it whose
// namespace is gone.
func TestARemovedNamespaceDisconnectsItsSocketsAlone(t *testing.T) {
	first := generation(map[string]gateway.Gateway{"/": labelled("a"), "/gone": labelled("b")})
	inBubble(t, first, func(t *testing.T, w *world) {
		both, other := w.enter("/", "/gone"), w.enter("/")
		second := generation(config("c"))
		second.Logger, second.Sockets.Logger = first.Logger, first.Logger
		if err := w.hub.Push(second); err != nil {
			t.Fatal(err)
		}
		both.want("41/gone,")
		both.label("c")
		other.label("c")
		synctest.Wait()
		lines := w.logs.FilterMessage("client disconnected").All()
		if len(lines) != 1 || lines[0].ContextMap()["reason"] != "server namespace disconnect" || lines[0].ContextMap()["namespace"] != "/gone" {
			t.Errorf("logged %v", lines)
		}
		if n := w.logs.FilterMessage("namespace removed").Len(); n != 1 {
			t.Errorf("%d lines about the namespace", n)
		}
	})
}

func TestARemovedServerDisconnectsEverybody(t *testing.T) {
	inBubble(t, generation(config("a")), func(t *testing.T, w *world) {
		c, d := w.enter("/"), w.enter("/")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := w.hub.Close(ctx, true); err != nil {
			t.Error(err)
		}
		for _, one := range []*client{c, d} {
			one.want("41")
			one.want("close 1001")
			one.want("gone")
		}
		if n := w.logs.FilterMessage("client disconnected").Len(); n != 2 {
			t.Errorf("%d lines about the clients", n)
		}
	})
}

func TestNoticesGoToTheCurrentConfig(t *testing.T) {
	first, second := generation(config("a")), generation(config("b"))
	told := map[string]int{}
	first.Notify = func(event string, _ map[string]any) { told["first "+event]++ }
	second.Notify = func(event string, data map[string]any) {
		told["second "+event]++
		if data["namespace"] != "/" || data["transport"] != "websocket" || data["socket"] == "" {
			t.Errorf("%s: %v", event, data)
		}
	}
	inBubble(t, first, func(t *testing.T, w *world) {
		c := w.enter("/")
		synctest.Wait()
		second.Logger = first.Logger
		if err := w.hub.Push(second); err != nil {
			t.Fatal(err)
		}
		c.send("41")
		synctest.Wait()
		if len(told) != 2 || told["first socketio.connect"] != 1 || told["second socketio.disconnect"] != 1 {
			t.Errorf("told %v", told)
		}
	})
}

func TestSlowNoticesAreLostAloud(t *testing.T) {
	g := generation(config("a"))
	release := make(chan struct{})
	g.Notify = func(string, map[string]any) { <-release }
	inBubble(t, g, func(t *testing.T, w *world) {
		release = make(chan struct{})
		for range 600 { // two events each
			_ = w.enter("/").conn.Close()
		}
		synctest.Wait()
		if w.logs.FilterMessage("event lost: its handlers are too slow").Len() == 0 {
			t.Error("nothing is lost, or nobody is told")
		}
		close(release)
	})
}

// slow is a gateway whose Init takes long.
type slow struct {
	labelled
	began, end chan struct{}
}

func (s slow) Init(context.Context, gateway.Namespace) error {
	close(s.began)
	<-s.end
	return nil
}

// Outside a bubble, which would wait for what waits for a mutex.
func TestASlowInitHoldsUpNobodyElse(t *testing.T) {
	first := generation(config("a"))
	first.Drain, first.Logger, first.Sockets.Logger = 0, zap.NewNop(), zap.NewNop()
	h, err := hub.New(first)
	if err != nil {
		t.Fatal(err)
	}
	s := slow{"b", make(chan struct{}), make(chan struct{})}
	second := generation(map[string]gateway.Gateway{"/": s})
	second.Logger, second.Sockets.Logger = first.Logger, first.Logger
	var pushed, looked sync.WaitGroup
	pushed.Go(func() {
		if err := h.Push(second); err != nil {
			t.Error(err)
		}
	})
	<-s.began
	done := make(chan struct{})
	looked.Go(func() {
		defer close(done)
		if h.Status().Generations != 1 || h.Draining() {
			t.Error("something has changed already")
		}
		h.Drain()
		if !h.Draining() {
			t.Error("no drain")
		}
	})
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Error("all wait for the gateway")
	}
	close(s.end)
	pushed.Wait()
	looked.Wait()
	if n := h.Status().Generations; n != 2 {
		t.Errorf("%d generations", n)
	}
	if err := h.Close(t.Context(), false); err != nil {
		t.Error(err)
	}
}
