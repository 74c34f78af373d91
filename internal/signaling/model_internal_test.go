package signaling

import (
	"slices"
	"time"
)

// model is a room as signaling.md describes it, in the plainest terms: hosts are
// chosen by age, and time is looked at when something happens.
type model struct {
	peers  []*modelPeer // oldest first
	locks  map[string]modelLock
	orders int
	empty  time.Time
	locked bool
}

type modelPeer struct {
	peerJSON
	socket   *socket // nil when away
	token    string
	deadline time.Time
}

type modelLock struct {
	owner   *modelPeer
	expires time.Time
}

const (
	modelCapacity = 5
	modelGrace    = 10 * time.Second
	modelEmpty    = 30 * time.Second
)

// advance does what time has done.
func (m *model) advance(now time.Time) {
	for {
		var next *modelPeer
		for _, p := range m.peers {
			if p.Away && !p.deadline.After(now) && (next == nil || p.deadline.Before(next.deadline)) {
				next = p
			}
		}
		if next == nil {
			break
		}
		m.remove(next, next.deadline)
	}
	for name, l := range m.locks {
		if !l.expires.After(now) {
			delete(m.locks, name)
		}
	}
	if len(m.peers) == 0 && !m.empty.IsZero() && !m.empty.Add(modelEmpty).After(now) {
		*m = model{locks: map[string]modelLock{}}
	}
}

func (m *model) remove(p *modelPeer, now time.Time) {
	m.peers = slices.DeleteFunc(m.peers, func(o *modelPeer) bool { return o == p })
	for name, l := range m.locks {
		if l.owner == p {
			delete(m.locks, name)
		}
	}
	if len(m.peers) == 0 {
		m.empty = now
		if m.locked {
			*m = model{locks: map[string]modelLock{}}
		}
		return
	}
	if !slices.ContainsFunc(m.peers, func(o *modelPeer) bool { return o.Role == "host" }) {
		m.peers[0].Role = "host"
	}
}

// of is the peer of a socket, nil if it has none.
func (m *model) of(s *socket) *modelPeer {
	for _, p := range m.peers {
		if p.socket == s {
			return p
		}
	}
	return nil
}

// join returns what a join of a new peer has to give, "" for success.
func (m *model) join(s *socket) (p *modelPeer, code string) {
	switch {
	case m.locked:
		return nil, CodeRoomLocked
	case len(m.peers) >= modelCapacity:
		return nil, CodeRoomFull
	}
	m.orders++
	p = &modelPeer{socket: s, peerJSON: peerJSON{Order: m.orders, Role: "member"}}
	if len(m.peers) == 0 {
		p.Role = "host"
	}
	m.peers = append(m.peers, p)
	return p, ""
}

func (m *model) text(self string) string {
	var peers []peerJSON
	for _, p := range m.peers {
		peers = append(peers, p.peerJSON)
	}
	locks := map[string]string{}
	for name, l := range m.locks {
		locks[name] = l.owner.ID
	}
	return text(peers, locks, self)
}
