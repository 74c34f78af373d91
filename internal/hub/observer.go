package hub

import (
	"time"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// observer counts what happens and passes comings and goings on. It implements
// [socketio.Observer].
type observer struct{ *Hub }

// Connected implements socketio.Observer.
func (h observer) Connected(ns, transport string, s gateway.Socket) {
	h.notices.post("socketio.connect", about(ns, transport, s))
}

// Disconnected implements socketio.Observer.
func (h observer) Disconnected(ns, transport string, s gateway.Socket, reason string) {
	data := about(ns, transport, s)
	data["reason"] = reason
	h.notices.post("socketio.disconnect", data)
}

// Refused implements socketio.Observer.
func (h observer) Refused(ns, reason string) {
	h.metrics.refused.WithLabelValues(ns, reason).Inc()
}

// Handled implements socketio.Observer. Names that clients make up are counted
// together, so that they cannot fill the metrics.
func (h observer) Handled(ns, event string, known bool, took time.Duration, err error) {
	if !known {
		event = "other"
	}
	result := "ok"
	if err != nil {
		result = "error"
	}
	h.metrics.handled.WithLabelValues(ns, event, result).Observe(took.Seconds())
}

// about describes a socket, without anything secret.
func about(ns, transport string, s gateway.Socket) map[string]any {
	data := map[string]any{"namespace": ns, "transport": transport, "socket": s.ID()}
	if id := s.Identity(); id != nil {
		data["user"] = id.ID
	}
	return data
}
