package webrtc

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
	"github.com/caddy-socketio/caddy-socketio/internal/signaling"
)

// keys of the gateway in what the namespace shares.
const keys = "webrtc/"

// memory is the memory of a cluster as the domain needs it.
type memory struct {
	state gateway.State
	port  *port
}

var _ signaling.Shared = memory{}

// Node implements signaling.Shared, as the methods below do.
func (m memory) Node() string { return m.state.Node() }

func (m memory) Gone(node string) bool { return m.state.Gone(node) }

func (m memory) Now() time.Time { return m.state.Now() }

func (m memory) Get(ctx context.Context, key string) (signaling.Value, error) {
	e, err := m.state.Get(ctx, keys+key)
	return signaling.Value{Data: e.Value, Version: e.Version}, err
}

func (m memory) Swap(
	ctx context.Context, key string, version uint64, value []byte, ttl time.Duration, steps []signaling.Step,
) (signaling.Value, error) {
	w := gateway.Write{Version: version, Value: value, TTL: ttl, Steps: make([]gateway.Step, len(steps))}
	for i := range steps {
		w.Steps[i] = publication(&steps[i])
	}
	e, err := m.state.Swap(ctx, keys+key, w)
	if errors.Is(err, gateway.ErrConflict) {
		err = signaling.ErrStale
	}
	return signaling.Value{Data: e.Value, Version: e.Version}, err
}

// publication names rooms as the namespace does.
func publication(s *signaling.Step) gateway.Step {
	if s.Event == "" {
		return gateway.Step{Note: &gateway.Note{Text: s.Note, Run: s.Run}}
	}
	room := s.Socket
	if room == "" {
		room = prefix + s.Room
	}
	return gateway.Step{Emit: &gateway.Emission{
		Rooms: []string{room}, Except: s.Except, Event: s.Event, Args: []any{s.Payload},
	}}
}

func (m memory) Touch(ctx context.Context, ttl time.Duration, names []string) error {
	for i := range names {
		names[i] = keys + names[i]
	}
	return m.state.Touch(ctx, ttl, names...)
}

func (m memory) Report(err error) {
	m.port.logger.Load().Error("sharing rooms with the cluster", zap.Error(err))
}

func (m memory) Watch(noted func(string, uint64, []byte), gone func(string), back func()) (stop func()) {
	return m.state.Watch(gateway.Watcher{
		Noted: func(key string, version uint64, text []byte) {
			if len(key) > len(keys) && key[:len(keys)] == keys {
				noted(key[len(keys):], version, text)
			}
		},
		Gone: gone, Back: back,
	})
}

// Send implements signaling.Reach.
func (p *port) Send(socket, event string, payload json.RawMessage) bool {
	if err := p.ns.To(socket).Emit(event, payload); err != nil {
		p.logger.Load().Error("sending to another node", zap.String("event", event), zap.Error(err))
		return false
	}
	return true
}
