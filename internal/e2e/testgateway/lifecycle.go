package testgateway

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"

	"go.uber.org/zap"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// gates are named barriers, by which a test keeps a handler waiting for exactly
// as long as it wants. They outlive reloads. Safe for concurrent use.
type gates struct {
	mu   sync.Mutex
	open map[string]chan struct{} // guarded by mu
}

func (g *gates) get(name string) chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open[name] == nil {
		g.open[name] = make(chan struct{})
	}
	return g.open[name]
}

// registerLifecycle installs the events around a socket's life, and tells the
// observers of its end.
func registerLifecycle(s gateway.Socket, log *zap.Logger) {
	state := s.Namespace().State("gates", func() any {
		return &gates{open: map[string]chan struct{}{}}
	}).(*gates)
	gateway.On(s, "wait", func(ctx context.Context, gate string) (any, error) {
		if err := s.Namespace().To(observers).Emit("waiting", gate); err != nil {
			return nil, err
		}
		select {
		case <-state.get(gate):
			return "passed", nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	gateway.On(s, "open", func(_ context.Context, gate string) (any, error) {
		close(state.get(gate))
		return "opened", nil
	})
	gateway.On(s, "set-data", func(_ context.Context, v any) (any, error) {
		s.SetData(v)
		return "set", nil
	})
	gateway.On(s, "whoami", func(context.Context, any) (any, error) { return describe(s), nil })
	gateway.On(s, "disconnect-me", func(_ context.Context, closeConnection bool) (any, error) {
		s.Disconnect(closeConnection)
		return nil, nil
	})
	gateway.On(s, "flood", func(_ context.Context, p struct {
		Count int `json:"count"`
		Size  int `json:"size"`
	}) (any, error) {
		filler := strings.Repeat("x", p.Size)
		for i := range p.Count {
			if err := s.Emit("drop", i, filler); err != nil {
				return nil, err
			}
		}
		return p.Count, nil
	})
	s.OnDisconnect(func(reason string, rooms []string) {
		rooms = slices.DeleteFunc(rooms, func(r string) bool { return r == s.ID() })
		slices.Sort(rooms)
		farewell := map[string]any{"id": s.ID(), "reason": reason, "rooms": rooms}
		if err := s.Namespace().To(observers).Emit("departed", farewell); err != nil {
			log.Debug("observers not told of a departure", zap.Error(err))
		}
	})
}

// describe tells what the gateway sees of a socket.
func describe(s gateway.Socket) map[string]any {
	h := s.Handshake()
	cookies := map[string]string{}
	for _, c := range h.Cookies() {
		cookies[c.Name] = c.Value
	}
	headers := map[string]string{}
	for name := range h.Header {
		headers[http.CanonicalHeaderKey(name)] = h.Header.Get(name)
	}
	query := map[string]string{}
	for name := range h.Query {
		query[name] = h.Query.Get(name)
	}
	return map[string]any{
		"id": s.ID(), "namespace": s.Namespace().Name(), "server": s.Namespace().Server(),
		"transport": s.Transport(), "recovered": s.Recovered(), "data": s.Data(),
		"headers": headers, "cookies": cookies, "query": query, "auth": h.Auth,
		"ip": h.ClientIP, "secure": h.Secure, "host": h.Host, "time": h.Time.UnixMilli(),
		"identity": s.Identity(),
	}
}
