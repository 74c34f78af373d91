package webrtc

import (
	"sync"

	"go.uber.org/zap"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
	"github.com/caddy-socketio/caddy-socketio/internal/signaling"
)

// rooms are a namespace's, across reloads. All methods may be called
// concurrently.
type rooms struct {
	port *port

	mu sync.Mutex // guards the following fields
	// service keeps its rooms in shared, or by itself if that is nil.
	service *signaling.Service
	shared  gateway.State
}

func roomsOf(ns gateway.Namespace) *rooms {
	return ns.State("webrtc", func() any {
		p := &port{ns: ns}
		p.logger.Store(zap.NewNop())
		return &rooms{port: p}
	}).(*rooms)
}

// serve returns the service, with options. When a reload has brought the
// namespace into a cluster, or out of one, its rooms end: here and there, others
// of the same name can have others in them.
func (r *rooms) serve(o signaling.Options) *signaling.Service {
	r.mu.Lock()
	defer r.mu.Unlock()
	shared := r.port.ns.Shared()
	if r.service != nil && r.shared == shared {
		r.service.Configure(o)
		return r.service
	}
	if r.service != nil {
		r.service.Evacuate()
		_ = r.service.Close() // always nil
	}
	store := signaling.NewMemory(r.port)
	if shared != nil {
		store = signaling.NewShared(memory{shared, r.port}, r.port)
	}
	r.service, r.shared = signaling.New(store, o), shared
	return r.service
}

// current is the service, nil before the first.
func (r *rooms) current() *signaling.Service {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.service
}

// Close is called when the namespace ends.
func (r *rooms) Close() error {
	if s := r.current(); s != nil {
		return s.Close()
	}
	return nil
}

// Status is what the admin API shows of the namespace.
func (r *rooms) Status() any {
	if s := r.current(); s != nil {
		return s.Stats()
	}
	return nil
}
