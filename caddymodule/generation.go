package caddymodule

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
	"github.com/caddy-socketio/caddy-socketio/internal/engineio"
	"github.com/caddy-socketio/caddy-socketio/internal/hub"
	"github.com/caddy-socketio/caddy-socketio/internal/socketio"
)

// generation translates the settings, and loads the guest modules. The defaults
// have been applied.
func (h *Handler) generation(ctx caddy.Context) (*hub.Generation, error) {
	logger := ctx.Logger().With(zap.String("name", h.Name))
	namespaces, err := h.loadNamespaces(ctx)
	if err != nil {
		return nil, err
	}
	cluster, err := loadGuest[gateway.Cluster](ctx, h, "ClusterRaw", h.ClusterRaw)
	if err != nil {
		return nil, fmt.Errorf("loading cluster: %w", err)
	}
	engine, err := h.engineSettings(ctx, logger)
	if err != nil {
		return nil, err
	}
	events, bytes := h.Limits.EventsPerSocket, h.Limits.BytesPerSocket
	return &hub.Generation{
		Engine: engine,
		Sockets: socketio.Settings{
			Name:           h.Name,
			Namespaces:     namespaces,
			ConnectTimeout: time.Duration(h.ConnectTimeout),
			MaxPayload:     int(h.MaxPayload),
			Recovery:       time.Duration(h.Recovery),
			// What a client has missed is sent in one go, beside what is new.
			RecoverySession: int(h.Limits.SendBuffer / 2),
			EventRate:       rate.Limit(max(0, events.PerSecond)),
			EventBurst:      events.Burst,
			Cluster:         cluster,
			ByteRate:        rate.Limit(max(0, bytes.PerSecond)),
			ByteBurst:       bytes.Burst,
			RoomsPerSocket:  orUnlimited(h.Limits.RoomsPerSocket),
			Logger:          logger,
			Trace:           spans.event,
		},
		Drain:  time.Duration(h.Drain),
		Logger: logger,
		Notify: notify(ctx),
	}, nil
}

// notify emits Caddy events, for as long as the config of ctx is the current one:
// its handlers end with it.
func notify(ctx caddy.Context) func(string, map[string]any) {
	app, err := ctx.AppIfConfigured("events")
	if err != nil {
		return nil
	}
	events := app.(*caddyevents.App)
	return func(event string, data map[string]any) {
		if ctx.Err() == nil && events.ShouldEmit(event) {
			events.Emit(ctx, event, data)
		}
	}
}

func (h *Handler) engineSettings(ctx caddy.Context, logger *zap.Logger) (engineio.Settings, error) {
	l := h.Limits
	s := engineio.Settings{
		Polling:           slices.Contains(h.Transports, "polling"),
		WebSocket:         slices.Contains(h.Transports, "websocket"),
		PingInterval:      time.Duration(h.PingInterval),
		PingTimeout:       time.Duration(h.PingTimeout),
		UpgradeTimeout:    time.Duration(h.UpgradeTimeout),
		MaxPayload:        int(h.MaxPayload),
		Compression:       int(h.Compression),
		PerMessageDeflate: int(h.PermessageDeflate),
		AllowEIO3:         h.AllowEIO3,
		PollLimit:         pollLimit(ctx),
		Limits: engineio.Limits{
			Connections:      max(0, l.Connections),
			ConnectionsPerIP: max(0, l.ConnectionsPerIP),
			HandshakeRate:    rate.Limit(max(0, l.HandshakesPerIP.PerSecond)),
			HandshakeBurst:   l.HandshakesPerIP.Burst,
			SendBuffer:       int(l.SendBuffer),

			Unauthenticated:      max(0, l.Unauthenticated),
			UnauthenticatedPerIP: max(0, l.UnauthenticatedPerIP),
		},
		Logger: logger,
	}
	if h.SessionCookie != nil {
		s.Cookie = h.cookie("")
	}
	var err error
	if s.Limits.Exempt, err = l.exempt(); err != nil {
		return s, err
	}
	s.CORS, err = h.CORS.settings()
	return s, err
}

// settings translates the options; placeholders are left to each request.
func (c *CORS) settings() (*engineio.CORS, error) {
	if c == nil {
		return nil, nil
	}
	out := &engineio.CORS{
		Credentials:    c.Credentials,
		Methods:        c.Methods,
		AllowedHeaders: c.AllowedHeaders,
		ExposedHeaders: c.ExposedHeaders,
		MaxAge:         time.Duration(c.MaxAge),
		Expand:         expand,
	}
	for _, o := range c.Origins {
		p, err := engineio.ParseOrigin(o)
		if err != nil {
			return nil, wrong("cors origins", "%v", err)
		}
		out.Origins = append(out.Origins, p)
	}
	return out, nil
}

func expand(r *http.Request, s string) string {
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return ""
	}
	return repl.ReplaceAll(s, "")
}

// pollLimit is how long a poll may wait, so that it is answered before the write
// timeout of any of the config's servers, which would lose the answer without a
// word: handlers of one name may stand in several.
func pollLimit(ctx caddy.Context) time.Duration {
	app, err := ctx.AppIfConfigured("http")
	if err != nil {
		return 0
	}
	shortest := time.Duration(0)
	for _, server := range app.(*caddyhttp.App).Servers {
		if t := time.Duration(server.WriteTimeout); t > 0 && (shortest == 0 || t < shortest) {
			shortest = t
		}
	}
	return shortest - min(shortest/2, 5*time.Second)
}

// orUnlimited turns a lifted limit into one that nobody reaches, where zero
// stands for a default.
func orUnlimited(n int) int {
	if n < 0 {
		return 1 << 30
	}
	return n
}
