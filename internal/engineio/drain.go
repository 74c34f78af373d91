package engineio

import (
	"context"
	"slices"
	"time"

	"github.com/gobwas/ws"
)

// Refuse makes the server refuse new handshakes, before a drain that has other
// things to wait for first.
func (s *Server) Refuse() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusing = true
}

// Drain refuses new handshakes with 503 and closes all sessions, spread over
// window: websockets with code 1001, polls with the close packet. Sessions between
// two polls are closed at once, the others with the answer that ends their poll. It returns when
// all are gone, their requests too, and their receivers know, or when ctx ends; then the rest is cut. No Socket.IO packet goes
// with it, since a stock client reconnects after a close of its transport, but not
// after a disconnect.
func (s *Server) Drain(ctx context.Context, window time.Duration) {
	s.mu.Lock()
	if s.draining {
		// Another caller drains already; both return when it is done.
		idle := s.idle
		s.mu.Unlock()
		<-idle
		return
	}
	s.draining, s.idle = true, make(chan struct{})
	// There may be nothing to wait for.
	s.signalIdle()
	s.mu.Unlock()
	s.closeSpread(ctx, window)
	select {
	case <-s.idle:
	case <-ctx.Done():
		s.cutAll()
	}
	// A websocket inside one may be held up by it.
	s.requests.end(ctx)
	<-s.idle
	s.awaitReceivers(ctx)
	close(s.writers.stop)
}

// awaitReceivers returns once no receiver is busy with the end of its session, or
// when ctx ends: what they keep of it must be kept before what they keep it in ends.
func (s *Server) awaitReceivers(ctx context.Context) {
	told := make(chan struct{})
	go func() {
		defer close(told)
		s.telling.Wait()
	}()
	select {
	case <-told:
	case <-ctx.Done():
	}
}

// isDraining is asked before a websocket is accepted, so that the client gets an
// answer of HTTP that tells it to come back.
func (s *Server) isDraining() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.draining || s.refusing
}

// closeSpread closes every session, one after the other. Clients reconnect as
// soon as they are closed: all at once they would overrun the next server.
func (s *Server) closeSpread(ctx context.Context, window time.Duration) {
	all := s.all()
	if len(all) == 0 {
		return
	}
	all = slices.DeleteFunc(all, (*Session).letGo)
	last := goingAway() // one frame for all
	start := time.Now()
	pause := time.NewTimer(0)
	defer pause.Stop()
	for i, one := range all {
		// A timer for each would be late a little each time; the schedule is not.
		if due := time.Until(start.Add(window * time.Duration(i) / time.Duration(len(all)))); due > 0 {
			pause.Reset(due)
			select {
			case <-pause.C:
			case <-ctx.Done():
				return
			}
		}
		one.shut(reasonDrain, last, true)
	}
}

// goingAway is the last frame of a websocket when the server stops.
func goingAway() *Message { return closeFrame(ws.StatusGoingAway, "server shutting down") }

// letGo closes at once a session that polls but is between two polls: nobody would
// hear of a close that came later, since the server's listeners are closed, and its
// client is about to come back to another server, where it can be recovered only
// once it is known to be gone here.
func (s *Session) letGo() bool {
	s.mu.Lock()
	between := s.conn == nil && s.probe == nil && s.poll == nil && !s.upgrading
	s.mu.Unlock()
	return between && s.shut(reasonDrain, goingAway(), false)
}

// cutAll ends what has not closed in time.
func (s *Server) cutAll() {
	for _, one := range s.all() {
		one.fail(reasonDrain)
	}
	s.mu.RLock()
	// Connections whose session has ended may still wait for a close frame.
	left := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		left = append(left, c)
	}
	s.mu.RUnlock()
	for _, c := range left {
		c.cut()
	}
}

// keep registers a websocket, forget takes it back once it has ended.
func (s *Server) keep(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[c] = struct{}{}
}

func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	s.signalIdle()
}

// signalIdle ends a drain when nothing is left. It must be called with mu held.
func (s *Server) signalIdle() {
	if s.idle == nil || len(s.sessions)+len(s.conns) > 0 {
		return
	}
	select {
	case <-s.idle:
	default:
		close(s.idle)
	}
}
