package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-socketio/caddy-socketio/internal/engineio"
)

func init() {
	caddy.RegisterModule(Health{})
	httpcaddyfile.RegisterHandlerDirective("socketio_health", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		health := new(Health)
		return health, health.UnmarshalCaddyfile(h.Dispenser)
	})
	httpcaddyfile.RegisterDirectiveOrder("socketio_health", httpcaddyfile.Before, "respond")
}

// Health tells load balancers whether to send clients here: it answers 200, and
// 503 from the moment one of this process's Socket.IO servers says goodbye to its
// clients. Give it a path by a matcher.
type Health struct{}

// CaddyModule returns the Caddy module information.
func (Health) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.socketio_health",
		New: func() caddy.Module { return new(Health) },
	}
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	socketio_health [<matcher>]
func (*Health) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume directive name
	if d.NextArg() {
		return d.Errf("socketio_health takes no argument %q beside a matcher; remove it", d.Val())
	}
	b := block{name: "socketio_health"}
	return b.parse(d)
}

// ServeHTTP answers for all servers of the process.
func (*Health) ServeHTTP(w http.ResponseWriter, _ *http.Request, _ caddyhttp.Handler) error {
	return writeHealth(w)
}

func writeHealth(w http.ResponseWriter) error {
	status, body := http.StatusOK, `{"status":"ok"}`
	if draining() {
		status, body = http.StatusServiceUnavailable, `{"status":"draining"}`
	}
	w.Header().Set("Content-Type", "application/json")
	engineio.Protect(w.Header())
	w.WriteHeader(status)
	_, err := w.Write([]byte(body))
	return err
}

// draining reports whether any server says goodbye.
func draining() bool {
	found := caddy.Exiting()
	hubs.Range(func(_, v any) bool {
		found = found || v.(pooled).Draining()
		return !found
	})
	return found
}

// Interface guards
var (
	_ caddyhttp.MiddlewareHandler = (*Health)(nil)
	_ caddyfile.Unmarshaler       = (*Health)(nil)
)
