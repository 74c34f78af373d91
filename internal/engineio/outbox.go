package engineio

import (
	"slices"

	"github.com/gobwas/ws"
	"go.uber.org/zap"

	"github.com/caddy-socketio/caddy-socketio/internal/incidents"
)

// outbox is what waits for a client, in the order in which it was sent, whatever
// the transport: an upgrade changes who takes from it, and nothing else.
// Session.mu guards it.
type outbox struct {
	queue []*Message
	bytes int    // of the queue and of what the writer holds
	total uint64 // bytes that were ever queued
	// writing tells that someone has the right to write to the websocket. It
	// stays set once the connection has failed.
	writing bool
	// deferred tells that this is the flusher, and has not begun; listed that the
	// connection is in its list. blocked tells that it is a worker, since the
	// client does not take what there is as fast as it comes.
	deferred, listed, blocked bool
}

func (o *outbox) push(m *Message) {
	o.queue = append(o.queue, m)
	o.bytes += m.Len()
	o.total += uint64(m.Len())
}

// pop takes messages off the front that have limit bytes together, at least one,
// and at most n. bytes still counts them.
func (o *outbox) pop(dst []*Message, n, limit int) (taken []*Message, size int) {
	k := 0
	for k < len(o.queue) && k < n {
		l := o.queue[k].Len()
		if k > 0 && size+l > limit {
			break
		}
		size += l
		k++
	}
	taken = append(dst, o.queue[:k]...)
	// It also forgets the messages, which the array would keep alive.
	o.queue = slices.Delete(o.queue, 0, k)
	if len(o.queue) == 0 && cap(o.queue) > 4 {
		o.queue = nil // a burst must not stay in memory
	}
	return taken, size
}

// clear drops the queue. What a writer holds stays counted.
func (o *outbox) clear() {
	for _, m := range o.queue {
		o.bytes -= m.Len()
	}
	o.queue = nil
}

// Writable reports whether a message sent now would be written at once.
func (s *Session) Writable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != stateOpen {
		return false
	}
	if s.conn != nil {
		// What somebody is writing has to go out first.
		return !s.outbox.writing || s.outbox.deferred
	}
	return s.poll != nil && len(s.outbox.queue) == 0
}

// Send queues messages, consecutively. It never blocks, and reports false when
// the session is closed or its client has given up its poll. A client for which
// more than Limits.SendBuffer bytes wait already, the new ones included, is closed
// instead.
func (s *Session) Send(ms ...*Message) bool {
	size := 0
	for _, m := range ms {
		size += m.Len()
	}
	limit := s.server.settings.Load().Limits.SendBuffer
	s.mu.Lock()
	// One message may be larger than the bound, if nothing waits before it: its
	// memory is the sender's, and it could never be sent otherwise.
	for s.state == stateOpen && s.outbox.bytes > 0 && s.outbox.bytes+size > limit {
		waiting := s.outbox.bytes
		if s.conn == nil || s.outbox.blocked {
			s.mu.Unlock()
			s.overflow(waiting)
			return false
		}
		s.relieve()
		s.mu.Lock()
	}
	if s.state != stateOpen {
		s.mu.Unlock()
		return false
	}
	for _, m := range ms {
		s.outbox.push(m)
	}
	s.flush()
	return true
}

// flush gets the queue on its way. It must be called with mu held, and unlocks it.
func (s *Session) flush() {
	c, o := s.conn, &s.outbox
	switch {
	case c == nil:
		// Polling: the poll takes the queue itself, with all that is added till then.
		if s.poll != nil && (len(o.queue) > 0 || s.state != stateOpen) {
			s.poll.answer()
		}
	case len(o.queue) == 0 || o.writing && !o.deferred:
	case o.bytes >= batchSize:
		// There is a write's worth. Whoever sends that much makes the write, so
		// that a burst does not fill the queue of a client that reads.
		o.writing, o.deferred = true, false
		s.mu.Unlock()
		c.write()
		return
	case !o.deferred:
		o.writing, o.deferred = true, true
		if !o.listed {
			o.listed = true
			s.mu.Unlock()
			s.server.flusher.add(c)
			return
		}
	}
	s.mu.Unlock()
}

// relieve writes what waits for us rather than for the client, or waits for who is
// at it, which does not take longer than a few writes that do not block. It must be
// called with mu held, and unlocks it.
func (s *Session) relieve() {
	c, mine := s.conn, s.outbox.deferred
	s.outbox.deferred = false
	s.mu.Unlock()
	if mine {
		c.write()
		return
	}
	c.trying.Lock()
	defer c.trying.Unlock()
}

// overflow closes the session of a client that does not read fast enough. Its
// messages are lost with it, but not silently: the client is told, reconnects and
// knows that it has missed something, as it would not if one were dropped.
func (s *Session) overflow(waiting int) {
	if !s.shut(reasonError, closeFrame(ws.StatusPolicyViolation, "send buffer exceeded"), false) {
		return
	}
	s.server.stats.slowConsumers.Add(1)
	s.server.incidents().Limit(incidents.SendBuffer, zap.String("event", "slow_consumer"),
		zap.Stringer("remote_ip", s.client.IP),
		zap.String("transport", s.Transport()),
		zap.Int("waiting_bytes", waiting))
}

func closeFrame(code ws.StatusCode, text string) *Message {
	return newControl(ws.OpClose, ws.NewCloseFrameBody(code, text))
}
