package socketio

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
	"github.com/caddy-socketio/caddy-socketio/internal/incidents"
)

// counter answers each event with its number of attachments and their bytes.
var counter = gatewayFunc(func(_ context.Context, s gateway.Socket) error {
	s.HandleAny(func(_ context.Context, ev *gateway.Event) (any, error) {
		var n, bytes int
		for i := range ev.Args.Len() {
			var b []byte
			if err := ev.Args.Decode(i, &b); err != nil {
				return nil, err
			}
			n, bytes = n+1, bytes+len(b)
		}
		return []int{n, bytes}, nil
	})
	return nil
})

// binaryEvent is the text of an event with attachments and an ack.
func binaryEvent(namespace string, attachments int) string {
	var places []string
	for i := range attachments {
		places = append(places, fmt.Sprintf(`{"_placeholder":true,"num":%d}`, i))
	}
	return fmt.Sprintf(`5%d-%s1["x",%s]`, attachments, namespace, strings.Join(places, ","))
}

// What is refused is refused with the event, before an attachment is kept.
func TestAttachmentsOfAStrangerAreNotAwaited(t *testing.T) {
	inBubble(t, Settings{Namespaces: namespaces("/", counter, "/other", counter)}, func(t *testing.T, w *world) {
		for name, namespace := range map[string]string{"/": "", "/other": "/other,", "/unknown": "/unknown,"} {
			c := w.dial()
			if name != "/" {
				c.enter("/")
			}
			start := time.Now()
			c.send(binaryEvent(namespace, 10))
			c.want("closed")
			if took := time.Since(start); took > time.Second {
				t.Errorf("%s: closed after %v", name, took)
			}
		}
		w.empty("/", "/other")
	})
}

func TestAttachmentsForASocketThatHasLeftAreForgotten(t *testing.T) {
	s, err := NewServer(&Settings{Namespaces: namespaces("/", counter)})
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		session := &scriptedSession{}
		c := s.accept(session)
		c.slots = append(c.slots, slot{"/", nil}) // it has been there
		receive := func(data []byte, binary bool) {
			t.Helper()
			if err := c.Receive(data, binary); err != nil || session.Closed() {
				t.Fatal(err, session.Closed())
			}
		}
		for range 5 {
			receive([]byte(binaryEvent("", 3)), false)
			receive(make([]byte, 900_000), true)
			receive(make([]byte, 900_000), true)
			if in := c.partial; in == nil || in.size > 0 || in.values != nil || in.attachments != nil {
				t.Fatal("something is kept")
			}
			receive(nil, true)
			if c.partial != nil {
				t.Fatal("more is awaited")
			}
		}
		c.Closed(reasonLost)
	})
}

func TestAttachmentsTogetherAreBounded(t *testing.T) {
	inBubble(t, one(counter), func(_ *testing.T, w *world) {
		c := w.dial()
		c.enter("/")
		for _, n := range []int{1, 10} {
			c.send(binaryEvent("", n))
			for range n {
				c.sendBinary(make([]byte, 1e6/n))
			}
			c.want(fmt.Sprintf(`31[[%d,1000000]]`, n))
		}
		c.send(binaryEvent("", 10))
		c.sendBinary(make([]byte, 999_999))
		c.sendBinary(make([]byte, 2))
		c.want("closed")
		w.reached(incidents.MaxPayload)
		w.empty("/")
	})
}

func TestLargestNameAndMostArgumentsAreTaken(t *testing.T) {
	inBubble(t, one(echo), func(_ *testing.T, w *world) {
		c := w.dial()
		c.enter("/")
		c.send(`21["echo"` + strings.Repeat(",1", maxArguments) + `]`)
		c.want(`31[1]`)
		for _, name := range []string{strings.Repeat("x", maxEventName), strings.Repeat(`\u0078`, maxEventName), strings.Repeat("1", maxEventName)} {
			quoted := `"` + name + `"`
			if name[0] == '1' {
				quoted = name
			}
			c.send(`22[` + quoted + `]`)
			c.want(`32[{"error":{"code":"unknown-event"*`)
		}
		c.send(`2["` + strings.Repeat(`\u0078`, maxEventName+1) + `"]`)
		c.want("closed")
		w.reached(incidents.EventName)
	})
}
