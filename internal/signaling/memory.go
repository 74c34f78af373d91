package signaling

import (
	"hash/maphash"
	"sync"
	"time"
)

// shards is how many parts the memory store's table has, so that joins into
// different rooms seldom meet. A power of two.
const shards = 64

// memory is the store of a single node. A room's slot has its own lock, which is
// taken before the lock of the shard it is in. A slot whose room has ended is out
// of the table before its lock is free, so whoever waited for it looks again and
// finds none or a new one: no join is lost between a room's end and its next
// beginning.
type memory struct {
	seed   maphash.Seed
	fanout Fanout
	shards [shards]shard
}

type shard struct {
	mu sync.RWMutex
	// slots is guarded by mu.
	slots map[string]*slot
}

type slot struct {
	mu sync.RWMutex
	// room is guarded by mu; nil once the room has ended and the slot is out of
	// its shard.
	room *Room
}

// NewMemory makes a store for one node. fanout reaches the sockets.
func NewMemory(fanout Fanout) Store {
	m := &memory{seed: maphash.MakeSeed(), fanout: fanout}
	for i := range m.shards {
		m.shards[i].slots = make(map[string]*slot)
	}
	return m
}

// Now implements Store.
func (m *memory) Now() time.Time { return time.Now() }

func (m *memory) start(*Service) {}

// close ends all rooms and stops their timers.
func (m *memory) close() {
	for _, name := range m.Names() {
		// The only error is that the room has just ended.
		_ = m.Update(name, false, func(r *Room) error {
			r.ended = true
			r.arm(time.Time{}, nil)
			return nil
		})
	}
}

// shard picks by a seeded hash, so that no client can choose names that all fall
// into one.
func (m *memory) shard(room string) *shard {
	return &m.shards[maphash.String(m.seed, room)%shards]
}

// Update implements Store.
func (m *memory) Update(name string, create bool, change func(*Room) error) error {
	sh := m.shard(name)
	for {
		sl := sh.slot(name)
		if sl == nil && !create {
			return errNotInRoom
		}
		if sl == nil {
			sl = sh.add(name, m.fanout)
		}
		if alive, err := sl.update(sh, change); alive {
			return err
		}
		// The room ended between the look-up and the lock.
	}
}

// View implements Store.
func (m *memory) View(name string, look func(*Room) error) error {
	sl := m.shard(name).slot(name)
	if sl == nil {
		return errNotInRoom
	}
	sl.mu.RLock()
	defer sl.mu.RUnlock()
	if sl.room == nil {
		return errNotInRoom
	}
	return look(sl.room)
}

// Names implements Store.
func (m *memory) Names() []string {
	var names []string
	for i := range m.shards {
		sh := &m.shards[i]
		sh.mu.RLock()
		for name := range sh.slots {
			names = append(names, name)
		}
		sh.mu.RUnlock()
	}
	return names
}

// slot returns nil for a room that is not there. The slot it returns may end before
// it is locked.
func (sh *shard) slot(name string) *slot {
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	return sh.slots[name]
}

// add returns the slot that another goroutine added meanwhile, if so.
func (sh *shard) add(name string, fanout Fanout) *slot {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sl := sh.slots[name]; sl != nil {
		return sl
	}
	sl := &slot{room: newRoom(name, fanout)}
	sh.slots[name] = sl
	return sl
}

// update reports in alive whether there was a room to change.
func (sl *slot) update(sh *shard, change func(*Room) error) (alive bool, err error) {
	sl.mu.Lock()
	defer sl.mu.Unlock()
	if sl.room == nil {
		return false, nil
	}
	// Deferred, so that a panic in change leaves no room that cannot end.
	defer func() {
		if r := sl.room; r.ended {
			sl.room = nil
			sh.mu.Lock()
			delete(sh.slots, r.name)
			sh.mu.Unlock()
		}
	}()
	return true, change(sl.room)
}
