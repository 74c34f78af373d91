package signaling

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"
)

// Bounds of locks: times to live in milliseconds, and their number in a room.
const (
	defaultTTL = 10_000
	minTTL     = 1_000
	maxTTL     = 300_000
	maxLocks   = 64
)

// lock is a name that one peer has for a time.
type lock struct {
	name    string
	owner   *Peer
	expires time.Time
}

// lock handles "lock" {room, name, ttl?: ms} by taking the lock or, for its owner,
// setting its time anew. It answers {lock: {name, owner, expires}}, or "lock-held"
// with owner and expires. The others are told by the event "lock".
func (c *Client) lock(raw json.RawMessage, answer Answer) error {
	p, err := parse(raw, "room", "name", "ttl")
	if err != nil {
		return err
	}
	if _, err = p.name("room"); err != nil {
		return err
	}
	name, err := p.name("name")
	if err != nil {
		return err
	}
	ttl, err := p.integer("ttl", minTTL, maxTTL, defaultTTL)
	if err != nil {
		return err
	}
	return c.change(&p, func(r *Room, p *Peer) error {
		l, err := r.grab(name, p, time.Duration(ttl)*time.Millisecond)
		if err != nil {
			return err
		}
		r.reply(answer, append(appendLock([]byte(`{"ok":true,"lock":`), l), '}'))
		r.tellLock(name, l, c.id)
		return nil
	})
}

// unlock handles "unlock" {room, name}. It answers nothing further, or "forbidden"
// when another peer has the lock. A free lock is unlocked without news.
func (c *Client) unlock(raw json.RawMessage, answer Answer) error {
	p, err := parse(raw, "room", "name")
	if err != nil {
		return err
	}
	if _, err = p.name("room"); err != nil {
		return err
	}
	name, err := p.name("name")
	if err != nil {
		return err
	}
	return c.change(&p, func(r *Room, p *Peer) error {
		i := r.lockIndex(name)
		if i >= 0 && r.locks[i].owner != p {
			return errForeignLock
		}
		r.reply(answer, done)
		// A lock that has ended by time is as free as its owner wants it.
		if i >= 0 {
			r.locks = slices.Delete(r.locks, i, i+1)
			r.tellLock(name, nil, c.id)
		}
		return nil
	})
}

// lockIndex is where a lock that still runs is, or -1.
func (r *Room) lockIndex(name string) int {
	return slices.IndexFunc(r.locks, func(l lock) bool {
		return l.name == name && r.now.Before(l.expires)
	})
}

// grab takes or renews a lock.
func (r *Room) grab(name string, p *Peer, ttl time.Duration) (*lock, error) {
	i := slices.IndexFunc(r.locks, func(l lock) bool { return l.name == name })
	if i < 0 && len(r.locks) >= maxLocks {
		return nil, tooLarge("a room has at most " + strconv.Itoa(maxLocks) + " locks")
	}
	if i < 0 {
		i = len(r.locks)
		r.locks = append(r.locks, lock{name: name})
	}
	l := &r.locks[i]
	// One whose time is over but whose timer has not come yet passes on.
	if l.owner != nil && l.owner != p && r.now.Before(l.expires) {
		return nil, &Error{
			Code: CodeLockHeld, Message: "another peer has that lock",
			Data: map[string]any{"owner": l.owner.id, "expires": l.expires.UnixMilli()},
		}
	}
	l.owner, l.expires = p, r.now.Add(ttl)
	return l, nil
}

// freeLocksOf ends the locks of a peer that has left.
func (r *Room) freeLocksOf(p *Peer) { r.freeLocks(func(l *lock) bool { return l.owner == p }) }

// expireLocks ends what has run out. The owner is told as well: it may not have
// looked at its clock.
func (r *Room) expireLocks() { r.freeLocks(func(l *lock) bool { return !r.now.Before(l.expires) }) }

// freeLocks ends locks first and tells of them then, so that the room is settled
// when the events go out.
func (r *Room) freeLocks(which func(*lock) bool) {
	var free []string
	r.locks = slices.DeleteFunc(r.locks, func(l lock) bool {
		if !which(&l) {
			return false
		}
		free = append(free, l.name)
		return true
	})
	for _, name := range free {
		r.tellLock(name, nil, "")
	}
}

// tellLock tells of a lock, nil when it is free now.
func (r *Room) tellLock(name string, l *lock, except string) {
	b := append(r.head(len(name)+96), `,"name":`...)
	b = appendText(b, name)
	if l == nil {
		b = append(b, `,"owner":null,"expires":null}`...)
	} else {
		b = append(append(append(b, `,"owner":"`...), l.owner.id...), `","expires":`...)
		b = append(appendMillis(b, l.expires), '}')
	}
	r.all("lock", b, except)
}

// appendLock appends a Lock. Owners are named by peer id, which needs no escaping.
func appendLock(b []byte, l *lock) []byte {
	b = appendText(append(b, `{"name":`...), l.name)
	b = append(append(append(b, `,"owner":"`...), l.owner.id...), `","expires":`...)
	return append(appendMillis(b, l.expires), '}')
}

// appendLocks appends an array of Locks, in the order of their taking.
func appendLocks(b []byte, locks []lock) []byte {
	b = append(b, '[')
	for i := range locks {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendLock(b, &locks[i])
	}
	return append(b, ']')
}
