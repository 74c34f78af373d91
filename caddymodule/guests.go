package caddymodule

import (
	"encoding/json"
	"fmt"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
	"github.com/caddy-socketio/caddy-socketio/internal/socketio"
)

// loadNamespaces loads the guest modules. They belong to the config: the hub
// keeps them only as part of its generation.
func (h *Handler) loadNamespaces(ctx caddy.Context) ([]socketio.Namespace, error) {
	everywhere, err := loadGuest[gateway.Authenticator](ctx, h, "AuthRaw", h.AuthRaw)
	if err != nil {
		return nil, fmt.Errorf("loading auth: %w", err)
	}
	var out []socketio.Namespace
	for _, ns := range h.Namespaces {
		n := socketio.Namespace{Name: ns.Name, Authenticator: everywhere}
		if ns.AuthRaw != nil {
			if n.Authenticator, err = loadGuest[gateway.Authenticator](ctx, ns, "AuthRaw", ns.AuthRaw); err != nil {
				return nil, fmt.Errorf("namespace %s: loading auth: %w", ns.Name, err)
			}
		}
		ns.GatewayRaw = ns.gatewayRaw()
		if n.Gateway, err = loadGuest[gateway.Gateway](ctx, ns, "GatewayRaw", ns.GatewayRaw); err != nil {
			return nil, fmt.Errorf("namespace %s: loading gateway: %w", ns.Name, err)
		}
		out = append(out, n)
	}
	return out, nil
}

// gatewayRaw are the gateway's settings, or the default.
func (ns *Namespace) gatewayRaw() json.RawMessage {
	if ns.GatewayRaw == nil {
		return json.RawMessage(`{"module":"webrtc"}`)
	}
	return ns.GatewayRaw
}

// loadGuest loads the module in a field of holder, as the interface that its
// namespace asks for; nothing when the field is not set.
func loadGuest[T any](ctx caddy.Context, holder any, field string, raw json.RawMessage) (guest T, err error) {
	if raw == nil {
		return guest, nil
	}
	v, err := ctx.LoadModule(holder, field)
	if err != nil {
		return guest, err
	}
	guest, ok := v.(T)
	if !ok {
		return guest, fmt.Errorf("module %T is no %T", v, new(T))
	}
	return guest, nil
}
