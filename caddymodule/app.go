package caddymodule

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-socketio/caddy-socketio/internal/hub"
)

const appName = "socketio"

func init() { caddy.RegisterModule(App{}) }

// App keeps, for one config, what the handlers of each name have in common. It
// has no settings and needs no mention in a config: the handlers bring it.
//
// Its methods are called one at a time, by Caddy while it loads or ends a config.
type App struct {
	servers map[string]*server
}

// server is a named server in one config.
type server struct {
	name       string
	settings   []byte // by which handlers of the same name are compared
	place      string // of the first handler
	paths      []string
	transports []string
	hub        *hub.Hub
	generation *hub.Generation
}

// CaddyModule returns the Caddy module information.
func (App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: appName, New: func() caddy.Module { return new(App) }}
}

// Provision waits for the config to be live.
func (a *App) Provision(ctx caddy.Context) error {
	a.servers = map[string]*server{}
	events, err := ctx.App("events")
	if err != nil {
		return fmt.Errorf("getting the events app: %w", err)
	}
	return events.(*caddyevents.App).On("started", a)
}

// claim adds a handler to the server of its name, which it returns.
func (a *App) claim(ctx caddy.Context, h *Handler) (*server, error) {
	settings, err := h.shared()
	if err != nil {
		return nil, err
	}
	at := handlerPlace(ctx, h)
	s := a.servers[h.Name]
	switch {
	case s == nil:
		if s, err = a.open(ctx, h); err != nil {
			return nil, err
		}
		s.settings, s.place = settings, at
	case !bytes.Equal(s.settings, settings):
		return nil, fmt.Errorf("name: %q has different settings in two places, %s and %s; "+
			"give both the same settings, or different names", h.Name, s.place, at)
	}
	s.paths = append(s.paths, h.Path)
	return s, nil
}

// open takes the hub of a name from the pool, where the first config makes it.
func (a *App) open(ctx caddy.Context, h *Handler) (*server, error) {
	g, err := h.generation(ctx)
	if err != nil {
		return nil, err
	}
	live, err := acquire(h.Name, g)
	if err != nil {
		return nil, fmt.Errorf("starting server %q: %w", h.Name, err)
	}
	// From here on Cleanup gives it back, whatever else may fail.
	s := &server{name: h.Name, transports: h.Transports, hub: live, generation: g}
	a.servers[h.Name] = s
	// The collectors are the hub's, so that counts survive this config.
	if err := ctx.GetMetricsRegistry().Register(live); err != nil {
		return nil, fmt.Errorf("registering metrics of server %q: %w", h.Name, err)
	}
	return s, nil
}

// shared are the settings in which handlers of one name must agree, as JSON:
// all that the name's server is made of. The defaults have been applied.
func (h *Handler) shared() ([]byte, error) {
	c := *h
	c.Path, c.ServeClient = "", ""
	c.Transports = slices.Sorted(slices.Values(h.Transports))
	c.AuthRaw, c.ClusterRaw = canonical(h.AuthRaw), canonical(h.ClusterRaw)
	c.Namespaces = nil
	for _, ns := range h.Namespaces {
		c.Namespaces = append(c.Namespaces, &Namespace{ns.Name, canonical(ns.AuthRaw), canonical(ns.gatewayRaw())})
	}
	return json.Marshal(&c)
}

// canonical gives a guest's settings the same form for the same meaning: without
// spaces, and with the keys sorted.
func canonical(raw json.RawMessage) json.RawMessage {
	if raw == nil {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return raw // as it is: loading the guest tells what is wrong
	}
	out, err := json.Marshal(v)
	if err != nil {
		return raw
	}
	return out
}

// handlerPlace says where a handler is in a config, in words.
func handlerPlace(ctx caddy.Context, h *Handler) string {
	at := "path " + h.Path
	if srv, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); ok {
		at += " in server " + srv.Name() + " (" + strings.Join(srv.Listen, ", ") + ")"
	}
	return at
}

// Start does nothing: the servers go live with the whole config.
func (a *App) Start() error { return nil }

// Stop does nothing: Cleanup also follows a config that failed to start.
func (a *App) Stop() error { return nil }

// Handle implements caddyevents.Handler: with "started" the whole config is live,
// and the servers take over its generation.
func (a *App) Handle(context.Context, caddy.Event) error {
	var errs []error
	for _, s := range a.servers {
		if err := s.hub.Push(s.generation); err != nil {
			errs = append(errs, fmt.Errorf("server %q keeps its earlier settings: %w", s.name, err))
			continue
		}
		s.ready()
	}
	return errors.Join(errs...)
}

func (s *server) ready() {
	var namespaces []string
	for _, ns := range s.generation.Sockets.Namespaces {
		namespaces = append(namespaces, ns.Name)
	}
	s.generation.Logger.Info("socketio server ready", zap.Strings("paths", s.paths),
		zap.Strings("namespaces", namespaces), zap.Strings("transports", s.transports))
}

// Cleanup lets the servers go: to the config that follows, or to their end.
func (a *App) Cleanup() error {
	var errs []error
	for _, s := range a.servers {
		// In this order a server at its end still knows how long to drain.
		errs = append(errs, release(s.name))
		if err := s.hub.Drop(s.generation); err != nil {
			errs = append(errs, fmt.Errorf("server %q: %w", s.name, err))
		}
	}
	a.servers = nil
	return errors.Join(errs...)
}

// Interface guards
var (
	_ caddy.App           = (*App)(nil)
	_ caddy.Provisioner   = (*App)(nil)
	_ caddy.CleanerUpper  = (*App)(nil)
	_ caddyevents.Handler = (*App)(nil)
)
