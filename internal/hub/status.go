package hub

import (
	"time"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
	"github.com/caddy-socketio/caddy-socketio/internal/socketio"
)

// Status describes a hub at one moment.
type Status struct {
	Opened      time.Time
	Sessions    int
	Namespaces  []socketio.NamespaceStatus
	Generations int
	// Reloads counts the settings that took the place of earlier ones.
	Reloads  int
	Draining bool
}

// Status takes a snapshot.
func (h *Hub) Status() Status {
	h.mu.Lock()
	s := Status{Opened: h.opened, Generations: len(h.generations), Reloads: h.reloads, Draining: h.drained != nil}
	h.mu.Unlock()
	s.Sessions, s.Namespaces = h.engine.Len(), h.sockets.Namespaces()
	return s
}

// Draining reports whether the hub says goodbye to its clients.
func (h *Hub) Draining() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.drained != nil
}

// Namespace returns a live namespace, or nil.
func (h *Hub) Namespace(name string) gateway.Namespace { return h.sockets.Namespace(name) }

// State is what the gateways of a live namespace tell of themselves.
func (h *Hub) State(namespace string) map[string]any { return h.sockets.State(namespace) }

// Rooms lists the rooms of a live namespace.
func (h *Hub) Rooms(namespace string) []socketio.RoomStatus { return h.sockets.Rooms(namespace) }
