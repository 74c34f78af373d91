package signaling

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Service is the signaling of one namespace. All methods may be called
// concurrently. It runs no goroutine but those of its timers, one per room, which
// is set to whatever is due first in the room: an away peer's departure, a lock's
// end, a batch of presence, or the room's own end. Locks are taken in the order
// life, room, client; mu is held alone.
type Service struct {
	store Store
	// cluster is the store in a cluster, else nil.
	cluster *cluster
	opts    atomic.Pointer[Options]

	// life is held for reading by every change, and for writing by Close, so
	// that no timer is set or runs when Close has returned.
	life   sync.RWMutex
	closed bool // guarded by life

	mu      sync.Mutex
	clients map[string]*Client   // by socket id; guarded by mu
	users   map[string][]*Client // identified ones by user; guarded by mu
}

// New makes a service with valid options over a store.
func New(store Store, o Options) *Service {
	s := &Service{store: store, clients: make(map[string]*Client), users: make(map[string][]*Client)}
	s.Configure(o)
	store.start(s)
	return s
}

// Configure replaces the options; they must be valid. They apply to what happens
// from now on: nobody is put out, and times that run already run to their end. Rooms
// are told whom a new host rule makes host.
func (s *Service) Configure(o Options) {
	before := s.opts.Swap(&o)
	if s.cluster != nil {
		s.cluster.listAll()
	}
	if before == nil || before.Host == o.Host {
		return
	}
	for _, name := range s.store.Names() {
		if s.cluster != nil {
			s.mend(name)
			continue
		}
		_ = s.update(name, false, func(r *Room) error { // ended meanwhile: nobody to tell
			r.elect()
			return nil
		})
	}
}

// Close ends all rooms without telling anyone and stops their timers; in a cluster
// the rooms go on without this node. Calls afterwards answer "internal". It always returns nil.
func (s *Service) Close() error {
	s.life.Lock()
	before := s.closed
	s.closed = true
	s.life.Unlock()
	if !before {
		s.store.close()
	}
	return nil
}

// Evacuate ends all rooms for the sockets of this node: they are told that the
// room is closed.
func (s *Service) Evacuate() {
	for _, name := range s.store.Names() {
		if s.cluster != nil {
			s.cluster.evict(name, reasonClosed, s.cluster.seated(name))
			continue
		}
		_ = s.update(name, false, func(r *Room) error { // ended meanwhile: as well
			r.close()
			return nil
		})
	}
}

// Stats are counts at about one time. In a cluster they are of this node: its
// sockets, the rooms that they are in, and their peers.
type Stats struct {
	// Sockets are attached; Peers are their places in rooms and those of lost
	// sockets, which are counted in Away too; Timers are set.
	Sockets int `json:"sockets"`
	Rooms   int `json:"rooms"`
	Peers   int `json:"peers"`
	Away    int `json:"away"`
	Timers  int `json:"timers"`
}

// Stats counts what the service holds. It visits every room.
func (s *Service) Stats() Stats {
	if s.cluster != nil {
		return s.cluster.stats()
	}
	var st Stats
	for _, name := range s.store.Names() {
		_ = s.store.View(name, func(r *Room) error { // ended meanwhile: not counted
			st.Rooms++
			st.Peers += len(r.list)
			st.Away += len(r.list) - r.live
			if !r.armed.IsZero() {
				st.Timers++
			}
			return nil
		})
	}
	st.Sockets = s.sockets()
	return st
}

func (s *Service) sockets() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.clients)
}

// rise and mend are for a cluster's store only, see there.
func (s *Service) rise(room string, c *Client) {
	if s.cluster != nil {
		s.cluster.rise(room, c)
	}
}

func (s *Service) mend(room string) {
	if s.cluster != nil {
		s.cluster.mend(room)
	}
}

// update makes a change and then looks after the room's deadlines.
func (s *Service) update(room string, create bool, change func(*Room) error) error {
	s.life.RLock()
	defer s.life.RUnlock()
	if s.closed {
		return errClosed
	}
	return s.store.Update(room, create, func(r *Room) error {
		r.opts, r.now = s.opts.Load(), s.store.Now()
		// Deferred: a panic must not leave a room without its timer.
		defer s.settle(r)
		if s.cluster != nil && s.cluster.overtake(r) {
			return errOvertaken
		}
		return change(r)
	})
}

// settle ends an empty room at its time and sets the timer to what is due next.
func (s *Service) settle(r *Room) {
	r.entering = ""
	switch {
	case len(r.list) > 0:
		r.emptyAt = time.Time{}
	case r.orders == 0 || r.locked:
		// Nobody ever came in: the join that made it failed. Or nobody can
		// come in: only a peer inside could unlock it.
		r.ended = true
	case r.emptyAt.IsZero():
		r.emptyAt = r.now.Add(r.opts.EmptyTimeout)
	}
	if !r.emptyAt.IsZero() && !r.now.Before(r.emptyAt) {
		r.ended = true
	}
	switch {
	case r.node != "":
		// The cluster's store sets the timer once the room is written.
	case r.ended:
		r.arm(time.Time{}, nil)
	default:
		r.arm(r.due(), func() { s.sweep(r.name) })
	}
}

// sweep does what is due in a room. It looks at the deadlines only, so that a timer
// that fires late, early or twice does no harm.
func (s *Service) sweep(room string) {
	// A room that has ended, or a closed service, has nothing due.
	_ = s.update(room, false, func(r *Room) error {
		r.armed = time.Time{}
		r.tick()
		return nil
	})
}

// tick does what is due.
func (r *Room) tick() {
	for len(r.absent) > 0 && !r.now.Before(r.absent[0].deadline) {
		a := r.absent[0]
		r.absent = r.absent[1:]
		if a.peer.away && r.peers[a.peer.id] == a.peer && a.peer.deadline.Equal(a.deadline) {
			r.remove(a.peer, reasonTimeout)
		}
	}
	r.expireLocks()
	if at := r.presence.at; !at.IsZero() && !r.now.Before(at) {
		r.flush()
	}
}

// due is the next deadline, zero if there is none.
func (r *Room) due() time.Time {
	if r.ended {
		return time.Time{}
	}
	next := r.emptyAt
	earlier := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	r.trimAbsent()
	if len(r.absent) > 0 {
		earlier(r.absent[0].deadline)
	}
	for i := range r.locks {
		earlier(r.locks[i].expires)
	}
	earlier(r.presence.at)
	return next
}

// trimAbsent forgets those who came back: at the head always, so that the timer
// is not set for them, elsewhere when they outnumber the peers.
func (r *Room) trimAbsent() {
	stale := func(a absence) bool {
		return !a.peer.away || r.peers[a.peer.id] != a.peer || !a.peer.deadline.Equal(a.deadline)
	}
	for len(r.absent) > 0 && stale(r.absent[0]) {
		r.absent = r.absent[1:]
	}
	if len(r.absent) > 2*len(r.list)+16 {
		r.absent = slices.DeleteFunc(r.absent, stale)
	}
	if len(r.absent) == 0 {
		r.absent = nil
	}
}

// arm sets the room's timer, or stops it if at is zero. Most changes leave the next
// deadline where it is and touch no timer.
func (r *Room) arm(at time.Time, f func()) {
	switch {
	case at.Equal(r.armed):
		return
	case at.IsZero():
		r.timer.Stop()
	case r.timer == nil:
		r.timer = time.AfterFunc(time.Until(at), f)
	default:
		r.timer.Reset(time.Until(at))
	}
	r.armed = at
}
