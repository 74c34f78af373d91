package caddymodule

import (
	"net/http"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
	"github.com/caddy-socketio/caddy-socketio/internal/engineio"
	"github.com/caddy-socketio/caddy-socketio/internal/hub"
)

// serveEngine hands a request to the server, with what Caddy knows of its maker.
func (h *Handler) serveEngine(w http.ResponseWriter, r *http.Request) {
	c := client(r)
	c.KeyOf = h.keyOf
	c.UserKey = c.KeyOf(c.User, r.Header)
	// Without a log the fields would cost a poll a twelfth of its memory.
	if hasAccessLog(r) {
		c.Served = func(user string) { logUser(r, user) }
		c.AwaitEntry = h.guarded && c.UserKey == ""
		logFields(r, &c)
	}
	defer spans.handshake(r, &c)()
	h.hub.ServeHTTP(w, r, c)
}

// userKeys returns what makes the key of a request's user: of the one whom Caddy's
// handlers found, and of what each identifier reads in the headers, "" if nobody
// names one. No two requests whose users differ in any of these have the same.
func userKeys(all []gateway.RequestIdentifier) func(user any, header http.Header) string {
	return func(user any, header http.Header) string {
		known := ""
		if id, ok := user.(*gateway.Identity); ok {
			known = id.ID
		}
		key, named := known, known != ""
		for _, one := range all {
			more := one.RequestUser(header)
			key += "\x00" + more // no header's value has that byte
			named = named || more != ""
		}
		if !named {
			return ""
		}
		return key
	}
}

// identifiers are the authenticators of a generation that know a request's user.
func identifiers(g *hub.Generation) (out []gateway.RequestIdentifier) {
	for _, ns := range g.Sockets.Namespaces {
		if one, ok := ns.Authenticator.(gateway.RequestIdentifier); ok && !(reflect.TypeOf(one).Comparable() && slices.Contains(out, one)) {
			out = append(out, one)
		}
	}
	return out
}

// client describes the maker of a request. Forwarding headers count only when a
// trusted proxy sent them.
func client(r *http.Request) engineio.Client {
	c := engineio.Client{IP: clientIP(r), Secure: r.TLS != nil, Host: r.Host}
	if trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool); trusted {
		if proto := forwarded(r, "X-Forwarded-Proto"); proto != "" {
			c.Secure = strings.EqualFold(proto, "https") || strings.EqualFold(proto, "wss")
		}
		if host := forwarded(r, "X-Forwarded-Host"); host != "" {
			c.Host = host
		}
	}
	if id := identity(r); id != nil {
		c.User = id
	}
	if reader, writer := caddyhttp.IdleTimeoutsFromContext(r.Context()); reader != nil || writer != nil {
		c.KeepOpen = func() func() { return keepOpen(reader, writer) }
	}
	return c
}

// forever takes the place of the idle timeouts of a request that is a websocket;
// heartbeats end that when the client is gone. Zero would expire at once.
const forever = 10 * 365 * 24 * time.Hour

// keepOpen lifts the timeouts on the idle and on the whole request, as a websocket
// of HTTP/1.1 leaves them behind with the request.
func keepOpen(reader *caddyhttp.IdleTimeoutReader, writer *caddyhttp.IdleTimeoutWriter) (restore func()) {
	var undo []func()
	if reader != nil {
		reader.Deadline.HardDeadline = time.Time{}
		undo = append(undo, reader.Override(forever, 0))
	}
	if writer != nil {
		writer.Deadline.HardDeadline = time.Time{}
		undo = append(undo, writer.Override(forever, 0, 0))
	}
	return func() {
		for _, one := range undo {
			one()
		}
	}
}

func clientIP(r *http.Request) netip.Addr {
	ip, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	if addr, err := netip.ParseAddr(ip); err == nil {
		return addr.Unmap()
	}
	if addr, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		return addr.Addr().Unmap()
	}
	return netip.Addr{}
}

// forwarded is what the trusted proxy says in a header: its last line, as for
// Caddy's own reverse_proxy, since a proxy that adds a line leaves the client's in
// front. Of several values in that line the first is about the client's request.
func forwarded(r *http.Request, header string) string {
	lines := r.Header.Values(header)
	if len(lines) == 0 {
		return ""
	}
	first, _, _ := strings.Cut(lines[len(lines)-1], ",")
	return strings.TrimSpace(first)
}

// userKey is where Caddy's authentication handlers put the user's id, which the
// access log has as `user_id`.
const userKey = "http.auth.user.id"

// userFacts are what authentication handlers commonly tell about a user: Caddy's
// replacer can be asked for a fact, but not for all there are. The README has them.
var userFacts = [...]string{"name", "username", "email", "role", "roles", "groups", "realm", "sub"}

// identity is the user whom Caddy's own authentication handlers found, nil
// without one.
func identity(r *http.Request) *gateway.Identity {
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return nil
	}
	user, _ := repl.GetString(userKey)
	if user == "" {
		return nil
	}
	id := &gateway.Identity{ID: user, Claims: map[string]any{}}
	for _, fact := range userFacts {
		if v, ok := repl.GetString("http.auth.user." + fact); ok && v != "" {
			id.Claims[fact] = v
		}
	}
	id.Name, _ = id.Claims["name"].(string)
	id.Role, _ = id.Claims["role"].(string)
	return id
}

// sessionLabel is a session's id, of which the log gets the label, if it is
// written at all.
type sessionLabel string

func (id sessionLabel) String() string { return engineio.Label(string(id)) }

// logFields adds to Caddy's access log what the request was. The session's id is
// a credential and never among it.
func logFields(r *http.Request, c *engineio.Client) {
	extra, ok := r.Context().Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields)
	if !ok {
		return
	}
	transport, id := engineio.Asked(r)
	if transport != "" {
		extra.Add(zap.String("socketio_transport", transport))
	}
	label := func(id string) { extra.Add(zap.Stringer("socketio_session", sessionLabel(id))) }
	if id == "" {
		c.Opened = label
	} else {
		label(id)
	}
}

// hasAccessLog reports whether somebody may read what is logged of the request.
func hasAccessLog(r *http.Request) bool {
	srv, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	return ok && srv.Logs != nil
}

// logUser makes the user of a session the access log's `user_id`, where Caddy's
// own handlers have named none.
func logUser(r *http.Request, user string) {
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok || user == "" {
		return
	}
	if known, _ := repl.GetString(userKey); known == "" {
		repl.Set(userKey, user)
	}
}
