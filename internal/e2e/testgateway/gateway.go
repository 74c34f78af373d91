// Package testgateway is the gateway that the end-to-end tests talk to: each of
// its events exercises one part of package gateway. The reference server of the
// tests (reference/server.mjs) answers the same events in the same way, so that
// one suite can judge both.
package testgateway

import (
	"context"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

func init() {
	caddy.RegisterModule(Gateway{})
}

// Gateway answers the events of the end-to-end tests. It keeps nothing itself:
// what must outlive a config reload is in the namespace's state.
type Gateway struct {
	// Label comes back in "label", so that a test can tell which configuration
	// answered.
	Label string `json:"label,omitempty"`

	log *zap.Logger
}

// CaddyModule registers the gateway under the name "e2e".
func (Gateway) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.socketio.gateways.e2e",
		New: func() caddy.Module { return new(Gateway) },
	}
}

// Provision takes the logger.
func (g *Gateway) Provision(ctx caddy.Context) error {
	g.log = ctx.Logger()
	return nil
}

// UnmarshalCaddyfile reads
//
//	gateway e2e [<label>]
func (g *Gateway) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if d.NextArg() {
		g.Label = d.Val()
	}
	if d.NextArg() {
		return d.ArgErr()
	}
	return nil
}

// Connect refuses, greets or just registers the socket, as its auth payload asks.
func (g *Gateway) Connect(_ context.Context, s gateway.Socket) error {
	auth := s.Handshake().Auth
	if refuse, ok := auth["refuse"].(string); ok {
		return refusal(refuse)
	}
	g.register(s)
	if s.Connected() {
		return nil
	}
	if auth["greet"] == true {
		if err := s.Emit("auth", auth); err != nil {
			return err
		}
	}
	return s.Namespace().To(observers).Emit("arrived", describe(s))
}

// register installs all handlers. It runs again on live sockets after a reload.
func (g *Gateway) register(s gateway.Socket) {
	gateway.On(s, "label", func(context.Context, any) (any, error) { return g.Label, nil })
	registerEchoes(s)
	registerQuestions(s)
	registerRooms(s)
	registerCluster(s)
	registerFailures(s)
	registerLifecycle(s, g.log)
}

// Interface guards.
var (
	_ gateway.Gateway            = (*Gateway)(nil)
	_ gateway.ServerSideReceiver = (*Gateway)(nil)
	_ caddy.Provisioner          = (*Gateway)(nil)
	_ caddyfile.Unmarshaler      = (*Gateway)(nil)
)
