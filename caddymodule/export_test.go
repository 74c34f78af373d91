package caddymodule

import (
	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-socketio/caddy-socketio/internal/hub"
)

// Servers tells tests which servers the pool holds, and how many configs hold
// each.
func Servers() map[string]int {
	held := map[string]int{}
	hubs.Range(func(name, _ any) bool {
		held[name.(string)], _ = hubs.References(name)
		return true
	})
	return held
}

// Generation is what a config says about a server.
func Generation(ctx caddy.Context, name string) *hub.Generation {
	app, err := ctx.AppIfConfigured(appName)
	if err != nil {
		return nil
	}
	return app.(*App).servers[name].generation
}
