package engineio

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Session is one client's connection, over any transport. All methods may be
// called concurrently.
type Session struct {
	server *Server
	// Set by the handshake, never changed.
	id         string
	client     Client
	head       string // see packHead
	opened     time.Time
	interval   time.Duration // as told to the client
	timeout    time.Duration
	maxPayload int
	version    int8
	base64Only bool

	fresh bool // it has entered no namespace; the limiter's mu guards it

	// delivery is held while a packet is handled, so that a POST and a websocket
	// that takes over from polling do not deliver side by side.
	delivery sync.Mutex

	// mu guards the following fields. No call leaves the package with it held.
	mu       sync.Mutex
	state    state
	receiver Receiver // nil until accept has returned
	reason   string   // of the close, once there is one
	outbox   outbox
	received uint64 // bytes of packets
	beat     heartbeat

	// conn is the websocket in use, nil while polling. upgrading tells that one
	// is to take over: probe, once it is open; probed, once it is answered.
	conn, probe       *conn
	upgrading, probed bool
	// poll is the GET that waits for data; posting tells of a POST being read, and
	// nextPost is closed when it is the turn of the one that waits for that.
	poll     *poll
	posting  bool
	nextPost chan struct{}

	entered bool
	waiting chan struct{} // see entry; made when needed
}

type state uint8

const (
	stateOpen    state = iota
	stateLosing        // the client has given up a request; see forsake
	stateClosing       // the rest of the queue is being written
	stateClosed
)

// ID is the session's id, a credential that must not be logged.
func (s *Session) ID() string { return s.id }

// Protocol is the Engine.IO protocol version, 4 or 3.
func (s *Session) Protocol() int { return int(s.version) }

// MaxPayload bounds one message of the client, in bytes, as its handshake told it.
func (s *Session) MaxPayload() int { return s.maxPayload }

// Transport is the transport in use now: "polling" or "websocket".
func (s *Session) Transport() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.transport()
}

// transport must be called with mu held.
func (s *Session) transport() string {
	if s.conn != nil {
		return transportWebSocket
	}
	return transportPolling
}

// Entered tells that the client has been let into a namespace, from where on the
// limits of unauthenticated sessions do not count it. It may be called again.
func (s *Session) Entered() {
	s.server.limits.entered(s)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entered = true
	s.endWait()
}

// entry is closed once the client has entered a namespace, or the session has
// ended; nil if that has been.
func (s *Session) entry() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.entered || s.state != stateOpen {
		return nil
	}
	if s.waiting == nil {
		s.waiting = make(chan struct{})
	}
	return s.waiting
}

// endWait must be called with mu held.
func (s *Session) endWait() {
	if s.waiting != nil {
		close(s.waiting)
		s.waiting = nil
	}
}

// Client is the maker of the first request, without what ends with that
// request, or with the config: Opened, Served, KeepOpen and KeyOf.
func (s *Session) Client() Client { return s.client }

// Trace is that of the maker of the first request.
func (s *Session) Trace() any { return s.client.Trace }

// Label names the session in logs.
func (s *Session) Label() string { return Label(s.id) }

// Label is a name for the session of an id that is no credential: nobody gets the
// id from it, or the session by it.
func Label(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:6])
}

// Bytes is how much came from the client and was queued for it, as packets.
func (s *Session) Bytes() (in, out uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.received, s.outbox.total
}

// user is who the receiver says that its client is.
func (s *Session) user() string {
	if r, ok := s.told().(UserReceiver); ok {
		return r.User()
	}
	return ""
}

// admits asks the receiver whether a request is its client's own.
func (s *Session) admits(r *http.Request, websocket bool) bool {
	guard, ok := s.told().(RequestReceiver)
	return !ok || guard.Admits(r, websocket)
}

// sameUser reports whether the front names the user of the first request for a
// further one, by the key that it had then or would have now.
func (s *Session) sameUser(c *Client) bool {
	return s.client.UserKey == c.UserKey || c.KeyOf != nil && c.KeyOf(s.client.User, s.Header()) == c.UserKey
}

// told is the receiver, nil until there is one.
func (s *Session) told() Receiver {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.receiver
}

// Header are the headers of the first request, without those that concern only
// its connection. They are decoded on each call.
func (s *Session) Header() http.Header {
	_, lines, _ := strings.Cut(s.head, "\n")
	h := http.Header{}
	for line := range strings.Lines(lines) {
		if k, v, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ":"); ok {
			h[k] = append(h[k], v)
		}
	}
	return h
}

// Query is the query of the first request, decoded on each call. What of it is
// malformed is left out.
func (s *Session) Query() url.Values {
	query, _, _ := strings.Cut(s.head, "\n")
	values, _ := url.ParseQuery(query)
	return values
}

// Opened is when the session was opened.
func (s *Session) Opened() time.Time { return s.opened }

// Closed reports whether the session takes no more messages of its client.
func (s *Session) Closed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state >= stateClosing
}

// packHead keeps query and headers in one string, a quarter of the size of the
// maps: the query, then lines of "Key:value".
func packHead(r *http.Request) string {
	var b strings.Builder
	b.WriteString(strings.ReplaceAll(r.URL.RawQuery, "\n", ""))
	b.WriteByte('\n')
	for k, values := range r.Header {
		switch k {
		case "Connection", "Upgrade", "Sec-Websocket-Key", "Sec-Websocket-Extensions", "Sec-Websocket-Version", ":protocol":
			continue
		}
		for _, v := range values {
			b.WriteString(k)
			b.WriteByte(':')
			b.WriteString(v)
			b.WriteByte('\n')
		}
	}
	return strings.Clone(b.String())
}
