package signaling

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Times of a room in a cluster.
const (
	// patience is how long an event may wait for the cluster.
	patience = 3 * time.Second
	// lifetime is how long a room outlives the nodes that know of it, in addition
	// to its own times; renewal is how often they say that they do.
	lifetime = 10 * time.Minute
	renewal  = 3 * time.Minute
	// lateness is how long after its time something is done by others than the
	// keeper.
	lateness = 3 * time.Second
)

// roomPrefix is that of the keys of rooms.
const roomPrefix = "room/"

// cluster is the store of a node that shares its rooms with others. A change is
// made on a copy of the room and written if nobody else has written meanwhile,
// otherwise made again; what it sends goes out with the write. Looks use the copy
// that was written or read last, unless another node has told of a newer one, so
// that a relay asks nobody.
//
// The node that has written a room last is its keeper, and sets a timer. When it is
// gone, the others look after the rooms that they have peers in. They also set a
// later timer: the keeper may live on without the namespace.
//
// All methods may be called concurrently. A place's turn is taken before any other
// lock; mu, a place's mu and the client's are held for moments only.
type cluster struct {
	shared  Shared
	reach   Reach
	service *Service
	stop    func()
	ended   chan struct{}
	running sync.WaitGroup

	mu sync.Mutex
	// places are the rooms in use here; guarded by mu.
	places map[string]*place
	// broken are the keys to be looked after; guarded by mu.
	broken map[string]struct{}
	wake   chan struct{}
	// aged are the rooms that are soon read again, nil if there are none; guarded by
	// mu.
	aged map[string]struct{}
}

// place is a room as this node knows it.
type place struct {
	name string
	turn chan struct{} // of changes, held by one at a time

	// The cluster's mu guards users, who have the place in hand, and seats, those
	// of this node's sockets, with the ids of their peers.
	users int
	seats map[*Client]string

	mu sync.Mutex // guards the following fields
	// text and version are what was read or written last, room what it says, nil
	// if the room is not there. A room here is never changed any more.
	text    []byte
	version uint64
	room    *Room
	// noted is the newest version of which another node has told; with doubted
	// set, one may have been missed.
	noted   uint64
	doubted bool
	timer   *time.Timer
	armed   bool // timer is set as the keeper's
}

// NewShared makes a store for a node of a cluster. Its Service must be closed
// before what is shared ends.
func NewShared(shared Shared, reach Reach) Store {
	return &cluster{
		shared: shared, reach: reach, ended: make(chan struct{}),
		places: make(map[string]*place), broken: make(map[string]struct{}), wake: make(chan struct{}, 1),
	}
}

// Now implements Store.
func (cl *cluster) Now() time.Time { return cl.shared.Now() }

func (cl *cluster) start(s *Service) {
	cl.service, s.cluster = s, cl
	cl.running.Go(cl.mender)
	cl.running.Go(cl.renewer)
	cl.stop = cl.shared.Watch(cl.noted, cl.lost, cl.back)
}

// close leaves the rooms to the other nodes.
func (cl *cluster) close() {
	cl.stop()
	close(cl.ended)
	cl.running.Wait()
	cl.mu.Lock()
	defer cl.mu.Unlock()
	for _, p := range cl.places {
		p.mu.Lock()
		p.disarm()
		p.mu.Unlock()
	}
	clear(cl.places)
}

// Names implements Store.
func (cl *cluster) Names() []string {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	var names []string
	for name, p := range cl.places {
		if len(p.seats) > 0 {
			names = append(names, name)
		}
	}
	return names
}

// stats counts what is known here, and asks nobody.
func (cl *cluster) stats() (st Stats) {
	cl.mu.Lock()
	for _, p := range cl.places {
		if len(p.seats) > 0 {
			st.Rooms++
		}
		p.mu.Lock()
		if p.armed {
			st.Timers++
		}
		if p.room != nil {
			for _, one := range p.room.list {
				if one.node == p.room.node {
					st.Peers++
				}
				if one.node == p.room.node && one.away {
					st.Away++
				}
			}
		}
		p.mu.Unlock()
	}
	cl.mu.Unlock()
	st.Sockets = cl.service.sockets()
	return st
}

// take returns the place of a room, which stays until it is given back.
func (cl *cluster) take(name string) *place {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	p := cl.open(name)
	p.users++
	return p
}

// open must be called with mu held.
func (cl *cluster) open(name string) *place {
	p := cl.places[name]
	if p == nil {
		p = &place{name: name, turn: make(chan struct{}, 1), seats: make(map[*Client]string, 1)}
		cl.places[name] = p
	}
	return p
}

// give gives a place back. Where nobody sits and nothing is due, it is forgotten.
func (cl *cluster) give(p *place) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	p.users--
	cl.forget(p)
}

// forget must be called with mu held.
func (cl *cluster) forget(p *place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.users == 0 && len(p.seats) == 0 && !p.armed && cl.places[p.name] == p {
		p.disarm()
		delete(cl.places, p.name)
	}
}

// sit notes that a socket of this node is in a room, as the peer of that id.
func (cl *cluster) sit(name string, c *Client, id string) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	cl.open(name).seats[c] = id
}

// rise is sit's opposite.
func (cl *cluster) rise(name string, c *Client) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if p := cl.places[name]; p != nil {
		delete(p.seats, c)
		cl.forget(p)
	}
}

// at returns the place of a room if it is in use.
func (cl *cluster) at(name string) *place {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	return cl.places[name]
}

// note is what nodes tell each other of a write.
type note struct {
	// Out are sockets that have left the room, Over those of them that are to be told
	// why, where they still are.
	Out  []string `json:"out,omitempty"`
	Over []string `json:"over,omitempty"`
	// Back are nodes with peers in a room that the cluster had lost. Who brought it
	// back may not have known that some have left.
	Back []string `json:"back,omitempty"`
	// Due is what [Room.due] is after the write, as in a document.
	Due int64 `json:"due,omitempty"`
}

// noted takes note of another node's write.
func (cl *cluster) noted(key string, version uint64, text []byte) {
	name, ours := strings.CutPrefix(key, roomPrefix)
	if !ours {
		return
	}
	var n note
	if json.Unmarshal(text, &n) != nil {
		n = note{} // another release's, which has to say nothing to this one
	}
	if slices.Contains(n.Back, cl.shared.Node()) {
		cl.mend(name)
	}
	p := cl.at(name)
	if p == nil {
		return
	}
	cl.mu.Lock()
	if len(p.seats) > 0 {
		cl.age(name)
	}
	cl.mu.Unlock()
	p.mu.Lock()
	if version > p.noted {
		p.noted = version
		cl.set(p, fromMicros(n.Due), false)
	}
	p.mu.Unlock()
	cl.leave(name, &n)
}

// leave takes the sockets of a note out of a room that are here.
func (cl *cluster) leave(name string, n *note) {
	if len(n.Over) > 0 {
		told := cl.seated(name)
		maps.DeleteFunc(told, func(c *Client, _ string) bool { return !slices.Contains(n.Over, c.id) })
		cl.evict(name, reasonTimeout, told)
	}
	for _, id := range n.Out {
		if c := cl.service.client(id); c != nil {
			c.put(name)
		}
	}
}

// View implements Store.
func (cl *cluster) View(name string, look func(*Room) error) error {
	p := cl.at(name)
	if p == nil {
		return errNotInRoom // nobody of this node is in it
	}
	r, err := cl.current(p)
	if err != nil {
		return err
	}
	if r == nil {
		return errNotInRoom
	}
	return look(r)
}

// current is the room as of now, or as it was last known while the cluster is
// away: peers of this node still reach each other.
func (cl *cluster) current(p *place) (*Room, error) {
	p.mu.Lock()
	r, fresh := p.room, p.fresh()
	p.mu.Unlock()
	if fresh {
		return r, nil
	}
	newer, err := cl.read(p)
	if err == nil && newer != nil {
		return newer, nil
	}
	if r == nil && err != nil {
		return nil, errUnavailable
	}
	return r, nil
}

// read takes over what the cluster has, and returns it; nil is a room that it does
// not have.
func (cl *cluster) read(p *place) (*Room, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	v, err := cl.shared.Get(ctx, roomPrefix+p.name)
	if err != nil || v.Version == 0 {
		return nil, err
	}
	r, err := cl.decode(p.name, v)
	if err != nil {
		return nil, err
	}
	return p.keep(v, r), nil
}

// fresh reports whether the copy is the newest that this node knows of. It must
// be called with mu held.
func (p *place) fresh() bool { return p.room != nil && p.version >= p.noted && !p.doubted }

// keep takes over what was read or written, unless there is a newer copy, which
// it returns.
func (p *place) keep(v Value, r *Room) *Room {
	p.mu.Lock()
	defer p.mu.Unlock()
	if v.Version >= p.version {
		p.text, p.room, p.version, p.doubted = v.Data, r, v.Version, false
	}
	return p.room
}

// decode reads a room, nil if it is missing.
func (cl *cluster) decode(name string, v Value) (*Room, error) {
	if v.Version == 0 {
		return nil, nil
	}
	r := cl.blank(name)
	if err := r.decode(v.Data); err != nil {
		return nil, err
	}
	for _, p := range r.list {
		if p.node == r.node {
			p.client = cl.service.client(p.socket)
		}
	}
	return r, nil
}

func (cl *cluster) blank(name string) *Room {
	r := newRoom(name, cl.reach)
	r.node, r.opts = cl.shared.Node(), cl.service.opts.Load()
	return r
}
