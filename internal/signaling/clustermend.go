package signaling

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
)

// Bounds of looking after rooms: how many at once, when what could not be done is
// tried again, and how old this node's copy of a room with peers of its own may be.
const (
	menders    = 16
	mendingGap = 500 * time.Millisecond
	oldest     = time.Second
)

// errOvertaken is the outcome of a change that has done what was due, and has
// nothing else done yet.
var errOvertaken = errors.New("the room was looked after first")

// overtake does what is due in a room before it is changed: what its keeper would
// have done or is about to do, or what nobody did since no node had a part in the
// room, and what the end of a node means for its peers. It reports whether there
// was something. That is written before the change is made: it counts whether or not
// the change is refused, and a room that ends with it is not there for the change.
// Peers of this node whom others took for lost are back before they ask for anything.
func (cl *cluster) overtake(r *Room) (overdue bool) {
	if len(r.list) == 0 {
		return false
	}
	for _, p := range slices.Clone(r.list) {
		if p.away && p.node == r.node && r.now.Before(p.deadline) && p.client.alive() && p.client.in(r.name) {
			r.reseat(p, p.client)
		}
		if !p.away && cl.deserted(r, p) {
			r.depart(p)
			overdue = true
		}
	}
	due := r.due()
	if due.IsZero() || r.now.Before(due) {
		return overdue
	}
	last := r.now
	if n := len(r.absent); n > 0 && !overdue {
		last = r.absent[n-1].deadline
	}
	r.tick()
	if len(r.list) == 0 {
		r.emptyAt = last.Add(r.opts.EmptyTimeout)
	}
	return overdue || !r.due().Equal(due)
}

// deserted reports whether a peer that is not away has nobody who would notice its
// end: its node is gone, or it is of this node, but from before the namespace was
// removed here and came back.
func (cl *cluster) deserted(r *Room, p *Peer) bool {
	if p.node != r.node {
		return cl.shared.Gone(p.node)
	}
	if p.client != nil {
		return false
	}
	for c := range cl.seated(r.name) {
		if c.id == p.socket {
			return false // it is about to leave
		}
	}
	return true
}

// mend has rooms looked after soon.
func (cl *cluster) mend(names ...string) {
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = roomPrefix + name
	}
	cl.repair(keys...)
}

// repair has rooms and users looked after soon.
func (cl *cluster) repair(keys ...string) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	for _, key := range keys {
		cl.broken[key] = struct{}{}
	}
	select {
	case cl.wake <- struct{}{}:
	default:
	}
}

// mender looks after rooms, until the store is closed.
func (cl *cluster) mender() {
	for {
		select {
		case <-cl.wake:
		case <-cl.ended:
			return
		}
		if !cl.mendAll() {
			select {
			case <-time.After(mendingGap):
			case <-cl.ended:
				return
			}
		}
	}
}

// mendAll reports whether all could be done.
func (cl *cluster) mendAll() bool {
	cl.mu.Lock()
	broken := cl.broken
	cl.broken = make(map[string]struct{})
	cl.mu.Unlock()
	var running sync.WaitGroup
	var mu sync.Mutex
	var failed []string
	free := make(chan struct{}, menders)
	for key := range broken {
		free <- struct{}{}
		running.Go(func() {
			defer func() { <-free }()
			if !cl.mendKey(key) {
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, key)
			}
		})
	}
	running.Wait()
	if len(failed) > 0 {
		cl.repair(failed...)
	}
	return len(failed) == 0
}

func (cl *cluster) mendKey(key string) bool {
	if user, isUser := strings.CutPrefix(key, userPrefix); isUser {
		return cl.mendUser(user) == nil
	}
	return cl.mendRoom(strings.TrimPrefix(key, roomPrefix))
}

// mendRoom makes a room and this node's clients agree, and does what is due. It
// is false if the cluster could not be reached.
func (cl *cluster) mendRoom(name string) bool {
	err := cl.service.update(name, false, func(r *Room) error {
		if cl.shared.Gone(r.keeper) {
			r.keeper = r.node
		}
		for _, p := range slices.Clone(r.list) {
			if p.node == r.node {
				r.reconcile(p)
			}
		}
		r.succeed()
		for c := range cl.seated(name) {
			if p := r.sockets[c.id]; p == nil || p.node != r.node {
				r.held.over(c.id)
			}
		}
		return nil
	})
	if errors.Is(err, errNotInRoom) {
		cl.evict(name, reasonTimeout, cl.seated(name))
	}
	return !errors.Is(err, errUnavailable)
}

// reconcile makes a peer of this node what its client is.
func (r *Room) reconcile(p *Peer) {
	switch c := p.client; {
	case !c.alive():
		if !p.away {
			r.depart(p)
		}
	case c.undecided(r.name):
	case !c.in(r.name):
		// Its entry was written, but the client has been told that it failed.
		if !p.away {
			r.remove(p, reasonLeft)
		}
	case p.away:
		r.reseat(p, c)
	default:
		r.noteClaims(p)
	}
}

// seated copies the seats of a room.
func (cl *cluster) seated(name string) map[*Client]string {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	seats := make(map[*Client]string)
	if p := cl.places[name]; p != nil {
		for c, id := range p.seats {
			seats[c] = id
		}
	}
	return seats
}

// evict tells those who believe to be in a room, but are not any more.
func (cl *cluster) evict(name, reason string, seats map[*Client]string) {
	r := cl.blank(name)
	for c, id := range seats {
		c.conn.Emit("peer-left", r.leftPayload(id, reason))
		c.put(name)
	}
}

// lost looks after the rooms that a node is gone from, as far as peers here are
// concerned by it.
func (cl *cluster) lost(node string) {
	var names []string
	for _, p := range cl.occupied() {
		p.mu.Lock()
		if !p.fresh() || p.room.concerns(node) {
			names = append(names, p.name)
		}
		p.mu.Unlock()
	}
	cl.mend(names...)
}

// concerns reports whether a node has a part in the room.
func (r *Room) concerns(node string) bool {
	return r.keeper == node || slices.ContainsFunc(r.list, func(p *Peer) bool { return p.node == node })
}

// occupied lists the places with peers of this node.
func (cl *cluster) occupied() []*place {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	var all []*place
	for _, p := range cl.places {
		if len(p.seats) > 0 {
			all = append(all, p)
		}
	}
	return all
}

// back looks after all rooms: this node may have been taken for gone, or the
// cluster may have lost its memory.
func (cl *cluster) back() {
	for _, p := range cl.occupied() {
		p.mu.Lock()
		p.doubted = true
		p.mu.Unlock()
	}
	cl.mend(cl.Names()...)
	cl.listAll()
}

// age notes that the copy of a room is old. With mu held.
func (cl *cluster) age(name string) {
	if cl.aged == nil {
		cl.aged = make(map[string]struct{})
		cl.running.Go(cl.refresh)
	}
	cl.aged[name] = struct{}{}
}

// refresh reads what others have written of the rooms with peers here, a little later,
// at once for all that was written until then: if the cluster loses its memory,
// the rooms are brought back as they were. What cannot be read has its turn when this
// node is back.
func (cl *cluster) refresh() {
	select {
	case <-time.After(oldest):
	case <-cl.ended:
		return
	}
	cl.mu.Lock()
	aged := cl.aged
	cl.aged = nil
	cl.mu.Unlock()
	for name := range aged {
		p := cl.at(name)
		if p == nil {
			continue
		}
		p.mu.Lock()
		fresh := p.fresh()
		p.mu.Unlock()
		if fresh {
			continue
		}
		if _, err := cl.read(p); err != nil {
			return
		}
	}
}

// renewer says now and then which rooms are in use, until the store is closed.
func (cl *cluster) renewer() {
	ticker := time.NewTicker(renewal)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-cl.ended:
			return
		}
		var keys []string
		for _, name := range cl.Names() {
			keys = append(keys, roomPrefix+name)
		}
		o := cl.service.opts.Load()
		if o.DirectMessages {
			keys = append(keys, cl.userKeys()...)
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		for some := range slices.Chunk(keys, 500) {
			if err := cl.shared.Touch(ctx, lifetime+o.DepartureGrace+o.EmptyTimeout, some); err != nil {
				cl.shared.Report(err)
				break
			}
		}
		cancel()
	}
}
