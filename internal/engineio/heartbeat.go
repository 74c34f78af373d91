package engineio

import (
	"time"

	"github.com/gobwas/ws"
)

// heartbeat is the one timer of a session, which needs no goroutine while it
// waits. In version 4 the server pings and waits for the pong; in version 3 the
// client pings. Session.mu guards it.
type heartbeat struct {
	timer *time.Timer
	// due is when the timer's work is to be done, as time since the server's
	// epoch. The timer may fire earlier; then it is set again.
	due   time.Duration
	phase phase
	// refreshed tells that a packet other than the pong has moved the deadline.
	refreshed bool
	// receiving tells that the receiver is at work; suspended, that the deadline
	// has passed meanwhile; fetched, that a poll has come since the last ping then.
	receiving, suspended, fetched bool
}

type phase uint8

const (
	pingDue  phase = iota // version 4: time to ping
	pongDue               // the client's sign of life is due
	closeDue              // the close has taken too long
)

// startHeartbeat sets the first deadline, unless accept has closed the session.
func (s *Session) startHeartbeat() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != stateOpen {
		return
	}
	after := s.interval
	if s.version == 3 {
		s.beat.phase = pongDue
		after += s.timeout
	}
	s.beat.set(s, after)
}

// set makes the timer due. It must be called with mu held.
func (b *heartbeat) set(s *Session, after time.Duration) {
	due := s.server.now() + after
	// A timer that fires too early costs one call; moving it costs one each
	// time, and busy clients move their deadline with every ping.
	later := b.timer != nil && due >= b.due
	b.due = due
	switch {
	case b.timer == nil:
		b.timer = time.AfterFunc(after, s.onTimer)
	case !later:
		b.timer.Reset(after)
	default: // it fires early and is set again then, which is cheaper
	}
}

// closeIn ends the heartbeat and bounds the close instead. It must be called with
// mu held.
func (b *heartbeat) closeIn(s *Session, after time.Duration) {
	b.phase = closeDue
	b.set(s, after)
}

func (b *heartbeat) stop() {
	if b.timer != nil {
		b.timer.Stop()
	}
}

// onTimer does what is due. It races with everything else that happens to the
// session, and therefore trusts the state under the lock alone.
func (s *Session) onTimer() {
	s.mu.Lock()
	b := &s.beat
	if left := b.due - s.server.now(); left > 0 || s.state == stateClosed {
		if s.state != stateClosed {
			b.timer.Reset(left)
		}
		s.mu.Unlock()
		return
	}
	switch b.phase {
	case pingDue:
		b.phase, b.refreshed = pongDue, false
		b.due = s.server.now() + s.timeout
		b.timer.Reset(s.timeout)
		s.outbox.push(pingPacket)
		s.flush()
	case pongDue:
		// The pong may be waiting behind the message that the receiver has not
		// taken yet. The client is not to blame, as long as it is there.
		if b.receiving && s.pingUnheard() {
			return
		}
		s.mu.Unlock()
		s.shut(reasonPing, closeFrame(statusNormal, "ping timeout"), false)
	case closeDue:
		s.mu.Unlock()
		// One that is closing has its reason already.
		s.fail(reasonError)
	}
}

// pingUnheard goes on with a client that cannot be heard, because the receiver
// holds up what it sends: it has to take its pings instead of answering them. On a
// websocket that is gone a write fails: at once where the client's system says so,
// after minutes where TCP has to give up on a machine that is silent. A polling
// client has to poll in the time that a pong has. It must be called with mu held,
// and unlocks it unless it reports that the client is gone.
func (s *Session) pingUnheard() bool {
	b := &s.beat
	polling := s.conn == nil
	taking := !b.suspended || b.fetched || s.poll != nil || s.upgrading
	if polling && !taking {
		return false
	}
	after := s.interval
	if polling {
		after = s.timeout
	}
	b.suspended, b.fetched = true, false
	b.due = s.server.now() + after
	b.timer.Reset(after)
	switch {
	case s.version != 3: // whose client ends the session if no ping comes
		s.outbox.push(pingPacket)
	case polling:
		s.outbox.push(noopPacket)
	default:
		s.outbox.push(newControl(ws.OpPing, nil))
	}
	s.flush()
	return true
}

// alive notes a packet from the client. It must be called with mu held.
func (s *Session) alive(kind byte) {
	b := &s.beat
	switch {
	case b.phase != pongDue:
	case s.version == 3 && kind == packetPing:
		b.set(s, s.interval+s.timeout)
	case s.version == 3:
	case kind == packetPong:
		b.phase = pingDue
		b.due = s.server.now() + s.interval
		b.timer.Reset(s.interval)
	// Once only, as the reference server does: a client that sends but never
	// answers a ping does not live forever.
	case !b.refreshed:
		b.refreshed = true
		b.set(s, s.timeout)
	}
}

// resume starts a deadline anew that passed while the receiver was at work. It
// must be called with mu held.
func (b *heartbeat) resume(s *Session) {
	b.receiving = false
	if !b.suspended {
		return
	}
	b.suspended = false
	if s.state == stateOpen && b.phase == pongDue {
		b.due = s.server.now() + s.timeout
		b.timer.Reset(s.timeout)
	}
}
