package socketio

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// echo answers "echo" with its argument, and emits "pong" upon "ping".
var echo = gatewayFunc(func(_ context.Context, s gateway.Socket) error {
	s.Handle("echo", func(_ context.Context, ev *gateway.Event) (any, error) { return ev.Args.Raw(0), nil })
	s.Handle("ping", func(context.Context, *gateway.Event) (any, error) {
		return gateway.Reply{Event: "pong", Args: []any{"pong from server"}, Ack: map[string]any{"ok": true}}, nil
	})
	return nil
})

func TestConnectEchoDisconnect(t *testing.T) {
	inBubble(t, Settings{Namespaces: namespaces("/", echo, "/chat", echo)}, func(t *testing.T, w *world) {
		c := w.dial()
		c.enter("/")
		c.enter("/chat", `{"token":"x"}`)
		c.send(`2["ping"]`, `27["ping"]`)
		c.want(`2["pong","pong from server"]`, `37[{"ok":true}]`)
		c.send(`2/chat,8["echo",{"a":[1,2]}]`)
		c.want(`3/chat,8[{"a":[1,2]}]`)
		c.send("1", "1/chat,")
		w.empty("/", "/chat")
		// Again, on the same connection.
		c.enter("/")
		c.enter("/chat")
		synctest.Wait() // the server has noted what the client knows
		c.cut()
		w.empty("/", "/chat")
		if n := w.logs.FilterMessage("client disconnected").Len(); n != 4 {
			t.Errorf("got %d lines, want 4", n)
		}
	})
}

func TestDisconnectThenConnectAtOnce(t *testing.T) {
	inBubble(t, Settings{Namespaces: namespaces("/", echo)}, func(t *testing.T, w *world) {
		c := w.dial()
		c.enter("/")
		for range 20 {
			c.send("1", "0")
			c.want(`0{"sid":*`)
		}
		c.send("1")
		w.empty("/")
	})
}

func TestUnknownNamespace(t *testing.T) {
	inBubble(t, Settings{Namespaces: namespaces("/chat", echo, `/\/room-[0-9]+/`, echo)}, func(t *testing.T, w *world) {
		c := w.dial()
		for _, nsp := range []string{"/nope,", "/room-,", "/room-1x,", "/x/room-1,", ""} {
			c.send("0" + nsp)
			c.want(`4` + nsp + `{"message":"Invalid namespace"}`)
		}
		c.enter("/room-17")
		if w.server.namespace("/room-17") == nil {
			t.Error("the namespace is not live")
		}
		c.send("1/room-17,")
		synctest.Wait()
		if got := len(w.server.Namespaces()); got != 1 {
			t.Errorf("%d namespaces are left, want the static one", got)
		}
	})
}

func TestPacketsOutOfStateCloseTheConnection(t *testing.T) {
	for name, packets := range map[string][]string{
		"event before CONNECT":      {`2["x"]`},
		"disconnect before CONNECT": {`1`},
		"ack before CONNECT":        {`31[]`},
		"CONNECT twice":             {`0`, `0`},
		"CONNECT_ERROR":             {`4{"message":"x"}`},
		"other namespace":           {`0`, `2/other,["x"]`},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Settings{Namespaces: namespaces("/", echo)}, func(t *testing.T, w *world) {
				c := w.dial()
				c.send(packets...)
				for range 3 {
					if got := c.next(); got == "closed" {
						return
					}
				}
				t.Error("the connection is still open")
			})
		})
	}
}
