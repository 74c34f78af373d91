package webrtc

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"

	"go.uber.org/zap"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// namespace is a gateway.Namespace as far as this gateway uses one.
type namespace struct {
	gateway.Namespace

	mu      sync.Mutex
	sockets []*socket
	state   map[string]any
	shared  gateway.State
}

func (n *namespace) State(key string, init func() any) any {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.state == nil {
		n.state = make(map[string]any)
	}
	if n.state[key] == nil {
		n.state[key] = init()
	}
	return n.state[key]
}

func (n *namespace) Shared() gateway.State { return n.shared }

func (n *namespace) To(rooms ...string) gateway.Target { return &target{ns: n, rooms: rooms} }

// target is a set of sockets by rooms.
type target struct {
	gateway.Target
	ns            *namespace
	rooms, except []string
}

func (t *target) Except(rooms ...string) gateway.Target {
	return &target{ns: t.ns, rooms: t.rooms, except: append(slices.Clone(t.except), rooms...)}
}

func (t *target) Emit(event string, args ...any) error {
	if event == "fail" {
		return errors.New("cannot")
	}
	t.ns.mu.Lock()
	defer t.ns.mu.Unlock()
	for _, s := range t.ns.sockets {
		in := func(room string) bool { return slices.Contains(s.rooms, room) }
		if slices.ContainsFunc(t.rooms, in) && !slices.ContainsFunc(t.except, in) {
			s.record(event, args)
		}
	}
	return nil
}

// socket is a gateway.Socket that remembers what it was sent.
type socket struct {
	gateway.Socket
	t         *testing.T
	ns        *namespace
	id        string
	identity  *gateway.Identity
	recovered bool
	limit     int // of rooms

	handle     gateway.Handler
	disconnect []func(string, []string)
	rooms      []string
	gone       bool
	log        []string
}

func (n *namespace) connect(t *testing.T, g *Gateway, id, user string) *socket {
	t.Helper()
	s := &socket{t: t, ns: n, id: id, rooms: []string{id}, limit: 10}
	if user != "" {
		s.identity = &gateway.Identity{ID: user}
	}
	n.sockets = append(n.sockets, s)
	if err := g.Connect(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *socket) ID() string                   { return s.id }
func (s *socket) Namespace() gateway.Namespace { return s.ns }
func (s *socket) Identity() *gateway.Identity  { return s.identity }
func (s *socket) Recovered() bool              { return s.recovered }
func (s *socket) Rooms() []string              { return s.rooms }
func (s *socket) HandleAny(h gateway.Handler)  { s.handle = h }
func (s *socket) OnDisconnect(f func(reason string, _ []string)) {
	s.disconnect = append(s.disconnect, f)
}

func (s *socket) Join(rooms ...string) error {
	if len(s.rooms) > s.limit {
		return &gateway.Error{Code: "too-many-rooms", Message: "enough"}
	}
	for _, room := range rooms {
		if !slices.Contains(s.rooms, room) {
			s.rooms = append(s.rooms, room)
		}
	}
	return nil
}

func (s *socket) Leave(room string) {
	s.rooms = slices.DeleteFunc(s.rooms, func(r string) bool { return r == room })
}

func (s *socket) Emit(event string, args ...any) error {
	if s.gone {
		return gateway.ErrDisconnected
	}
	s.record(event, args)
	return nil
}

func (s *socket) record(event string, args []any) {
	text, err := json.Marshal(args)
	if err != nil {
		s.t.Error(err)
	}
	s.log = append(s.log, event+" "+string(text))
}

// end is what the server does when a socket disconnects.
func (s *socket) end(reason string) {
	rooms := s.rooms
	s.gone, s.rooms = true, nil
	for _, f := range s.disconnect {
		f(reason, rooms)
	}
}

// send handles an event as the server does: the answer at once if the gateway
// asks for that, else what it returns.
func (s *socket) send(event, payload string, wantsAck bool) (ack string, err error) {
	s.t.Helper()
	ev := &gateway.Event{Name: event, WantsAck: wantsAck}
	if payload != "" {
		ev.Args = gateway.NewArgs([]json.RawMessage{json.RawMessage(payload)}, nil)
	}
	answers := 0
	if wantsAck {
		ev.Answer = func(v any) error {
			answers++
			text, err := json.Marshal(v)
			ack = string(text)
			s.log = append(s.log, "ack "+ack)
			return err
		}
	}
	v, err := s.handle(context.Background(), ev)
	if r, isReply := v.(gateway.Reply); isReply {
		if !wantsAck {
			return "", s.Emit(r.Event, r.Args...)
		}
		v = r.Ack
	}
	if wantsAck && v != nil {
		_ = ev.Answer(v)
	}
	if wantsAck && answers != 1 && err == nil {
		s.t.Errorf("%s was answered %d times", event, answers)
	}
	return ack, err
}

func (s *socket) do(event, payload string) string {
	s.t.Helper()
	ack, err := s.send(event, payload, true)
	if err != nil {
		s.t.Fatalf("%s %s: %v", event, payload, err)
	}
	return ack
}

func (s *socket) fails(event, payload, code string) {
	s.t.Helper()
	_ = s.failure(event, payload, code)
}

func (s *socket) failure(event, payload, code string) *gateway.Error {
	s.t.Helper()
	_, err := s.send(event, payload, true)
	var e *gateway.Error
	if !errors.As(err, &e) || e.Code != code {
		s.t.Fatalf("%s %s: got %v, want %s", event, payload, err, code)
	}
	return e
}

func (s *socket) take() []string {
	log := s.log
	s.log = nil
	return log
}

// joined is the part of a join's answer that tests use.
type joined struct {
	Self struct {
		ID   string
		User struct{ ID string }
		Role string
	}
	Resumed bool
	Count   int
	Servers []struct{ Username, Credential string } `json:"iceServers"`
	Resume  string
}

func (s *socket) join(more string) joined {
	s.t.Helper()
	var j joined
	if err := json.Unmarshal([]byte(s.do("join", `{"room":"r"`+more+`}`)), &j); err != nil {
		s.t.Fatal(err)
	}
	return j
}

// start makes a gateway and its namespace.
func start(t *testing.T, config string) (*Gateway, *namespace) {
	t.Helper()
	g, err := provision(t, config)
	if err != nil {
		t.Fatal(err)
	}
	g.logger = zap.NewNop()
	ns := new(namespace)
	if err := g.Init(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := roomsOf(ns).Close(); err != nil {
			t.Error(err)
		}
	})
	return g, ns
}
