package caddymodule

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2"
)

// CORS says which web pages of other origins may use the server, and what
// browsers are told about it.
type CORS struct {
	// The further origins that are accepted, each of these forms:
	//
	//   - an origin, as browsers write it: `https://app.example.com`
	//   - `https://*.example.com`: any name below the domain, not the domain itself
	//   - `/regexp/`, which must match the whole origin
	//   - `*`: every origin but `null`
	//   - `null`, which sandboxed frames and local files send
	//
	// Placeholders are evaluated for each request, so that a `map` can decide
	// by any property of the request. They decide on both transports: browsers
	// send websocket handshakes across origins without asking. A refused
	// handshake is answered with 403.
	Origins []string `json:"origins,omitempty"`

	// Lets browsers send cookies and HTTP authentication along with polls from
	// other origins (`withCredentials` in the client). It cannot be used with
	// the origin `*`, which would open the users' sessions to every page.
	Credentials bool `json:"credentials,omitempty"`

	// The methods that preflights allow. Default: those the protocol needs, GET
	// and POST.
	Methods []string `json:"methods,omitempty"`

	// The request headers that preflights allow, such as those of the client
	// option `extraHeaders`. Default: those the browser asks for.
	AllowedHeaders []string `json:"allowed_headers,omitempty"`

	// The response headers that scripts may read. Default: none beyond those
	// that are always readable.
	ExposedHeaders []string `json:"exposed_headers,omitempty"`

	// How long browsers may remember a preflight's answer. Default: their own
	// choice, a few seconds.
	MaxAge caddy.Duration `json:"max_age,omitempty"`
}

// SessionCookie is a cookie that carries the id of the Engine.IO session, for
// load balancers that keep a client on one server by it.
type SessionCookie struct {
	// The cookie's name. Default: `io`.
	Name string `json:"name,omitempty"`

	// The path it is sent for. Default: `/`.
	Path string `json:"path,omitempty"`

	// The domain it is sent to. Default: the host that set it.
	Domain string `json:"domain,omitempty"`

	// How long it lives. Default: until the browser is closed.
	MaxAge caddy.Duration `json:"max_age,omitempty"`

	// Whether other sites' requests carry it: `lax`, `strict` or `none`, which
	// needs `secure`. Default: `lax`.
	SameSite string `json:"same_site,omitempty"`

	// Restricts it to HTTPS also where the request came over plain HTTP, as
	// behind a proxy that is not trusted. Default: only where it came over HTTPS.
	Secure bool `json:"secure,omitempty"`

	// Lets scripts read it. Default: false.
	ScriptAccess bool `json:"script_access,omitempty"`
}

// Limits bound what clients may take. Each has a default; a negative number
// lifts a limit, save for the send buffer's. Reaching one is counted in the metric
// `caddy_socketio_limits_reached_total`, and logged as "limit reached" once, then
// with a number every ten seconds.
type Limits struct {
	// How many Engine.IO sessions there may be. Further handshakes get 429.
	// Default: 100000.
	Connections int `json:"connections,omitempty"`

	// How many Engine.IO sessions one client address may have; IPv6 addresses
	// count by their /64. Default: 1000.
	ConnectionsPerIP int `json:"connections_per_ip,omitempty"`

	// How many Engine.IO sessions one client address may open over time.
	// Default: 50 a second, in bursts of 200.
	HandshakesPerIP *Rate `json:"handshakes_per_ip,omitempty"`

	// How many events a socket may send over time. Those beyond are answered
	// with the code `rate-limited`; a socket that stays over it for ten seconds
	// is closed. Default: 100 a second, in bursts of 1000.
	EventsPerSocket *Rate `json:"events_per_socket,omitempty"`

	// How many bytes of events a socket may send over time, attachments
	// included. Those beyond are answered with `rate-limited`, and a socket that
	// stays over it for ten seconds is closed. A single event may be larger
	// than the burst; the next then has to wait. Default: 5000000 a second,
	// more than most uplinks carry, in bursts of 20000000.
	BytesPerSocket *Rate `json:"bytes_per_socket,omitempty"`

	// How many Engine.IO sessions may be open that have not entered a namespace
	// yet, and so have shown no token. They have `connect_timeout` to do so.
	// Default: 10000.
	Unauthenticated int `json:"unauthenticated,omitempty"`

	// How many of those one client address may have. Default: 200.
	UnauthenticatedPerIP int `json:"unauthenticated_per_ip,omitempty"`

	// How many bytes may wait for one client. A client that reads so slowly
	// that more would wait is closed, so that no event is dropped silently. Not
	// below max_payload. Default: 1000000, or max_payload if that is more.
	SendBuffer int64 `json:"send_buffer,omitempty"`

	// How many rooms a socket may join. Default: 50.
	RoomsPerSocket int `json:"rooms_per_socket,omitempty"`

	// Client addresses and networks (CIDR) to which the limits per address do
	// not apply, such as an office or a load generator.
	Exempt []string `json:"exempt,omitempty"`
}

// Rate bounds events over time.
type Rate struct {
	// How many a second, on average; negative: without limit.
	PerSecond float64 `json:"per_second"`

	// How many at once. Default: one second's worth, at least 1.
	Burst int `json:"burst,omitempty"`
}

// Namespace is a Socket.IO namespace and its handlers.
type Namespace struct {
	// The name, with a leading slash, such as `/chat`. One that also ends with
	// a slash is a regular expression over the whole name, such as
	// `/^\/room-\d+$/`; each name it matches is a namespace of its own.
	Name string `json:"name"`

	// Who may enter, in place of the server-wide authenticator.
	AuthRaw json.RawMessage `json:"auth,omitempty" caddy:"namespace=http.handlers.socketio.auth inline_key=provider"`

	// The handlers of its events. Default: the `webrtc` gateway.
	GatewayRaw json.RawMessage `json:"gateway,omitempty" caddy:"namespace=http.handlers.socketio.gateways inline_key=module"`
}
