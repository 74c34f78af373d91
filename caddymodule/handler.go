package caddymodule

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	_ "github.com/caddy-socketio/caddy-socketio/caddymodule/auth"   // the authenticators that every build has
	_ "github.com/caddy-socketio/caddy-socketio/caddymodule/webrtc" // the gateway that every build has
	"github.com/caddy-socketio/caddy-socketio/internal/engineio"
	"github.com/caddy-socketio/caddy-socketio/internal/hub"
	"github.com/caddy-socketio/caddy-socketio/internal/socketio"
)

func init() {
	caddy.RegisterModule(Handler{})
}

// Handler makes Caddy a Socket.IO server: it answers the requests of the path
// `/socket.io/` and passes all others on. Stock Socket.IO clients of every
// language connect to it. What happens to their events is up to gateways, which
// are modules too; without any configuration the namespace `/` is served by the
// `webrtc` gateway.
//
// Config reloads drop no client: new settings, authenticators and gateways apply
// to the connected ones.
type Handler struct {
	// The server's identity across config reloads. Handlers of the same name
	// share one server, with all its clients and rooms, and must have the same
	// settings, save for `path` and `serve_client`. Default: `default`.
	Name string `json:"name,omitempty"`

	// The path that clients connect to, the option `path` of the client. Only
	// this path is answered, with or without the last slash, and the files of
	// `serve_client` below it. Default: `/socket.io/`.
	Path string `json:"path,omitempty"`

	// The transports that clients may use. With `polling` alone, websocket
	// proxies and their timeouts are no concern; with `websocket` alone, load
	// balancers need no sticky sessions. Default: `polling` and `websocket`.
	Transports []string `json:"transports,omitempty"`

	// The time between two heartbeats. Shorter notices dead connections sooner
	// and costs more traffic. Default: 25s.
	PingInterval caddy.Duration `json:"ping_interval,omitempty"`

	// How long a client may take to answer a heartbeat before it counts as
	// gone. Default: 20s.
	PingTimeout caddy.Duration `json:"ping_timeout,omitempty"`

	// How long a new connection may take to enter its first namespace.
	// Default: 45s.
	ConnectTimeout caddy.Duration `json:"connect_timeout,omitempty"`

	// How long the upgrade from polling to websocket may take. Default: 10s.
	UpgradeTimeout caddy.Duration `json:"upgrade_timeout,omitempty"`

	// The largest message a client may send, and the largest body of a poll, in
	// bytes. The attachments of one event may have as much together. Larger ones
	// close the connection. Default: 1000000.
	MaxPayload int64 `json:"max_payload,omitempty"`

	// The size in bytes from which on the answers to polls are compressed, for
	// clients that accept it; negative: never. Default: 1024.
	Compression int64 `json:"compression,omitempty"`

	// The size in bytes from which on websocket messages are compressed. It
	// saves traffic at the price of much memory for each connection.
	// Default: 0, never.
	PermessageDeflate int64 `json:"permessage_deflate,omitempty"`

	// Lets clients of Socket.IO v2 (Engine.IO protocol 3) in. Default: false.
	AllowEIO3 bool `json:"allow_eio3,omitempty"`

	// Sets a cookie with the session's id, by which load balancers can keep a
	// client on one server. Default: no cookie.
	SessionCookie *SessionCookie `json:"session_cookie,omitempty"`

	// A directory with the files of the JavaScript client (the folder `dist` of
	// the npm package `socket.io-client`), which are then served below the
	// path: `socket.io.js`, `socket.io.min.js`, `socket.io.esm.min.js`,
	// `socket.io.msgpack.min.js` and their source maps. Default: none is served.
	ServeClient string `json:"serve_client,omitempty"`

	// How long after a lost connection a client can come back to the same
	// socket, with its id, rooms and data, and be sent what it missed.
	// Default: 0, never.
	Recovery caddy.Duration `json:"recovery,omitempty"`

	// The time over which the closes of connections are spread when the server
	// stops, so that the clients do not all return in the same moment. A stop
	// takes no longer than this. Default: 5s.
	Drain caddy.Duration `json:"drain,omitempty"`

	// Which pages of other origins may use the server. Default: none; pages of
	// the same origin, and clients that are no browsers, always may.
	CORS *CORS `json:"cors,omitempty"`

	// Who may enter the namespaces. Default: everybody.
	AuthRaw json.RawMessage `json:"auth,omitempty" caddy:"namespace=http.handlers.socketio.auth inline_key=provider"`

	// The cluster of nodes that serve the same namespaces to other clients.
	// Modules for it are built in with packages of their own. A reload that
	// changes its settings lets the namespaces leave the old cluster and join
	// the new one, without a client noticing; what is kept for recovery is
	// forgotten then. Default: none, there is one node.
	ClusterRaw json.RawMessage `json:"cluster,omitempty" caddy:"namespace=http.handlers.socketio.cluster inline_key=provider"`

	// What clients may take.
	Limits Limits `json:"limits,omitzero"`

	// The namespaces. Default: `/` with the `webrtc` gateway.
	Namespaces []*Namespace `json:"namespaces,omitempty"`

	hub     *hub.Hub
	keyOf   func(user any, header http.Header) string // see userKeys
	guarded bool                                      // some namespace has an authenticator
	path    string                                    // without the last slash
	files   *clientFiles
}

// CaddyModule returns the Caddy module information.
func (Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.socketio",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision joins the server of the handler's name, which the first handler of
// the name in a process makes, and the first one in each config configures.
func (h *Handler) Provision(ctx caddy.Context) error {
	h.applyDefaults()
	if err := h.check(); err != nil {
		return err
	}
	h.path = strings.TrimRight(h.Path, "/")
	if h.ServeClient != "" {
		dir, err := caddy.NewReplacer().ReplaceOrErr(h.ServeClient, true, true)
		if err != nil {
			return fmt.Errorf("serve_client: %w", err)
		}
		if h.files, err = openClientFiles(dir); err != nil {
			return err
		}
	}
	app, err := ctx.App(appName)
	if err != nil {
		return fmt.Errorf("getting the %s app: %w", appName, err)
	}
	s, err := app.(*App).claim(ctx, h)
	if err != nil {
		return err
	}
	h.hub, h.keyOf = s.hub, userKeys(identifiers(s.generation))
	h.guarded = slices.ContainsFunc(s.generation.Sockets.Namespaces, func(ns socketio.Namespace) bool {
		return ns.Authenticator != nil
	})
	h.drainOnExit(ctx)
	return nil
}

// drainOnExit has the hub say goodbye as soon as the HTTP server begins to stop:
// by default that waits for every poll, and so for ever. It is over before the
// config ends, and with it the gateways, whose handlers may still run.
func (h *Handler) drainOnExit(ctx caddy.Context) {
	srv, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return
	}
	live := h.hub
	srv.RegisterConnContext(engineio.ConnContext)
	srv.RegisterOnShutdown(func() {
		if caddy.Exiting() { // on a reload the server stops too
			live.Drain()
		}
	})
	srv.RegisterOnStop(func(context.Context) error {
		if caddy.Exiting() {
			return live.Stop()
		}
		return nil
	})
}

// Validate checks the settings.
func (h *Handler) Validate() error { return h.check() }

// ServeHTTP answers the requests of the server's path, and leaves all others to
// the next handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	rest, ok := strings.CutPrefix(r.URL.Path, h.path)
	switch {
	case !ok:
		return next.ServeHTTP(w, r)
	case rest == "" || rest == "/":
		h.serveEngine(w, r)
		return nil
	case h.files != nil && rest[0] == '/' && h.files.serve(w, r, rest[1:]):
		return nil
	}
	return next.ServeHTTP(w, r)
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.Validator             = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
