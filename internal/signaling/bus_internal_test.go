package signaling

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// bus is what the nodes of a test's cluster share. It makes their life hard: some
// writes find that another node was faster, each node hears of things at its own
// pace, and nodes can be cut off or killed.
type bus struct {
	lag bool // nodes hear late; only where time is virtual

	mu      sync.Mutex
	news    *sync.Cond
	rand    *rand.Rand
	entries map[string]Value
	version uint64
	log     []busItem
	nodes   []*busNode
	down    bool
	// late lets nodes that were cut off hear then what they have missed.
	late bool
	// deaf makes writes whose writer never learns of it.
	deaf bool
}

type busItem struct {
	from    *busNode
	key     string
	version uint64
	step    Step
}

// busNode is a node's side of the bus, and what the world's sockets on that node
// hear.
type busNode struct {
	bus     *bus
	world   *world
	service *Service
	id      string

	// The bus's mu guards the following fields.
	next     int // in the log
	dead     bool
	stopped  bool
	goneFrom map[string]bool // nodes that this one takes for gone
	noted    func(string, uint64, []byte)
	gone     func(string)
	back     func()
}

var errDown = errors.New("the bus is down")

func newBus(w *world, n int, lag bool, o Options) *bus {
	b := &bus{entries: map[string]Value{}, rand: rand.New(rand.NewPCG(1, uint64(n))), lag: lag}
	b.news = sync.NewCond(&b.mu)
	var ended sync.WaitGroup
	for i := range n {
		node := &busNode{bus: b, world: w, id: fmt.Sprint("n", i), goneFrom: map[string]bool{}}
		b.nodes = append(b.nodes, node)
	}
	for _, node := range b.nodes {
		node.service = New(NewShared(node, node), o)
		ended.Go(node.run)
	}
	w.t.Cleanup(func() {
		if b.lag { // what is under way holds locks that Close takes, and waits for time to pass
			b.settle()
		}
		for _, node := range b.nodes {
			_ = node.service.Close()
			b.mu.Lock()
			node.stopped = true
			b.mu.Unlock()
		}
		b.news.Broadcast()
		ended.Wait()
	})
	return b
}

// run delivers, in order.
func (n *busNode) run() {
	for {
		n.bus.mu.Lock()
		for (n.next == len(n.bus.log) || n.dead && n.bus.late) && !n.stopped {
			n.bus.news.Wait()
		}
		if n.stopped {
			n.bus.mu.Unlock()
			return
		}
		item, dead := n.bus.log[n.next], n.dead
		noted := n.noted
		pause := time.Duration(n.bus.rand.IntN(300)) * time.Nanosecond
		n.bus.mu.Unlock()
		if n.bus.lag {
			time.Sleep(pause)
		}
		switch s := item.step; {
		case dead:
		case s.Event != "":
			n.hear(s)
		case item.from == n:
			s.Run()
		default:
			noted(item.key, item.version, s.Note)
		}
		n.bus.mu.Lock()
		n.next++
		n.bus.mu.Unlock()
		n.bus.news.Broadcast()
	}
}

// hear sends to the sockets of this node.
func (n *busNode) hear(s Step) {
	n.world.mu.Lock()
	var to []*socket
	for _, one := range n.world.rooms[s.Room] {
		if one.node == n && !slices.Contains(s.Except, one.id) {
			to = append(to, one)
		}
	}
	if one := n.world.alive[s.Socket]; one != nil && one.node == n {
		to = append(to, one)
	}
	n.world.mu.Unlock()
	for _, one := range to {
		one.Emit(s.Event, s.Payload)
	}
}

// settle waits until all have heard of everything so far.
func (b *bus) settle() {
	b.mu.Lock()
	defer b.mu.Unlock()
	end := len(b.log)
	for slices.ContainsFunc(b.nodes, func(n *busNode) bool { return n.next < end }) {
		b.news.Wait()
	}
}

func (n *busNode) Node() string { return n.id }

func (n *busNode) Now() time.Time { return time.Now() }

func (n *busNode) Report(error) {}

func (n *busNode) Gone(node string) bool {
	n.bus.mu.Lock()
	defer n.bus.mu.Unlock()
	return n.goneFrom[node]
}

// unreachable must be called with the bus's mu held.
func (n *busNode) unreachable() bool { return n.dead || n.bus.down }

func (n *busNode) Get(_ context.Context, key string) (Value, error) {
	n.bus.mu.Lock()
	defer n.bus.mu.Unlock()
	if n.unreachable() {
		return Value{}, errDown
	}
	return n.bus.entries[key], nil
}

func (n *busNode) Touch(context.Context, time.Duration, []string) error { return nil }

func (n *busNode) Swap(_ context.Context, key string, version uint64, value []byte, ttl time.Duration, steps []Step) (Value, error) {
	b := n.bus
	b.mu.Lock()
	defer b.mu.Unlock()
	if ttl <= 0 {
		n.world.t.Errorf("%s is written for good", key)
	}
	if n.unreachable() {
		return Value{}, errDown
	}
	old := b.entries[key]
	if b.rand.IntN(4) == 0 && old.Version > 0 {
		b.version++ // as if another node had written it
		old.Version = b.version
		b.entries[key] = old
	}
	if old.Version != version {
		return old, ErrStale
	}
	b.version++
	next := Value{value, b.version}
	if b.entries[key] = next; value == nil {
		delete(b.entries, key)
	}
	for _, s := range steps {
		b.log = append(b.log, busItem{n, key, b.version, s})
	}
	end := len(b.log)
	b.news.Broadcast()
	if b.deaf {
		return Value{}, errDown
	}
	for n.next < end {
		b.news.Wait()
	}
	return next, nil
}

func (n *busNode) Watch(noted func(string, uint64, []byte), gone func(string), back func()) func() {
	n.bus.mu.Lock()
	defer n.bus.mu.Unlock()
	n.noted, n.gone, n.back = noted, gone, back
	return func() {}
}

// Broadcast implements Fanout for all nodes: this one at once.
func (n *busNode) Broadcast(room string, except []string, event string, payload json.RawMessage) {
	n.send(Step{Event: event, Payload: payload, Room: room, Except: except})
}

func (n *busNode) Send(socket, event string, payload json.RawMessage) bool {
	n.send(Step{Event: event, Payload: slices.Clone(payload), Socket: socket})
	return true
}

func (n *busNode) send(s Step) {
	n.bus.mu.Lock()
	defer n.bus.mu.Unlock()
	n.bus.log = append(n.bus.log, busItem{from: n, step: s})
	n.bus.news.Broadcast()
}

// living picks a node for a socket.
func (b *bus) living(i int) *busNode {
	b.mu.Lock()
	defer b.mu.Unlock()
	for ; ; i++ {
		if n := b.nodes[i%len(b.nodes)]; !n.dead {
			return n
		}
	}
}

// set changes how the bus is.
func (b *bus) set(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

// cut parts a node from the others or joins it again, who come to know of it.
func (b *bus) cut(n *busNode, off bool) {
	b.set(func() { n.dead = off })
	b.news.Broadcast()
	b.notice(n, off)
	if !off {
		b.settle() // what it has missed comes before it knows that it is back
		n.back()
	}
}

// killed reports whether the node's process has ended; without a cluster it lives.
func (n *busNode) killed() bool {
	if n == nil {
		return false
	}
	n.bus.mu.Lock()
	defer n.bus.mu.Unlock()
	return n.dead
}

// kill ends a node as kill -9 does. The others know after a while.
func (b *bus) kill(dead *busNode) {
	b.mu.Lock()
	dead.dead = true
	b.mu.Unlock()
	dead.world.mu.Lock()
	for id, s := range dead.world.alive {
		if s.node == dead {
			delete(dead.world.alive, id)
		}
	}
	for room, members := range dead.world.rooms {
		dead.world.rooms[room] = slices.DeleteFunc(members, func(s *socket) bool { return s.node == dead })
	}
	dead.world.mu.Unlock()
}

// notice lets the others take a node for gone, or not any more.
func (b *bus) notice(node *busNode, gone bool) {
	for _, n := range b.nodes {
		if n == node {
			continue
		}
		b.mu.Lock()
		n.goneFrom[node.id] = gone
		tell := n.gone
		b.mu.Unlock()
		if gone {
			tell(node.id)
		}
	}
}

// stats counts what the nodes hold together.
func (b *bus) stats() (st Stats) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key, v := range b.entries {
		r := newRoom(key, nil)
		if err := r.decode(v.Data); err != nil {
			b.nodes[0].world.t.Error(err)
		}
		st.Rooms++
		st.Peers += len(r.list)
		st.Away += len(r.list) - r.live
	}
	for _, n := range b.nodes {
		if n.dead {
			continue
		}
		n.service.mu.Lock()
		st.Sockets += len(n.service.clients)
		n.service.mu.Unlock()
		n.service.cluster.mu.Lock()
		for _, p := range n.service.cluster.places {
			p.mu.Lock()
			if p.armed {
				st.Timers++
			}
			p.mu.Unlock()
		}
		n.service.cluster.mu.Unlock()
	}
	return st
}
