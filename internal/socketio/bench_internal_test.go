package socketio

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

func benchServer(b *testing.B, g gateway.Gateway) *Server {
	b.Helper()
	s, err := NewServer(&Settings{Namespaces: namespaces("/", g)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			b.Error(err)
		}
	})
	return s
}

// benchSocket connects a socket over a session that takes everything.
func benchSocket(b *testing.B, s *Server) (*conn, *Socket, *scriptedSession) {
	b.Helper()
	one := &scriptedSession{}
	c := s.accept(one)
	b.Cleanup(func() { c.Closed("transport close") })
	if err := c.Receive([]byte("0"), false); err != nil {
		b.Fatal(err)
	}
	socket, _ := c.find("/")
	for socket.phase.Load() == phaseConnecting { // it is let in on another goroutine
		socket.awaitOpened()
	}
	socket.awaitOpened()
	return c, socket, one
}

func BenchmarkDecode(b *testing.B) {
	b.ReportAllocs()
	text := []byte(`217["candidate",{"room":"r","to":"p","candidate":{"candidate":"candidate:1 1 udp 2 10.0.0.1 5 typ host","sdpMid":"0"}}]`)
	for b.Loop() {
		p, err := parsePacket(text)
		if err != nil {
			b.Fatal(err)
		}
		if _, err = newInbound(&p); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	b.ReportAllocs()
	arg := map[string]any{"ok": true, "data": "pong from server"}
	for b.Loop() {
		p, err := encodeArgs("pong", []any{arg})
		if err != nil {
			b.Fatal(err)
		}
		p.frame(kindEvent, "/", nil)
	}
}

// BenchmarkPing is an event with ack from the message to the answer.
func BenchmarkPing(b *testing.B) {
	s := benchServer(b, echo)
	c, _, one := benchSocket(b, s)
	done := make(chan struct{}, 1)
	one.onSend = func() { done <- struct{}{} }
	text := []byte(`27["echo",1]`)
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Receive(text, false); err != nil {
			b.Fatal(err)
		}
		<-done
	}
	one.onSend = nil
}

func BenchmarkFanOut(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := benchServer(b, silent)
			for range n {
				benchSocket(b, s)
			}
			ns := s.Namespace("/")
			b.ReportAllocs()
			for b.Loop() {
				if err := ns.Emit("x", "payload"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkJoinLeave(b *testing.B) {
	s := benchServer(b, silent)
	var once sync.Once
	_, socket, _ := benchSocket(b, s)
	b.ReportAllocs()
	for b.Loop() {
		if err := socket.Join("room"); err != nil {
			once.Do(func() { b.Error(err) })
		}
		socket.Leave("room")
	}
}
