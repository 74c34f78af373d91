package socketio

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

func benchServer(b *testing.B, g gateway.Gateway) *Server {
	b.Helper()
	return benchSettings(b, &Settings{Namespaces: namespaces("/", g)})
}

func benchSettings(b *testing.B, settings *Settings) *Server {
	b.Helper()
	s, err := NewServer(settings)
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

// benchRecovery is a server with as many packets kept as two minutes of 1,000
// emits per second leave, so that each further one takes the place of another.
func benchRecovery(b *testing.B) (*Server, *history) {
	b.Helper()
	const packet = 150 // bytes, about
	s := benchSettings(b, &Settings{
		Namespaces: namespaces("/", silent), Recovery: 2 * time.Minute, RecoveryTotal: 120_000 * packet,
	})
	h := s.namespace("/").log()
	for h.floor == 0 {
		if err := s.Namespace("/").Emit("x", "payload"); err != nil {
			b.Fatal(err)
		}
	}
	return s, h
}

func BenchmarkEmitWithRecovery(b *testing.B) {
	s, _ := benchRecovery(b)
	benchSocket(b, s)
	ns := s.Namespace("/")
	b.ReportAllocs()
	for b.Loop() {
		if err := ns.Emit("x", "payload"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRelayWithRecovery is a relay of 1 KB that comes from another node, for a
// socket of this node and for one of a third.
func BenchmarkRelayWithRecovery(b *testing.B) {
	data := json.RawMessage(`["candidate",{"candidate":"` + strings.Repeat("0123456789", 100) + `"}]`)
	for _, name := range []string{"here", "elsewhere"} {
		b.Run(name, func(b *testing.B) {
			c := &fakeCluster{keeps: true, sessions: map[string]*gateway.Session{}}
			s := benchSettings(b, &Settings{
				Namespaces: namespaces("/", silent), Cluster: c, Recovery: 2 * time.Minute, RecoveryTotal: 10_000_000,
			})
			_, socket, _ := benchSocket(b, s)
			room := socket.ID()
			if name == "elsewhere" {
				room = strings.Repeat("x", len(room))
			}
			count := int64(0)
			b.ReportAllocs()
			for b.Loop() {
				count++
				c.locals[0].Deliver(&gateway.Message{
					Set: gateway.Set{Rooms: []string{room}}, Data: slices.Clone(data), Offset: formatPosition(uint64(count) << positionBits),
				})
			}
		})
	}
}

// BenchmarkComeBack is what recovery asks twice for each client that comes back.
func BenchmarkComeBack(b *testing.B) {
	_, h := benchRecovery(b)
	r := &record{from: h.number - 10}
	b.ReportAllocs()
	for b.Loop() {
		if missed, _, _ := h.missed(r); len(missed) != 10 {
			b.Fatalf("%d are missed", len(missed))
		}
	}
}

// BenchmarkGo is the end of one of many sockets that could be recovered.
func BenchmarkGo(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := benchSettings(b, &Settings{Namespaces: namespaces("/", silent), Recovery: 2 * time.Minute})
			for range n {
				benchSocket(b, s)
			}
			h := s.namespace("/").log()
			one := &Socket{ns: s.namespace("/")}
			connect := []byte(`{"sid":"s","pid":"p"}`)
			b.ReportAllocs()
			for b.Loop() {
				h.watch(one, connect)
				h.unwatch(one)
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
