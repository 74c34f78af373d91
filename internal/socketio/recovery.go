package socketio

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// record is the state of a socket whose transport was lost.
type record struct {
	pid, id string
	user    string
	rooms   []recordRoom
	ownSeat bool
	data    any
	at      time.Time
	// began, kept and sent are numbers of packets: the last one before the socket
	// entered, the last one before it was lost, and the last one that was sent
	// to it.
	began, kept, sent uint64
	// from is the last packet that the client needs no more, log the log of all
	// these numbers; restore sets both.
	from uint64
	log  *history
	// replay is what the cluster keeps of what the client has not got, up to from;
	// replayed is the number of its last packet.
	replay   []message
	replayed uint64
	// foreign is set if a server of another kind kept the state, alone if the
	// cluster could not be asked.
	foreign, alone bool
}

type recordRoom struct {
	name  string
	since uint64
}

func (r *record) bytes() int64 {
	n := 256 + len(r.id) + len(r.pid)
	for i := range r.rooms {
		n += 32 + len(r.rooms[i].name)
	}
	return int64(n)
}

// in reports whether the socket was in one of the rooms when a packet was sent.
func (r *record) in(rooms []string, number uint64) bool {
	for _, name := range rooms {
		if name == r.id && r.ownSeat {
			return true
		}
		for i := range r.rooms {
			if r.rooms[i].name == name && r.rooms[i].since < number {
				return true
			}
		}
	}
	return false
}

// missed lists the packets that the client has not got. It must be called with
// the history's mu held.
func (h *history) missed(r *record) (all []message, last uint64, size int) {
	i, seen := slices.BinarySearchFunc(h.entries, r.from, func(e entry, number uint64) int {
		return cmp.Compare(e.number, number)
	})
	if seen {
		i++
	}
	for ; i < len(h.entries); i++ {
		e := &h.entries[i]
		if len(e.rooms) > 0 && !r.in(e.rooms, e.number) || r.in(e.except, e.number) {
			continue
		}
		m := h.encoded(e)
		all = append(all, m)
		last = e.number
		size += m.size()
	}
	return all, last, size
}

// watch notes the private id that the client has been given, by which it may
// come back. connect is the payload of its CONNECT packet.
func (h *history) watch(s *Socket, connect []byte) {
	var told struct {
		Pid string `json:"pid"`
	}
	if h == nil || json.Unmarshal(connect, &told) != nil || told.Pid == "" {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed && s.phase.Load() != phaseClosed {
		s.setWatcher(h, told.Pid)
		h.live[told.Pid] = s
	}
}

// unwatch is called when a socket has gone.
func (h *history) unwatch(s *Socket) {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, pid := s.watched(); h.live[pid] == s {
		delete(h.live, pid)
	}
}

func (s *Socket) setWatcher(h *history, pid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watcher, s.pid = h, pid
}

func (s *Socket) watched() (by *history, pid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.watcher, s.pid
}

// keep keeps the state of a socket that is being lost.
func (h *history) keep(s *Socket) {
	r := &record{id: s.id, data: s.Data(), at: time.Now(), user: s.userID()}
	h.mu.Lock()
	defer h.mu.Unlock()
	watcher, pid := s.watched()
	if h.closed || watcher != h {
		return // what the client has seen is numbered by another
	}
	r.pid = pid
	h.ns.mu.RLock()
	r.ownSeat = s.ownSeat
	for i := range s.rooms {
		r.rooms = append(r.rooms, recordRoom{s.rooms[i].room.name, s.rooms[i].since})
	}
	h.ns.mu.RUnlock()
	last, known := h.lastNow()
	if s.unplaced {
		// Whether it has got what was sent behind that, its offset cannot tell.
		last, known = s.placed, s.placed > 0
	}
	delete(h.live, pid)
	if !known {
		return // what it has missed, and what was before it came
	}
	r.began, r.kept, r.sent = s.began, last, s.lastOffset
	h.put(r)
	if h.shared != nil {
		h.shared.keep(r, h.ns.server.settings().Recovery)
	}
}

// put keeps a record. It must be called with mu held.
func (h *history) put(r *record) {
	h.forget(r.pid)
	h.records[r.pid] = r
	h.ns.server.kept.Add(r.bytes())
	h.makeRoom(r.at)
	if h.ns.server.kept.Load() > int64(h.ns.server.settings().RecoveryTotal) {
		h.forget(r.pid) // no packet is left to make room for it
		return
	}
	h.sweepLater()
}

// putBack keeps a record again whose socket was lost before it was connected.
func (h *history) putBack(r *record) {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed && r.log == h {
		h.put(r)
	}
}

// forget must be called with mu held.
func (h *history) forget(pid string) {
	if r := h.records[pid]; r != nil {
		delete(h.records, pid)
		h.ns.server.kept.Add(-r.bytes())
	}
}

// restore takes the record of a client that has come back and has received the
// packet of that offset last. It returns nil if there is none, or if a packet
// that it lacks is no longer kept.
func (h *history) restore(pid, offset string) *record {
	seen, ok := h.parseOffset(offset)
	if !ok {
		return nil
	}
	h.mu.Lock()
	old, gaps := h.live[pid], h.gaps
	h.mu.Unlock()
	if old != nil {
		old.supersede(h)
	}
	r := h.take(pid)
	settings := h.ns.server.settings()
	if r == nil || time.Since(r.at) > settings.Recovery {
		return nil
	}
	r.log, r.from = h, max(seen, r.began)
	if r.sent <= r.from {
		r.from = max(r.from, r.kept) // nothing was under way when it was lost
	}
	if h.shared != nil {
		if err := h.fetch(r, gaps); err != nil {
			h.ns.server.log().Warn("a client could not be recovered", zap.Error(err))
			return nil
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.from < h.floor {
		return nil
	}
	if _, _, size := h.missed(r); size > settings.RecoverySession {
		return nil
	}
	return r
}

// parseOffset reads the offset that a client hands in.
func (h *history) parseOffset(offset string) (number uint64, ok bool) {
	if h.shared != nil && offset != noOffset {
		return parsePosition(offset)
	}
	number, err := strconv.ParseUint(offset, 10, 64)
	return number, err == nil
}

// take returns a record and forgets it; nil without one.
func (h *history) take(pid string) *record {
	h.mu.Lock()
	r := h.records[pid]
	h.forget(pid)
	h.mu.Unlock()
	if h.shared == nil {
		return r
	}
	return h.shared.take(r, pid)
}

// supersede ends a socket whose client has come back over another connection,
// before it was seen that the old one is lost.
func (s *Socket) supersede(h *history) {
	s.awaitOpened()
	h.keep(s)
	s.setReason(reasonLost)
	s.conn.takeDown(s.lib, false)
	s.conn.session.Close(reasonForced)
}

var (
	errOtherUser = errors.New("the recovered socket is another user's")
	errForgotten = errors.New("what the recovered socket has missed is no longer kept")
)

// resume gives a restored socket its state back. What it has missed is sent right
// after CONNECT, and what is broadcast from now on after that.
func (h *history) resume(s *Socket) error {
	r := s.restored
	if h == nil {
		return gateway.ErrDisconnected // recovery has been turned off meanwhile
	}
	if r.user != s.userID() && !r.foreign {
		return errUnauthorized(errOtherUser)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || r.log != h || r.from < h.floor || h.outdated(r) {
		return errForgotten
	}
	missed, last, _ := h.missed(r)
	s.lastOffset, s.began = max(min(r.sent, r.from), r.replayed, last), r.began
	s.SetData(r.data)
	s.mu.Lock()
	s.held.missed = append(r.replay, missed...)
	s.mu.Unlock()
	return h.ns.enter(s, r)
}

// userID is the id of the socket's user, "" for an anonymous one.
func (s *Socket) userID() string {
	if id := s.identity.Load(); id != nil {
		return id.ID
	}
	return ""
}
