package caddymodule

import (
	"time"

	"github.com/caddyserver/caddy/v2"
)

// applyDefaults fills in what the configuration leaves out: the reference
// server's defaults, where it has the option.
func (h *Handler) applyDefaults() {
	orDefault(&h.Name, "default")
	orDefault(&h.Path, "/socket.io/")
	orDefault(&h.PingInterval, caddy.Duration(25*time.Second))
	orDefault(&h.PingTimeout, caddy.Duration(20*time.Second))
	orDefault(&h.ConnectTimeout, caddy.Duration(45*time.Second))
	orDefault(&h.UpgradeTimeout, caddy.Duration(10*time.Second))
	orDefault(&h.MaxPayload, 1_000_000)
	orDefault(&h.Compression, 1024)
	orDefault(&h.Drain, caddy.Duration(5*time.Second))
	if len(h.Transports) == 0 {
		h.Transports = []string{"polling", "websocket"}
	}
	if len(h.Namespaces) == 0 {
		h.Namespaces = []*Namespace{{Name: "/"}}
	}
	if h.SessionCookie != nil {
		cookie := *h.SessionCookie
		orDefault(&cookie.Name, "io")
		orDefault(&cookie.Path, "/")
		orDefault(&cookie.SameSite, "lax")
		h.SessionCookie = &cookie
	}
	h.Limits.applyDefaults(h.MaxPayload)
}

func (l *Limits) applyDefaults(maxPayload int64) {
	orDefault(&l.Connections, 100_000)
	orDefault(&l.ConnectionsPerIP, 1000)
	l.HandshakesPerIP = l.HandshakesPerIP.orDefault(Rate{PerSecond: 50, Burst: 200})
	l.EventsPerSocket = l.EventsPerSocket.orDefault(Rate{PerSecond: 100, Burst: 1000})
	l.BytesPerSocket = l.BytesPerSocket.orDefault(Rate{PerSecond: 5_000_000, Burst: 20_000_000})
	orDefault(&l.Unauthenticated, 10_000)
	orDefault(&l.UnauthenticatedPerIP, 200)
	orDefault(&l.SendBuffer, max(1_000_000, maxPayload))
	orDefault(&l.RoomsPerSocket, 50)
}

// orDefault copies, since a Caddyfile's handler is given defaults only for a
// check and is then marshalled without them.
func (r *Rate) orDefault(d Rate) *Rate {
	if r == nil {
		return &d
	}
	c := *r
	orDefault(&c.Burst, max(1, int(c.PerSecond)))
	return &c
}

func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}
