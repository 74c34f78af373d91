package engineio

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// idSize is the number of random bytes of a session's id: nobody guesses it.
const idSize = 21

func newID() string {
	var b [idSize]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// handshake opens a session. What is cheap to refuse is refused first; the limits
// come before anything is allocated for the client.
func (s *Server) handshake(w http.ResponseWriter, r *http.Request, c Client, settings *Settings, version int) *refusal {
	if s.isDraining() {
		return errDraining
	}
	s.requests.add(w, r)
	defer s.requests.remove(r)
	if refused, wait := s.limits.acquire(&settings.Limits, c.IP); refused != nil {
		retryAfter(w, wait)
		return refused
	}
	one := s.newSession(r, c, settings, version)
	if c.Served != nil { // a websocket inside a stream learns its user by its end
		defer func() { c.Served(one.user()) }()
	}
	// Adding ours makes a new list and leaves this one as it is.
	cookies := w.Header().Values("Set-Cookie")
	if settings.Cookie != nil {
		cookie := *settings.Cookie //nolint:gosec // its attributes are the user's choice
		cookie.Value = one.id
		cookie.Secure = cookie.Secure || c.Secure
		http.SetCookie(w, &cookie)
	}
	if isWebSocket(r) {
		refused := s.openWebSocket(w, r, c, one)
		if refused != nil {
			w.Header()["Set-Cookie"] = cookies // without that of no session
		}
		return refused
	}
	if !s.open(one, nil) {
		w.Header()["Set-Cookie"] = cookies
		return errDraining
	}
	c.tell(one)
	// The OPEN packet goes alone, as from the reference server, though messages
	// may be queued by now: some clients look at the first packet only.
	open := appendPayload(nil, newPacket(one.openPacket(settings)), version)
	s.stats.polling.sent(1, len(open))
	if err := s.writePayload(w, r, open); err != nil {
		one.fail(reasonError)
	}
	return nil
}

// newSession keeps of the request only what the session needs: neither it nor its
// writer, headers or buffers may stay in memory with an idle client.
func (s *Server) newSession(r *http.Request, c Client, settings *Settings, version int) *Session {
	c.KeepOpen, c.Opened, c.Served, c.KeyOf = nil, nil, nil, nil // they end with the request, or the config
	c.Host = strings.Clone(c.Host)
	return &Session{
		server:     s,
		id:         newID(),
		client:     c,
		head:       packHead(r),
		opened:     time.Now(),
		interval:   settings.PingInterval,
		timeout:    settings.PingTimeout,
		maxPayload: settings.MaxPayload,
		version:    int8(version),
		fresh:      true,
		base64Only: param(r.URL.RawQuery, "b64") != "",
	}
}

// tell says which session the client has opened.
func (c *Client) tell(one *Session) {
	if c.Opened != nil {
		c.Opened(one.id)
	}
}

// open registers a session and gives it to its receiver. c is its websocket, nil
// for polling; the OPEN packet is the first that it carries. It reports false,
// and takes the session's place back, when the server drains.
func (s *Server) open(one *Session, c *conn) bool {
	if c != nil {
		// Before anybody else knows the session, or a close could take it for one
		// that polls, and get in front of the OPEN packet.
		c.active = true
		one.conn = c
		one.outbox.push(newPacket(one.openPacket(s.settings.Load())))
	}
	// Checked and registered in one step, or a drain could miss the session.
	s.mu.Lock()
	if s.draining || s.refusing {
		s.mu.Unlock()
		s.limits.release(one)
		return false
	}
	s.sessions[one.id] = one
	s.mu.Unlock()
	if c != nil {
		one.mu.Lock()
		one.flush()
	}
	s.stats.handshakes.Add(1)
	one.setReceiver(s.callAccept(one))
	one.startHeartbeat()
	return true
}

// callAccept returns nil if accept panics or wants no session.
func (s *Server) callAccept(one *Session) (r Receiver) {
	defer func() { s.panicked(recover()) }()
	return s.accept(one)
}

// setReceiver ends the opening; a close that came meanwhile is told now, so that
// Closed is called once also for a session that accept itself has closed.
func (s *Session) setReceiver(r Receiver) {
	s.mu.Lock()
	s.receiver = r
	closed, reason := s.state >= stateClosing, s.reason
	s.mu.Unlock()
	switch {
	case r == nil:
		s.fail(reasonError)
		s.server.telling.Done() // there is nobody to tell
	case closed:
		go func() {
			defer s.server.telling.Done()
			s.tellClosed(r, reason)
		}()
	}
}

// openPacket is the OPEN packet.
func (s *Session) openPacket(settings *Settings) string {
	upgrades := []string{}
	// A websocket has nothing better to upgrade to.
	if s.conn == nil && settings.WebSocket {
		upgrades = append(upgrades, transportWebSocket)
	}
	b, _ := json.Marshal(struct { // cannot fail
		SID          string   `json:"sid"`
		Upgrades     []string `json:"upgrades"`
		PingInterval int64    `json:"pingInterval"`
		PingTimeout  int64    `json:"pingTimeout"`
		MaxPayload   int      `json:"maxPayload"`
	}{s.id, upgrades, s.interval.Milliseconds(), s.timeout.Milliseconds(), s.maxPayload})
	return "0" + string(b)
}
