package signaling

import (
	"encoding/json"
	"strconv"
)

// leave handles "leave" {room}. The socket hears nothing of the room from then on;
// the others get "peer-left" with the reason "left".
func (c *Client) leave(raw json.RawMessage, answer Answer) error {
	p, err := parse(raw, "room")
	if err != nil {
		return err
	}
	return c.change(&p, func(r *Room, p *Peer) error {
		r.remove(p, reasonLeft)
		r.reply(answer, done)
		return nil
	})
}

// change is a change of the room of a payload by a peer of it.
func (c *Client) change(p *payload, change func(*Room, *Peer) error) error {
	room, err := p.name("room")
	if err != nil {
		return err
	}
	return c.service.update(room, false, func(r *Room) error {
		p, err := r.member(c)
		if err != nil {
			return err
		}
		r.noteClaims(p)
		return change(r, p)
	})
}

// look is a look at the room of a payload by a peer of it.
func (c *Client) look(p *payload, look func(*Room, *Peer) error) error {
	room, err := p.name("room")
	if err != nil {
		return err
	}
	return c.service.store.View(room, func(r *Room) error {
		p, err := r.member(c)
		if err != nil {
			return err
		}
		return look(r, p)
	})
}

// state handles "state" {room, state: object}, which replaces the peer's state as a
// whole: a state is small, and merging would need a rule for removing keys.
func (c *Client) state(raw json.RawMessage, answer Answer) error {
	p, err := parse(raw, "room", "state")
	if err != nil {
		return err
	}
	if _, err = p.name("room"); err != nil {
		return err
	}
	if _, err = p.need("state"); err != nil {
		return err
	}
	state, err := p.object("state", c.service.opts.Load().MaxMessage)
	if err != nil {
		return err
	}
	return c.change(&p, func(r *Room, p *Peer) error {
		p.state = keep(state)
		r.tellState(p)
		r.reply(answer, done)
		return nil
	})
}

// peers handles "peers" {room, cursor?: string, limit?: 1 to 100}. It answers {peers,
// count, cursor?} with a page of the room's other peers, oldest first. A cursor
// is the order of the last peer of a page, so pages stay in step while peers
// come and go.
func (c *Client) peers(raw json.RawMessage, answer Answer) error {
	p, err := parse(raw, "room", "cursor", "limit")
	if err != nil {
		return err
	}
	if _, err = p.name("room"); err != nil {
		return err
	}
	cursor, err := p.text("cursor", false)
	if err != nil {
		return err
	}
	order := int64(0)
	if p.has("cursor") {
		if order, err = strconv.ParseInt(cursor, 10, 64); err != nil || order < 0 {
			return invalid("cursor must be one from an earlier answer")
		}
	}
	limit, err := p.integer("limit", 1, maxPeers, maxPeers)
	if err != nil {
		return err
	}
	return c.look(&p, func(r *Room, p *Peer) error {
		b, next := r.page([]byte(`{"ok":true,"peers":`), p, order, int(limit))
		b = append(b, `,"count":`...)
		b = strconv.AppendInt(b, int64(len(r.list)), 10)
		if next != "" {
			b = append(append(append(b, `,"cursor":"`...), next...), '"')
		}
		answer(append(b, '}'))
		return nil
	})
}
