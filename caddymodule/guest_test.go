package caddymodule_test

import (
	"context"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// shout is a gateway as another author would write it. It has no options.
type shout struct{ volume [1 << 16]byte }

func init() { caddy.RegisterModule(&shout{}) }

func (*shout) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.socketio.gateways.shout", New: func() caddy.Module {
		return shouts.add(new(shout))
	}}
}

var shouts tracked[shout]

func (s *shout) Connect(_ context.Context, socket gateway.Socket) error {
	gateway.On(socket, "say", func(_ context.Context, text string) (any, error) {
		s.volume[0]++
		return strings.ToUpper(text), nil
	})
	return nil
}

func TestGuestGateway(t *testing.T) {
	serve(t, "socketio {\nname guest\nnamespace / {\ngateway shout\n}\n}")
	p := open(t, engine)
	p.send(`421["say","hello"]`)
	if got := p.receive(); got != `431["HELLO"]` {
		t.Errorf("got %q", got)
	}
}
