package signaling

import (
	"fmt"
	"maps"
	"slices"
	"testing"
)

// view is what a client knows of room r from its snapshot and the events since.
// It is strict: news that it has already, or about peers it does not know, is an
// error.
type view struct {
	t     testing.TB
	self  string
	token string
	in    bool
	peers map[string]peerJSON
	locks map[string]string
}

type newsJSON struct {
	ID, Reason, Name string
	Owner            *string
	Peer             peerJSON
	State            map[string]any
}

func (v *view) apply(log []sent) {
	for _, e := range log {
		switch e.event {
		case "ack join":
			v.reset(decode[joined](v.t, e.payload))
		case "ack leave":
			v.in = false
		case "peer-joined":
			v.join(decode[newsJSON](v.t, e.payload).Peer)
		case "peer-left":
			v.left(decode[newsJSON](v.t, e.payload).ID)
		case "peer-away", "peer-back":
			v.away(decode[newsJSON](v.t, e.payload).ID, e.event == "peer-away")
		case "peer-state":
			n := decode[newsJSON](v.t, e.payload)
			v.state(n.ID, n.State)
		case "presence":
			v.presence(decode[batchJSON](v.t, e.payload))
		case "lock":
			n := decode[newsJSON](v.t, e.payload)
			if delete(v.locks, n.Name); n.Owner != nil {
				v.locks[n.Name] = *n.Owner
			}
		case "ack lock":
			v.locks[decode[struct{ Lock lockJSON }](v.t, e.payload).Lock.Name] = v.self
		case "moderation":
			m := decode[struct{ Action, Peer string }](v.t, e.payload)
			if p, known := v.peers[m.Peer]; known && m.Action == "promote" {
				p.Role = "host"
				v.peers[m.Peer] = p
			}
		}
	}
}

func (v *view) reset(j joined) {
	v.in, v.self, v.token = true, j.Self.ID, j.Resume
	v.peers, v.locks = map[string]peerJSON{j.Self.ID: j.Self}, map[string]string{}
	for _, p := range j.Peers {
		if p.Polite != (j.Self.Order > p.Order) {
			v.t.Errorf("order %d towards %d: polite %v", j.Self.Order, p.Order, p.Polite)
		}
		v.peers[p.ID] = p
	}
	for _, l := range j.Locks {
		v.locks[l.Name] = l.Owner
	}
	if len(v.peers) != j.Count {
		v.t.Errorf("a snapshot of %d peers counts %d", len(v.peers), j.Count)
	}
}

func (v *view) join(p peerJSON) {
	if _, known := v.peers[p.ID]; known {
		v.t.Errorf("%s joined twice", p.ID)
	}
	v.peers[p.ID] = p
}

func (v *view) left(id string) {
	if id == v.self {
		v.in = false
		return
	}
	if _, known := v.peers[id]; !known {
		v.t.Errorf("%s left, but was not there", id)
	}
	delete(v.peers, id)
}

func (v *view) away(id string, away bool) {
	p, known := v.peers[id]
	if !known {
		v.t.Errorf("news of %s, which is unknown", id)
	}
	p.Away = away
	v.peers[id] = p
}

func (v *view) state(id string, state map[string]any) {
	p, known := v.peers[id]
	if !known {
		v.t.Errorf("state of %s, which is unknown", id)
	}
	p.State = state
	v.peers[id] = p
}

func (v *view) presence(b batchJSON) {
	for _, p := range b.Joined {
		v.join(p)
	}
	for _, l := range b.Left {
		v.left(l.ID)
	}
	for _, id := range b.Away {
		v.away(id, true)
	}
	for _, id := range b.Back {
		v.away(id, false)
	}
	for _, s := range b.States {
		v.state(s.ID, s.State)
	}
	if v.in && len(v.peers) != b.Count {
		v.t.Errorf("after a batch %d peers are known of %d", len(v.peers), b.Count)
	}
}

// text is the view in a comparable form. A peer's own state is what it has sent.
func (v *view) text() string {
	return text(slices.Collect(maps.Values(v.peers)), v.locks, v.self)
}

func text(peers []peerJSON, locks map[string]string, self string) string {
	slices.SortFunc(peers, func(a, b peerJSON) int { return a.Order - b.Order })
	s := ""
	for _, p := range peers {
		if p.ID == self {
			p.State = nil
		}
		s += fmt.Sprintf("%s %d %s away=%v state=%v\n", p.ID, p.Order, p.Role, p.Away, p.State["n"])
	}
	for _, name := range slices.Sorted(maps.Keys(locks)) {
		s += name + " " + locks[name] + "\n"
	}
	return s
}
