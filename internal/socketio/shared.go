package socketio

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// shared is the part of a history that the nodes of a cluster have in common. All
// methods may be called concurrently.
type shared struct {
	ns       *namespace
	link     gateway.Link
	sessions gateway.Sessions
	line     line
}

// linked is the link, nil for none.
func (c *shared) linked() gateway.Link {
	if c == nil {
		return nil
	}
	return c.link
}

// recoveryTimeout bounds how long a client that comes back waits for the cluster.
const recoveryTimeout = 3 * time.Second

// lateSession is how long a client that comes back waits for its session to be
// kept.
const lateSession = time.Second

// unknownFloor is the floor of a history that does not know yet from which
// message on it hears everything.
const unknownFloor = math.MaxUint64

var errUnknownOffset = errors.New("the cluster no longer keeps the message that was received last")

// floor is the number of the last message that a new history will not hear of.
func (c *shared) floor() uint64 {
	if number, known := c.last(); known {
		return number
	}
	return unknownFloor
}

// last is the number of the last message that has been delivered, to whichever
// namespace.
func (c *shared) last() (number uint64, known bool) { return parsePosition(c.sessions.Position()) }

// echo publishes a message, and has deliver called when its turn has come.
func (c *shared) echo(m *gateway.Message, deliver func(m *gateway.Message)) {
	c.line.echo(func(number uint64) { c.link.Echo(m, number) }, func(back *gateway.Message) {
		if back == nil {
			back = m
		}
		deliver(back)
	})
}

// echoTo publishes a message for one socket of this node. The socket may have
// left the room of its id.
func (h *history) echoTo(s *Socket, p payload) error {
	if s.phase.Load() == phaseClosed {
		return gateway.ErrDisconnected
	}
	t := target{ns: h.ns}.To(s.id).(target)
	h.shared.echo(t.message(p), func(m *gateway.Message) {
		h.receive(m, func(f func(*Socket)) {
			hit := false
			t.each(func(one *Socket) {
				hit = hit || one == s
				f(one)
			})
			if !hit && s.phase.Load() != phaseClosed {
				f(s)
			}
		})
	})
	return nil
}

// receive sends and keeps a message of the cluster. each calls its argument for
// the sockets of this node that get it.
func (h *history) receive(m *gateway.Message, each func(func(*Socket))) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := payload{slices.Clip([]byte(m.Data)), m.Attachments}
	number, ok := parsePosition(m.Offset)
	if !ok || m.Volatile {
		if !m.Volatile {
			h.gaps++
			h.lose()
		}
		out := p.frame(kindEvent, h.ns.name, nil)
		last, _ := h.lastNow()
		each(func(s *Socket) {
			if !m.Volatile && !s.unplaced {
				s.unplaced, s.placed = true, last
			}
			s.receive(out, m.Volatile)
		})
		return
	}
	if number <= h.top {
		h.turn(number)
	}
	if h.top = number; h.floor == unknownFloor {
		h.floor = number
	}
	var out message
	each(func(s *Socket) {
		if number > s.lastOffset { // what a recovered socket has missed may be ahead of us
			if out == nil {
				out = p.withOffset(m.Offset, h.ns.name)
			}
			s.lastOffset, s.unplaced = number, false
			s.receive(out, false)
		}
	})
	e := entry{number: number, rooms: m.Rooms, except: m.Except, message: out}
	if out == nil {
		e.payload = &payload{p.array, p.attachments}
	}
	h.add(e)
}

// turn is called for a message with a number that is not above all before: the
// cluster has lost the newest messages or all, and its clock is behind. Who comes
// back with an old number cannot be told what it has missed. It must be called with
// mu held.
func (h *history) turn(number uint64) {
	h.lose()
	h.turned, h.number = h.top, 0
	for _, s := range h.ns.known() {
		s.lastOffset, s.began = 0, number-1
		h.ns.mu.Lock()
		for i := range s.rooms {
			s.rooms[i].since = number - 1
		}
		h.ns.mu.Unlock()
	}
}

// outdated reports whether the client's last message is from before the cluster
// began again. It must be called with mu held.
func (h *history) outdated(r *record) bool { return h.turned > 0 && r.from <= h.turned }

// keep keeps a record where all nodes find it.
func (c *shared) keep(r *record, ttl time.Duration) {
	one := &gateway.Session{
		PID: r.pid, ID: r.id, User: r.user,
		Began: formatPosition(r.began), Sent: formatPosition(r.sent), Kept: formatPosition(r.kept),
	}
	if r.ownSeat {
		one.Rooms = append(one.Rooms, r.id)
	}
	for i := range r.rooms {
		one.Rooms = append(one.Rooms, r.rooms[i].name)
	}
	if r.data != nil {
		data, err := json.Marshal(r.data)
		if err != nil {
			c.ns.server.log().Error("a socket's data cannot be recovered", zap.String("namespace", c.ns.name), zap.Error(err))
		}
		one.Data = data
	}
	c.sessions.Keep(one, ttl)
}

// take returns the record of a client that has come back, nil without one. own is
// what this node kept, which knows more, but may be out of date.
func (c *shared) take(own *record, pid string) *record {
	ctx, cancel := context.WithTimeout(context.Background(), recoveryTimeout)
	defer cancel()
	one, err := c.sessions.Take(ctx, pid)
	// The node that the client comes from closes its connection first, and keeps
	// the session a moment later.
	for end := time.Now().Add(lateSession); one == nil && err == nil && own == nil && time.Now().Before(end); {
		select {
		case <-time.After(lateSession / 20):
			one, err = c.sessions.Take(ctx, pid)
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	switch {
	case err != nil:
		c.ns.server.log().Warn("the cluster does not tell what it knows of a client", zap.Error(err))
		if own != nil {
			own.alone = true
		}
		return own
	case one == nil:
		return nil
	case own != nil && own.id == one.ID && formatPosition(own.kept) == one.Kept:
		return own
	}
	r := &record{pid: pid, id: one.ID, user: one.User, at: time.Now(), foreign: one.Kept == ""}
	r.began, _ = parsePosition(one.Began)
	r.sent, _ = parsePosition(one.Sent)
	r.kept, _ = parsePosition(one.Kept)
	for _, name := range one.Rooms {
		if name == one.ID {
			r.ownSeat = true
			continue
		}
		r.rooms = append(r.rooms, recordRoom{name, 0})
	}
	if one.Data != nil {
		if err := json.Unmarshal(one.Data, &r.data); err != nil {
			c.ns.server.log().Error("data of a recovered socket is malformed", zap.Error(err))
		}
	}
	return r
}

// fetch gets from the cluster what the client has not got and this node no longer
// has, or never had. What this node sent without a place before the session was
// taken has one by then; gaps is the number of such messages.
func (h *history) fetch(r *record, gaps int) error {
	h.mu.Lock()
	here, outdated := r.from >= h.floor, h.outdated(r)
	h.mu.Unlock()
	switch {
	case outdated:
		return errUnknownOffset
	case here:
		return nil
	case r.alone:
		return errForgotten
	}
	ctx, cancel := context.WithTimeout(context.Background(), recoveryTimeout)
	defer cancel()
	size, limit := 0, h.ns.server.settings().RecoverySession
	known, err := h.shared.sessions.Since(ctx, formatPosition(r.from), func(m *gateway.Message, offset string) bool {
		number, ok := parsePosition(offset)
		if !ok {
			return true
		}
		r.from = number
		if m == nil || m.Volatile || len(m.Rooms) > 0 && !r.in(m.Rooms, number) || r.in(m.Except, number) {
			return true
		}
		out := payload{m.Data, m.Attachments}.withOffset(offset, h.ns.name)
		r.replay, r.replayed = append(r.replay, out), number
		size += out.size()
		return size <= limit
	})
	switch {
	case err != nil:
		return err
	case !known:
		return errUnknownOffset
	case size > limit:
		return errForgotten
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gaps != gaps {
		return errForgotten
	}
	if h.floor == unknownFloor {
		h.floor = r.from
	}
	return nil
}

// The numbers of messages are made of the cluster's offsets, a time in
// milliseconds and a count within it: 40 bits after the year 2020, and 24 bits.
// One that does not fit gets no number; its message is delivered, and cannot be
// recovered.
const (
	positionEpoch = 1577836800000
	positionBits  = 24
)

func parsePosition(offset string) (number uint64, ok bool) {
	if offset == "0-0" {
		return 0, true
	}
	time, count, found := strings.Cut(offset, "-")
	ms, err := strconv.ParseUint(time, 10, 64)
	seq, err2 := strconv.ParseUint(count, 10, 64)
	if !found || err != nil || err2 != nil || ms < positionEpoch || ms-positionEpoch >= 1<<40 || seq >= 1<<positionBits {
		return 0, false
	}
	return (ms-positionEpoch)<<positionBits | seq, true
}

// formatPosition is the offset of a number.
func formatPosition(number uint64) string {
	if number == 0 {
		return "0-0"
	}
	return strconv.FormatUint(number>>positionBits+positionEpoch, 10) + "-" + strconv.FormatUint(number&(1<<positionBits-1), 10)
}
