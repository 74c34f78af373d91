package engineio

import (
	"net/http"
	"net/netip"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/caddy-socketio/caddy-socketio/internal/incidents"
)

// Settings are the settings of a [Server], replaced as a whole by
// [Server.Configure]. They must not be changed after they were given to it. A
// zero duration or size takes the default that is named at the field.
type Settings struct {
	// Polling and WebSocket are the transports that clients may use.
	Polling, WebSocket bool
	// PingInterval is the time between two pings. Default: 25s.
	PingInterval time.Duration
	// PingTimeout is how long an answer to a ping may take. Default: 20s.
	PingTimeout time.Duration
	// UpgradeTimeout bounds the probe of a websocket that is to take over from
	// polling. Default: 10s.
	UpgradeTimeout time.Duration
	// MaxPayload bounds one message and one POST body, in bytes. Default: 1e6.
	MaxPayload int
	// Compression is the size from which on the body of a poll's answer is
	// compressed, if the client accepts that; negative: never. Default: 1024.
	Compression int
	// PerMessageDeflate is the size from which on websocket messages are
	// compressed; zero or negative: the extension is not negotiated.
	PerMessageDeflate int
	// AllowEIO3 lets clients of protocol version 3 (Socket.IO v2) in.
	AllowEIO3 bool
	// Cookie is the template of the cookie that keeps a client on one server
	// behind a load balancer; its value becomes the session's id. Nil: none.
	Cookie *http.Cookie
	// CORS admits further origins. Nil: the same origin only.
	CORS *CORS
	// PollLimit is how long a poll may wait before it is answered with NOOP, so
	// that the answer comes before the front's own write timeout. 0: no limit.
	PollLimit time.Duration
	// WriteTimeout bounds one write to a client. Default: 30s.
	WriteTimeout time.Duration
	// Limits bound what clients may take.
	Limits Limits
	// Incidents counts and logs limits and refusals. Nil: one that writes to
	// Logger.
	Incidents *incidents.Book
	// Logger gets what ends sessions and requests otherwise. Nil: no logs.
	Logger *zap.Logger
}

// Limits bound what clients may take. Zero means no limit, save for SendBuffer.
type Limits struct {
	// Connections bounds the sessions of the server.
	Connections int
	// ConnectionsPerIP bounds the sessions of one address (IPv6: of one /64).
	ConnectionsPerIP int
	// HandshakeRate and HandshakeBurst bound the new sessions of one address
	// (IPv6: of one /64), per second.
	HandshakeRate  rate.Limit
	HandshakeBurst int
	// Unauthenticated bounds the sessions of the server that have entered no
	// namespace yet, UnauthenticatedPerIP those of one address.
	Unauthenticated, UnauthenticatedPerIP int
	// SendBuffer bounds what waits for one client, in bytes. Default: 1e6.
	SendBuffer int
	// Exempt are the addresses to which the limits per address do not apply.
	Exempt []netip.Prefix
}

// Client is what the HTTP server in front knows about the maker of a request.
type Client struct {
	// IP is the client's address, past any trusted proxies.
	IP netip.Addr
	// Secure reports TLS, on this connection or, as a trusted proxy tells, on
	// the client's.
	Secure bool
	// Host is the host, and port if any, that the client asked for. Default:
	// the request's.
	Host string
	// User is the identity that the front's own authentication found. It is
	// opaque here.
	User any
	// UserKey must be equal on all requests of a session, "" standing for
	// anonymous; others get 403.
	UserKey string
	// KeyOf makes a UserKey of a request's User and headers, as the front does it
	// now: after a reload the key of a session's first request may be another one,
	// which does not make another user of its client. Nil: keys never change.
	KeyOf func(user any, header http.Header) string
	// Trace is the trace that the request belongs to, if its events are to be
	// traced. It is opaque here. Nil: they are not.
	Trace any
	// Opened is told the id of the session that the request opens, a credential,
	// before ServeHTTP returns. Nil: nobody is.
	Opened func(id string)
	// KeepOpen lifts the front's timeouts on reading the request's body and on
	// writing its response, for a websocket inside an HTTP/2 or HTTP/3 stream,
	// before anything is read or written; it is undone by the returned function,
	// when nothing is any more. Nil: there are none to lift.
	KeepOpen func() (restore func())
	// AwaitEntry has the request of a websocket last until its session has
	// entered a namespace or ended, for Served to tell the user. Otherwise a
	// hijacked one ends at once, which saves its memory until then.
	AwaitEntry bool
	// Served is called at the end of a request that belongs to a session, with
	// the session's user if its receiver knows one ([UserReceiver]). Nil: nobody
	// wants to know.
	Served func(user string)
}

// withDefaults is a copy of s with every default filled in.
func (s *Settings) withDefaults() *Settings {
	c := *s
	orDefault(&c.PingInterval, 25*time.Second)
	orDefault(&c.PingTimeout, 20*time.Second)
	orDefault(&c.UpgradeTimeout, 10*time.Second)
	orDefault(&c.WriteTimeout, 30*time.Second)
	orDefault(&c.MaxPayload, 1e6)
	orDefault(&c.Compression, 1024)
	orDefault(&c.Limits.SendBuffer, 1e6)
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	if c.Incidents == nil {
		c.Incidents = incidents.New(func() *zap.Logger { return c.Logger })
	}
	return &c
}

func orDefault[T time.Duration | int](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}
