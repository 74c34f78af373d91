package engineio

import (
	"time"

	"github.com/gobwas/ws"
	"go.uber.org/zap"
)

// Reasons of a close, as the reference server names them.
const (
	reasonClientClose = "transport close"
	reasonError       = "transport error"
	reasonPing        = "ping timeout"
	reasonParse       = "parse error"
	reasonDrain       = "server shutting down"
)

// lingerTimeout is how long a client has to answer a close frame.
const lingerTimeout = 5 * time.Second

// farewell is how long a client that has given up a request may still post.
const farewell = time.Second

// Close writes what is queued, for at most Settings.WriteTimeout, then closes
// the session. The receiver is told at once.
func (s *Session) Close(reason string) {
	s.shut(reason, closeFrame(ws.StatusNormalClosure, ""), true)
}

// shut starts the close. On a websocket last is its last frame; a waiting poll
// gets the close packet, and so does the next one if the queue is to be flushed.
// It reports false if the session is closing already.
func (s *Session) shut(reason string, last *Message, flushing bool) bool {
	s.mu.Lock()
	if s.state >= stateClosing {
		s.mu.Unlock()
		return false
	}
	// Nobody comes for what is queued.
	flushing = flushing && s.state == stateOpen
	// From here on Send refuses, so nothing can get behind the last frame.
	s.state = stateClosing
	if !flushing {
		s.outbox.clear()
	}
	probe := s.probe
	s.probe, s.probed = nil, false
	if s.conn != nil {
		s.outbox.push(last)
	}
	polling := s.conn == nil
	// The heartbeat is over; its timer now bounds the close.
	s.beat.closeIn(s, s.server.settings.Load().WriteTimeout)
	tell := s.close(reason)
	s.flush()
	// A websocket that was about to take over would find no session to serve.
	probe.cut()
	// A waiting poll has its own hold on the session and still gets the close
	// packet; the id is invalid for everybody else at once.
	if polling && !flushing {
		s.end()
	}
	tell()
	return true
}

// fail ends a session whose transport is gone or must be cut. A session that is
// closing already keeps the reason of its close, so that a client that hangs up
// after the close frame does not change it.
func (s *Session) fail(reason string) {
	s.mu.Lock()
	tell := func() {}
	if s.state < stateClosing {
		tell = s.close(reason)
	}
	s.state = stateClosing
	s.outbox.clear()
	conn, probe, waiting := s.conn, s.probe, s.poll
	s.probe, s.probed = nil, false
	// The poll is let go rather than left to its limit: its client may be fine
	// and only the transport next to it broken.
	if waiting != nil {
		waiting.answer()
	}
	s.mu.Unlock()
	conn.cut()
	probe.cut()
	s.end()
	tell()
}

// forsake is called when the client has given up its poll or a POST, which ends a
// session that polls. A page that is left may have sent its last words just then, and
// its browser gives those up first: so for a moment more the session takes what is
// posted. It takes no poll, sends nothing and cannot change to a websocket. It
// must be called with mu held, and unlocks it.
func (s *Session) forsake() {
	if s.state == stateLosing {
		s.mu.Unlock()
		return // it has its moment already
	}
	if s.state != stateOpen {
		s.mu.Unlock()
		s.fail(reasonError)
		return
	}
	s.state = stateLosing
	s.outbox.clear()
	s.beat.closeIn(s, farewell)
	probe := s.probe
	s.probe, s.probed = nil, false
	s.mu.Unlock()
	probe.cut()
}

// forsakePolling forsakes a session that polls, and reports whether it does.
func (s *Session) forsakePolling() bool {
	s.mu.Lock()
	if s.conn != nil {
		s.mu.Unlock()
		return false
	}
	s.forsake()
	return true
}

// close keeps the reason, and returns what tells the receiver. It must be called
// with mu held, once.
func (s *Session) close(reason string) (tell func()) {
	s.reason = reason
	s.endWait()
	r := s.receiver
	s.server.telling.Add(1)
	if r == nil {
		return func() {} // accept is running; setReceiver tells it
	}
	// In its own goroutine: the caller may hold locks that the receiver takes.
	return func() {
		go func() {
			defer s.server.telling.Done()
			s.tellClosed(r, reason)
		}()
	}
}

func (s *Session) tellClosed(r Receiver, reason string) {
	defer func() { s.server.panicked(recover()) }()
	r.Closed(reason)
}

// panicked keeps a panic of the receiver from ending the process, as it would in
// a goroutine that net/http does not guard. It reports whether there was one.
func (s *Server) panicked(v any) bool {
	if v == nil {
		return false
	}
	s.logger().Error("panic in a receiver", zap.Any("panic", v), zap.Stack("stack"))
	return true
}

// end unregisters the session: its id becomes unknown, its place in the limits
// free. It may be called more than once, since the poll that carries the last
// packet, the timer and the reader of a websocket all may come first.
func (s *Session) end() {
	s.mu.Lock()
	if s.state == stateClosed {
		s.mu.Unlock()
		return
	}
	s.state = stateClosed
	// The runtime would otherwise keep the session until the next ping is due.
	s.beat.stop()
	s.mu.Unlock()
	s.server.remove(s)
}
