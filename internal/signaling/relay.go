package signaling

import (
	"encoding/json"
	"errors"
	"sync"
)

// What waits for an away peer is bounded by number and by bytes of payload.
const (
	maxWaiting      = 64
	maxWaitingBytes = 256 << 10
)

// errAbsent never leaves this file. It tells a look that the peer has no socket now, so that the event must
// wait, which is a change.
var errAbsent = errors.New("the peer is away")

// offer handles "offer" {room, to, description}; see describe.
func (c *Client) offer(raw json.RawMessage, answer Answer) error {
	return c.describe("offer", raw, answer)
}

// answer handles "answer" {room, to, description}; see describe.
func (c *Client) answer(raw json.RawMessage, answer Answer) error {
	return c.describe("answer", raw, answer)
}

// describe relays a description as {room, from, description}. It is not read:
// whether it makes sense is between the two browsers. Over MaxDescription it is
// "too-large".
func (c *Client) describe(event string, raw json.RawMessage, answer Answer) error {
	p, err := parse(raw, "room", "to", "description")
	if err != nil {
		return err
	}
	room, to, err := p.address()
	if err != nil {
		return err
	}
	description, err := p.need("description")
	if err != nil {
		return err
	}
	if description[0] != '{' {
		return invalid("description must be an object")
	}
	if err := within("description", description, c.service.opts.Load().MaxDescription); err != nil {
		return err
	}
	if err := c.relay(room, to, event, "description", description); err != nil {
		return err
	}
	answer(done)
	return nil
}

// candidate handles "candidate" {room, to, candidate}, where null tells the end of
// candidates as browsers do.
func (c *Client) candidate(raw json.RawMessage, answer Answer) error {
	p, err := parse(raw, "room", "to", "candidate")
	if err != nil {
		return err
	}
	room, to, err := p.address()
	if err != nil {
		return err
	}
	candidate, err := p.need("candidate")
	if err != nil {
		return err
	}
	if candidate[0] != '{' && candidate[0] != 'n' {
		return invalid("candidate must be an object or null")
	}
	if err := within("candidate", candidate, c.service.opts.Load().MaxMessage); err != nil {
		return err
	}
	if err := c.relay(room, to, "candidate", "candidate", candidate); err != nil {
		return err
	}
	answer(done)
	return nil
}

// address reads the fields of an event to one peer.
func (p *payload) address() (room, to string, err error) {
	if room, err = p.name("room"); err != nil {
		return "", "", err
	}
	to, err = p.text("to", true)
	return room, to, err
}

// relay sends a value to one peer, or lets it wait for that peer. The usual case
// only looks at the room, so that relays exclude neither each other nor those of
// other rooms.
func (c *Client) relay(room, to, event, field string, value json.RawMessage) error {
	err := c.service.store.View(room, func(r *Room) error {
		p, target, err := r.pair(c, to)
		if err != nil {
			return err
		}
		// A peer that is away is not tried: what it missed waits in order.
		if target.away || len(target.waiting) > 0 || !r.pass(p, target, event, field, value) {
			return errAbsent
		}
		return nil
	})
	if !errors.Is(err, errAbsent) {
		return err
	}
	return c.service.update(room, false, func(r *Room) error {
		p, target, err := r.pair(c, to)
		if err != nil {
			return err
		}
		return r.take(target, event, r.relayed(p, field, value))
	})
}

// payloads are buffers for what is sent at once. Nearly all that is relayed is, and
// most of the memory that a relay would take is this copy.
var payloads = sync.Pool{New: func() any { return new([]byte) }}

// maxPooled bounds the buffers that are used again: one large description must not
// stay for good.
const maxPooled = 16 << 10

// pass sends a value on at once; false is as for to. It is for looks, which hold
// nothing back.
func (r *Room) pass(from, target *Peer, event, field string, value json.RawMessage) bool {
	buf := payloads.Get().(*[]byte)
	*buf = r.appendRelayed((*buf)[:0], from, field, value)
	ok := r.to(target, event, *buf)
	if cap(*buf) <= maxPooled {
		payloads.Put(buf)
	}
	return ok
}

// pair finds both ends. The sender's membership is asked first, so that an outsider
// gets "not-in-room" whatever ids it tries.
func (r *Room) pair(c *Client, to string) (from, target *Peer, err error) {
	if from, err = r.member(c); err != nil {
		return nil, nil, err
	}
	target, err = r.other(to)
	return from, target, err
}

// take sends to a peer, or keeps what is sent to one whose socket is gone, known
// to be so or not yet.
func (r *Room) take(p *Peer, name string, payload json.RawMessage) error {
	if !p.away && len(p.waiting) == 0 && r.to(p, name, payload) {
		return nil
	}
	if len(p.waiting) >= maxWaiting || p.size+len(payload) > maxWaitingBytes {
		return errPeerUnavailable
	}
	r.keepFor(p, name, payload)
	p.waiting = append(p.waiting, event{name, payload})
	p.size += len(payload)
	return nil
}

// catchUp sends what has waited to the peer's new socket. If that is gone again
// already, the rest goes on waiting.
func (r *Room) catchUp(p *Peer) {
	for len(p.waiting) > 0 {
		next := p.waiting[0]
		if !r.to(p, next.name, next.payload) {
			return
		}
		p.size -= len(next.payload)
		p.waiting = p.waiting[1:]
	}
	p.waiting = nil
}
