package signaling

import "encoding/json"

// message handles "message" in its three forms: {room, to, data} to one peer, as a
// relay; {room, data} to all others of the room; {user, data} to every socket of
// a user. It answers {delivered: number}: of peers with a socket or a place to
// wait, or of sockets. Receivers get {room, from, data} or {user, data}.
func (c *Client) message(raw json.RawMessage, answer Answer) error {
	p, err := parse(raw, "room", "to", "user", "data")
	if err != nil {
		return err
	}
	if p.has("user") {
		return c.direct(&p, answer)
	}
	room, err := p.name("room")
	if err != nil {
		return err
	}
	to, err := p.text("to", false)
	if err != nil {
		return err
	}
	data, err := c.data(&p)
	if err != nil {
		return err
	}
	n := 1
	if p.has("to") {
		err = c.relay(room, to, "message", "data", data)
	} else {
		n, err = c.shout(room, data)
	}
	if err != nil {
		return err
	}
	answer(delivered(n))
	return nil
}

// data is any JSON value, null among it, of at most MaxMessage bytes.
func (c *Client) data(p *payload) (json.RawMessage, error) {
	data, err := p.need("data")
	if err != nil {
		return nil, err
	}
	return data, within("data", data, c.service.opts.Load().MaxMessage)
}

// shout sends data to the room and returns how many peers have a socket for it.
func (c *Client) shout(room string, data json.RawMessage) (n int, err error) {
	err = c.service.store.View(room, func(r *Room) error {
		p, err := r.member(c)
		if err != nil {
			return err
		}
		r.spread([]string{c.id}, "message", r.relayed(p, "data", data))
		n = r.live - 1
		return nil
	})
	return n, err
}

// direct sends data to every socket of a user, the sender's own not excepted: a user
// may ring their other devices. An unknown user is no error but 0 deliveries.
func (c *Client) direct(p *payload, answer Answer) error {
	if p.has("room") || p.has("to") {
		return invalid("user excludes room and to")
	}
	user, err := p.text("user", true)
	if err != nil {
		return err
	}
	data, err := c.data(p)
	if err != nil {
		return err
	}
	if !c.service.opts.Load().DirectMessages {
		return errDirectOff
	}
	if c.user == "" {
		return errAnonymous
	}
	b := append(appendText([]byte(`{"user":`), c.user), `,"data":`...)
	b = append(append(b, data...), '}')
	n := 0
	if cl := c.service.cluster; cl != nil {
		answer(delivered(cl.ring(user, "message", b)))
		return nil
	}
	for _, other := range c.service.of(user) {
		if other.conn.Emit("message", b) {
			n++
		}
	}
	answer(delivered(n))
	return nil
}
