package socketio

import (
	"slices"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// handlers is a socket's table of event handlers. Once published it is never
// changed: a later Handle replaces it by a changed copy.
type handlers struct {
	events []handler // by name; smaller than a map
	any    gateway.Handler
	hooks  []func(reason string, rooms []string)
}

type handler struct {
	event string
	f     gateway.Handler
}

// find returns the handler of an event and the event's name as registered; nil
// without one.
func (t *handlers) find(name []byte) (string, gateway.Handler) {
	lo, hi := 0, len(t.events)
	for lo < hi {
		mid := (lo + hi) / 2
		if t.events[mid].event < string(name) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(t.events) && t.events[lo].event == string(name) {
		return t.events[lo].event, t.events[lo].f
	}
	return "", nil
}

func (t *handlers) set(event string, h gateway.Handler) {
	i, found := slices.BinarySearchFunc(t.events, event, func(e handler, name string) int {
		switch {
		case e.event < name:
			return -1
		case e.event > name:
			return 1
		}
		return 0
	})
	if found {
		t.events[i].f = h
		return
	}
	t.events = slices.Insert(t.events, i, handler{event, h})
}

func (t *handlers) clone() *handlers {
	return &handlers{slices.Clone(t.events), t.any, slices.Clone(t.hooks)}
}

// compact gives back the room that growing left.
func (t *handlers) compact() *handlers {
	t.events, t.hooks = slices.Clip(t.events), slices.Clip(t.hooks)
	if cap(t.events) != len(t.events) {
		t.events = slices.Clone(t.events)
	}
	return t
}

// change applies f to the table that a running Connect builds, or else to the
// published one.
func (s *Socket) change(f func(*handlers)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.building != nil {
		f(s.building)
		return
	}
	t := s.handlers.Load().clone()
	f(t)
	s.handlers.Store(t)
}

// Handle implements [gateway.Socket].
func (s *Socket) Handle(event string, h gateway.Handler) {
	s.change(func(t *handlers) { t.set(event, h) })
}

// HandleAny implements [gateway.Socket].
func (s *Socket) HandleAny(h gateway.Handler) { s.change(func(t *handlers) { t.any = h }) }

// OnDisconnect implements [gateway.Socket]. The function is called as well when
// the socket is refused or goes before it is connected: what Connect has taken
// can be given back there.
func (s *Socket) OnDisconnect(f func(reason string, rooms []string)) {
	s.change(func(t *handlers) { t.hooks = append(t.hooks, f) })
}
