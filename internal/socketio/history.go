package socketio

import (
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// noOffset is what a client is taken to hand in that has received nothing yet.
const noOffset = "0"

// history is what connection state recovery keeps of a namespace: the packets of
// the last while, numbered, and the state of sockets whose transport was lost.
// Every packet carries its number as its last argument, and a client that comes
// back says which it has seen last. In a cluster that keeps messages, it numbers
// them, and more of them can be had from there. All methods may be called concurrently; a nil
// one, with recovery off, knows of nothing.
type history struct {
	ns     *namespace
	shared *shared // nil without a cluster that keeps messages

	// mu guards the following fields. It is held while a packet is sent, since
	// packets must get to each client in the order of their numbers. It is taken
	// before the namespace's mu.
	mu      sync.Mutex
	size    atomic.Int64 // of entries, in bytes; may be read without mu
	number  uint64       // of the last packet
	floor   uint64       // of the last packet that is no longer kept
	gaps    int          // packets that were sent without a place in the cluster's order
	top     uint64       // the highest number that was seen, of whichever namespace
	turned  uint64       // the highest one before the cluster began again with lower ones
	entries []entry
	records map[string]*record // by pid
	live    map[string]*Socket // by pid
	sweeper *time.Timer
	closed  bool
}

// entry is a packet and whom it was for. Entries are in the order of their numbers.
type entry struct {
	number        uint64
	at            time.Time
	rooms, except []string
	message       message
	// payload is what message is made of once a socket of this node needs it: in a
	// cluster most packets are for none. It is nil where there is a message.
	payload *payload
}

// encoded is the message of an entry that is kept. It must be called with mu held.
func (h *history) encoded(e *entry) message {
	if e.message == nil {
		h.account(-e.bytes())
		e.message, e.payload = e.payload.withOffset(formatPosition(e.number), h.ns.name), nil
		h.account(e.bytes())
	}
	return e.message
}

// bytes is what an entry takes, about.
func (e *entry) bytes() int64 {
	n := 128 + e.message.size()
	if e.payload != nil {
		n += e.payload.size()
	}
	for _, name := range e.rooms {
		n += len(name)
	}
	for _, name := range e.except {
		n += len(name)
	}
	return int64(n)
}

func newHistory(ns *namespace, c *shared) *history {
	h := &history{ns: ns, shared: c, records: map[string]*record{}, live: map[string]*Socket{}}
	if c != nil {
		h.floor = c.floor()
	}
	return h
}

// last is the number of the last packet, 0 if it is not known.
func (h *history) last() uint64 {
	if h == nil {
		return 0
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	last, _ := h.lastNow()
	return last
}

// lastNow is not known before the cluster was first reached. It must be called with
// mu held.
func (h *history) lastNow() (last uint64, known bool) {
	if h.shared == nil {
		return h.number, true
	}
	last, known = h.shared.last()
	last = max(last, h.number)
	h.top = max(h.top, last)
	return last, known
}

// lose forgets the packets that are kept, as there is a gap among them. It must be
// called with mu held.
func (h *history) lose() {
	for i := range h.entries {
		h.account(-h.entries[i].bytes())
	}
	h.entries, h.floor = nil, unknownFloor
}

// broadcast sends and keeps a packet, here and on the other nodes.
func (h *history) broadcast(t target, p payload) {
	switch {
	case t.none:
		return
	case h.shared == nil:
		h.send(t, p)
		if link := t.remote(); link != nil {
			link.Publish(t.message(p))
		}
	case !t.local:
		h.shared.echo(t.message(p), func(m *gateway.Message) { h.receive(m, t.each) })
	case !h.shared.line.then(func() { t.deliver(p) }):
		t.deliver(p) // the other nodes, where the client may come back, shall not know of it
	}
}

// send sends and keeps a packet of this node.
func (h *history) send(t target, p payload) {
	h.mu.Lock()
	defer h.mu.Unlock()
	m := p.withOffset(strconv.FormatUint(h.number+1, 10), h.ns.name)
	h.add(entry{number: h.number + 1, rooms: t.rooms, except: t.except, message: m})
	t.each(func(s *Socket) {
		s.lastOffset = h.number
		s.receive(m, false)
	})
}

// emitTo sends and keeps a packet for one socket. When its transport is just
// being lost the packet waits for its return.
func (h *history) emitTo(s *Socket, p payload) error {
	if h.shared != nil {
		return h.echoTo(s, p)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.phase.Load() == phaseClosed {
		return gateway.ErrDisconnected
	}
	m := p.withOffset(strconv.FormatUint(h.number+1, 10), h.ns.name)
	h.add(entry{number: h.number + 1, rooms: []string{s.id}, message: m})
	s.lastOffset = h.number
	if err := s.send(m, false); err == errHeld {
		return err
	}
	return nil
}

// add keeps a packet. It must be called with mu held.
func (h *history) add(e entry) {
	h.number = e.number
	if h.closed {
		return // nobody would forget it
	}
	e.at, e.rooms, e.except = time.Now(), slices.Clone(e.rooms), slices.Clone(e.except)
	h.entries = append(h.entries, e)
	h.account(e.bytes())
	h.makeRoom(e.at)
	h.sweepLater()
}

// account must be called with mu held.
func (h *history) account(bytes int64) {
	s := h.ns.server
	s.kept.Add(bytes)
	size := h.size.Add(bytes)
	if most := s.heaviest.Load(); bytes > 0 && (most == nil || most.size.Load() < size) {
		s.heaviest.Store(h)
	}
}

// makeRoom trims. Where too much is kept, the namespace that keeps the most gives
// way first: a busy one must not take recovery from the others. It must be called
// with mu held.
func (h *history) makeRoom(now time.Time) {
	s := h.ns.server
	if s.kept.Load() > int64(s.settings().RecoveryTotal) {
		// Its mu may be held by who waits for ours; then ours makes the room.
		if most := s.heaviest.Load(); most != nil && most != h && most.size.Load() > h.size.Load() && most.mu.TryLock() {
			most.trim(now)
			most.mu.Unlock()
		}
	}
	h.trim(now)
}

// trim forgets packets that are too old, and the oldest of this namespace while
// all together keep too much. It must be called with mu held.
func (h *history) trim(now time.Time) {
	settings := h.ns.server.settings()
	n := 0
	for n < len(h.entries) {
		e := &h.entries[n]
		if now.Sub(e.at) <= settings.Recovery && h.ns.server.kept.Load() <= int64(settings.RecoveryTotal) {
			break
		}
		h.floor = e.number
		h.account(-e.bytes())
		n++
	}
	// Not moved down: that would cost each emit as much as all the others kept.
	clear(h.entries[:n])
	if h.entries = h.entries[n:]; len(h.entries) == 0 {
		h.entries = nil
	}
}

// sweepLater makes sure that what is kept is forgotten in time. It must be called
// with mu held.
func (h *history) sweepLater() {
	if h.sweeper == nil && !h.closed {
		h.sweeper = time.AfterFunc(h.ns.server.settings().Recovery+time.Second, h.sweep)
	}
}

func (h *history) sweep() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sweeper = nil
	now := time.Now()
	h.trim(now)
	for pid, r := range h.records {
		if now.Sub(r.at) > h.ns.server.settings().Recovery {
			h.forget(pid)
		}
	}
	if len(h.entries) > 0 || len(h.records) > 0 {
		h.sweepLater()
	}
}

// close forgets everything.
func (h *history) close() {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	if h.shared != nil {
		h.ns.server.workers.run(&h.shared.line)
	}
	if h.sweeper != nil {
		h.sweeper.Stop()
	}
	h.lose()
	h.ns.server.heaviest.CompareAndSwap(h, nil)
	for pid := range h.records {
		h.forget(pid)
	}
	h.unwatchAll()
}

// unwatchAll makes sure that the state of none of the sockets of now is kept. It must
// be called with mu held.
func (h *history) unwatchAll() {
	for _, s := range h.live {
		s.setWatcher(nil, "")
	}
	clear(h.live)
}
