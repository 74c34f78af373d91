package caddymodule_test

import (
	"net/http"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/caddytest"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// site wraps the directives of a site in what every test's Caddy needs.
func site(directives string) string {
	return "{\nadmin localhost:2999\nskip_install_trust\nhttp_port 9080\nhttps_port 9443\ngrace_period 1ns\norder watched first\n}\n" +
		"http://localhost:9080 {\n" + directives + "\nwatched\n}\n"
}

// serve runs Caddy with a site; a second call is a reload.
func serve(t *testing.T, directives string) {
	t.Helper()
	serveText(t, site(directives))
}

func serveText(t *testing.T, text string) {
	t.Helper()
	replaced(func() { caddytest.NewTester(t).InitServer(text, "caddyfile") })
}

// force loads a site as `caddy reload --force` does.
func force(t *testing.T, directives string) {
	t.Helper()
	config, err := adapt(t, site(directives))
	if err != nil {
		t.Fatal(err)
	}
	load(t, config)
}

// load loads a config as `caddy reload --force` does.
func load(t *testing.T, config []byte) {
	t.Helper()
	replaced(func() {
		if err := caddy.Load(config, true); err != nil {
			t.Fatal(err)
		}
	})
}

// watched is a handler that passes everything on, and knows when the server that
// it is in takes no more connections.
type watched struct {
	ctx    caddy.Context
	closed chan struct{}
}

// The last one that was provisioned, and that of the running config. Configs are
// loaded one after the other.
var provisioned, running *watched

// replaced waits, after a load, until the server before it takes no more
// connections: Caddy goes on earlier, and answers nothing on those that it took in
// that moment.
func replaced(load func()) {
	old := running
	load()
	if running = provisioned; old != nil && old != running {
		<-old.closed
	}
}

func init() {
	caddy.RegisterModule(new(watched))
	httpcaddyfile.RegisterHandlerDirective("watched", func(httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		return new(watched), nil
	})
}

func (*watched) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.watched", New: func() caddy.Module { return new(watched) }}
}

func (w *watched) Provision(ctx caddy.Context) error {
	w.ctx, w.closed = ctx, make(chan struct{})
	ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server).RegisterOnShutdown(func() { close(w.closed) })
	provisioned = w
	return nil
}

func (*watched) UnmarshalCaddyfile(*caddyfile.Dispenser) error { return nil }

func (*watched) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	return next.ServeHTTP(w, r)
}
