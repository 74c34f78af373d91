package engineio

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-socketio/caddy-socketio/internal/incidents"
)

// refusal is an answer in place of the one that was asked for. Codes and texts
// up to 5 are the reference server's.
type refusal struct {
	status  int
	code    int
	message string
	reason  string          // in logs and Stats
	limit   incidents.Limit // that refuses, if one does
}

var (
	errUnknownTransport = &refusal{400, 0, "Transport unknown", "unknown_transport", ""}
	errUnknownSession   = &refusal{400, 1, "Session ID unknown", "unknown_session", ""}
	errHandshakeMethod  = &refusal{400, 2, "Bad handshake method", "bad_method", ""}
	errBadRequest       = &refusal{400, 3, "Bad request", "bad_request", ""}
	errJSONP            = &refusal{400, 3, "JSONP polling is not supported", "jsonp", ""}
	errTimeout          = &refusal{408, 3, "Request timeout", "timeout", ""}
	errTooLarge         = &refusal{413, 3, "Payload too large", "too_large", incidents.MaxPayload}
	errForbidden        = &refusal{403, 4, "Forbidden", "origin", ""}
	errOtherUser        = &refusal{403, 4, "Forbidden", "other_user", ""}
	errVersion          = &refusal{400, 5, "Unsupported protocol version", "protocol_version", ""}
	errFull             = &refusal{429, 3, "Too many connections", "connections", incidents.Connections}
	errFullIP           = &refusal{429, 3, "Too many connections", "connections_per_ip", incidents.ConnectionsPerIP}
	errRate             = &refusal{429, 3, "Too many requests", "handshakes_per_ip", incidents.HandshakesPerIP}
	errFresh            = &refusal{429, 3, "Too many connections", "unauthenticated", incidents.Unauthenticated}
	errFreshIP          = &refusal{429, 3, "Too many connections", "unauthenticated_per_ip", incidents.UnauthenticatedPerIP}
	errDraining         = &refusal{503, 3, "Server shutting down", "draining", ""}
)

// refuse answers with a refusal, and logs it without anything secret: neither the
// query, which holds the id, nor cookies. The answer is given here rather than
// returned as an error, because whoever handles errors logs the address.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, c Client, e *refusal) {
	s.stats.refuse(e.reason)
	if e == errDraining {
		retryAfter(w, time.Second)
	}
	if r.Method == http.MethodPost { // those of others have been left
		s.leaveBody(w, r, unreadGrace)
	}
	s.logRefusal(r, c, e)
	body := append(strconv.AppendInt([]byte(`{"code":`), int64(e.code), 10), `,"message":"`+e.message+`"}`...)
	h := w.Header()
	h.Set("Content-Type", "application/json")
	Protect(h)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(e.status)
	_, _ = w.Write(body) //nolint:gosec // fixed texts; and there is nobody else to tell
}

// Protect sets the headers of every answer of ours, so that nobody but the client
// that asked makes anything of it: no cache, no page that embeds it or takes it for
// a script, and no other site that the address with the session's id is told to.
func Protect(h http.Header) {
	// Every poll and post has these: one array for the values, which no handler in
	// front may share, and keys that need no canonical form made of them.
	values := [...]string{
		"no-store", "nosniff", "default-src 'none'; frame-ancestors 'none'", "same-origin", "no-referrer",
	}
	for i, key := range [...]string{
		"Cache-Control", "X-Content-Type-Options", "Content-Security-Policy", "Cross-Origin-Resource-Policy", "Referrer-Policy",
	} {
		h[key] = values[i : i+1 : i+1]
	}
}

// logRefusal warns of limits, and of what a site's owner wants to hear of: a
// forgotten origin is the most usual fault of a first set-up, and a session that
// another user knows has been stolen. The rest are faults of clients.
func (s *Server) logRefusal(r *http.Request, c Client, e *refusal) {
	about := []zap.Field{
		zap.Stringer("remote_ip", c.IP),
		zap.String("transport", short(param(r.URL.RawQuery, "transport"))),
		zap.String("method", short(r.Method)),
		zap.String("origin", short(r.Header.Get("Origin"))),
	}
	if e.limit != "" {
		s.incidents().Limit(e.limit, about...)
	}
	if e == errForbidden || e == errOtherUser {
		s.incidents().Line(zap.WarnLevel, "connection refused", e.reason, about...)
		return
	}
	s.logger().Debug("connection refused", append(about, zap.String("reason", e.reason))...)
}

// short cuts what a client says, which may have the size of a whole request.
func short(s string) string {
	const longest = 256
	if len(s) > longest {
		return strings.ToValidUTF8(s[:longest], "") + "…"
	}
	return s
}

// retryAfter sets the header, rounded up to whole seconds.
func retryAfter(w http.ResponseWriter, d time.Duration) {
	seconds := max(1, int((d+time.Second-1)/time.Second))
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
}
