package engineio

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-socketio/caddy-socketio/internal/incidents"
)

const (
	transportPolling   = "polling"
	transportWebSocket = "websocket"
)

// Server serves Engine.IO. All methods may be called concurrently.
type Server struct {
	accept   func(*Session) Receiver
	settings atomic.Pointer[Settings]
	epoch    time.Time
	stats    stats
	writers  *workers
	flusher  flusher
	limits   limiter
	telling  sync.WaitGroup // receivers that are being told of a close
	requests requests

	mu       sync.RWMutex // guards the following fields
	sessions map[string]*Session
	// conns are the websockets, including those whose session has ended.
	conns    map[*conn]struct{}
	draining bool
	refusing bool          // new sessions; a drain is about to begin
	idle     chan struct{} // closed when a drain has nothing left
}

// Receiver gets what a session's client sends.
type Receiver interface {
	// Receive is called for each message, by one goroutine at a time, in
	// order. data is valid only during the call. It may block; the session
	// reads no further then, and in place of answering pings the client has to
	// take them: a websocket that is lost ends with a failed write, a session
	// that polls without a poll for PingTimeout. An error closes the session
	// with the reason "parse error".
	Receive(data []byte, binary bool) error
	// Closed is called exactly once, in a goroutine of its own. No Receive
	// begins afterwards, but one may still be running. reason is one of the
	// reference server's: "transport close", "transport error", "ping
	// timeout", "parse error", "server shutting down", or what was given to
	// Close.
	Closed(reason string)
}

// UserReceiver is a receiver that learns who its client is.
type UserReceiver interface {
	Receiver
	// User is the user's id, "" while there is none.
	User() string
}

// RequestReceiver is a receiver that has a say in who may use its session.
type RequestReceiver interface {
	Receiver
	// Admits reports whether a further request of the session, one for a
	// websocket or not, is its client's own; another gets 403.
	Admits(r *http.Request, websocket bool) bool
}

// NewServer makes a server. accept is called for each new session before its
// OPEN packet is written, so that the receiver is there for the first message; it
// must not block. It may call Send and Close on the session. Returning nil refuses
// the session.
func NewServer(s *Settings, accept func(*Session) Receiver) *Server {
	srv := &Server{
		accept:   accept,
		epoch:    time.Now(),
		writers:  newWorkers(),
		sessions: map[string]*Session{},
		conns:    map[*conn]struct{}{},
	}
	srv.Configure(s)
	return srv
}

// Configure replaces the settings. Live sessions take them over, save for what
// their handshake told the client: the heartbeat's times and the payload's bound.
func (s *Server) Configure(settings *Settings) { s.settings.Store(settings.withDefaults()) }

func (s *Server) logger() *zap.Logger { return s.settings.Load().Logger }

func (s *Server) incidents() *incidents.Book { return s.settings.Load().Incidents }

// now is the time on the clock that deadlines are kept in.
func (s *Server) now() time.Duration { return time.Since(s.epoch) }

// Len is the number of live sessions.
func (s *Server) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.sessions)
}

// Session returns the live session of an id, or nil.
func (s *Server) Session(id string) *Session {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.sessions[id]
}

// Range calls f for each session that is live at the call, until f returns false.
func (s *Server) Range(f func(*Session) bool) {
	for _, one := range s.all() {
		if !f(one) {
			return
		}
	}
}

// all is a copy, so that what is done with the sessions may take their locks and
// end them.
func (s *Server) all() []*Session {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := make([]*Session, 0, len(s.sessions))
	for _, one := range s.sessions {
		all = append(all, one)
	}
	return all
}

// remove takes a session that has ended off the registry.
func (s *Server) remove(one *Session) {
	// Only who took it off the registry gives its place back.
	s.mu.Lock()
	_, live := s.sessions[one.id]
	delete(s.sessions, one.id)
	s.signalIdle()
	s.mu.Unlock()
	if live {
		s.limits.release(one)
	}
}

// ServeHTTP answers one Engine.IO request, whose path the caller has matched,
// preflights included.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request, c Client) {
	settings := s.settings.Load()
	if r.Method != http.MethodPost {
		s.leaveBody(w, r, unreadGrace) // nobody reads one
	}
	if c.Host == "" {
		c.Host = r.Host
	}
	if !settings.CORS.admit(w.Header(), r, c) {
		s.refuse(w, r, c, errForbidden)
		return
	}
	if r.Method == http.MethodOptions {
		settings.CORS.preflight(w, r)
		return
	}
	if refused := s.route(w, r, c, settings); refused != nil {
		s.refuse(w, r, c, refused)
	}
}

// route checks a request in the reference server's order, so that one with several
// faults gets the same answer, and serves it.
func (s *Server) route(w http.ResponseWriter, r *http.Request, c Client, settings *Settings) *refusal {
	query := r.URL.RawQuery
	transport := param(query, "transport")
	switch {
	// A reload that takes polling away leaves it to the sessions that live on it.
	case transport == transportPolling && (settings.Polling || s.Session(param(query, "sid")) != nil):
		if hasParam(query, "j") {
			return errJSONP
		}
	case transport == transportWebSocket && settings.WebSocket:
	default:
		return errUnknownTransport
	}
	// Only "4" is 4, whatever else stands there.
	version := 3 // the reference server's default
	if param(query, "EIO") == "4" {
		version = 4
	}
	upgrade := isWebSocket(r)
	if sid := param(query, "sid"); sid != "" {
		one := s.Session(sid)
		switch {
		case one == nil:
			return errUnknownSession
		// The id alone is not enough where the front knows its users: a stolen or
		// leaked one must not work from another account.
		case !one.sameUser(&c):
			return errOtherUser
		case one.Protocol() != version, upgrade != (transport == transportWebSocket):
			return errBadRequest
		case !one.admits(r, upgrade):
			return errOtherUser
		}
		return s.serveSession(w, r, c, one, upgrade)
	}
	switch {
	case r.Method != http.MethodGet && !upgrade:
		return errHandshakeMethod
	case upgrade != (transport == transportWebSocket):
		return errBadRequest
	case version == 3 && !settings.AllowEIO3:
		return errVersion
	}
	return s.handshake(w, r, c, settings, version)
}

// serveSession serves a request with a session's id.
func (s *Server) serveSession(w http.ResponseWriter, r *http.Request, c Client, one *Session, upgrade bool) *refusal {
	if c.Served != nil {
		defer func() { c.Served(one.user()) }()
	}
	s.requests.add(w, r)
	defer s.requests.remove(r)
	switch {
	case upgrade:
		return s.upgrade(w, r, c, one)
	case r.Method == http.MethodGet:
		one.servePoll(w, r)
	case r.Method == http.MethodPost:
		one.servePost(w, r)
	default:
		return errBadRequest
	}
	return nil
}
