package signaling

// In a cluster an entry has two parts: a place that is taken while the room is
// being changed, and the seat itself, when the change's turn has come.

// staging makes the name of the room that a socket is in meanwhile, so that it
// counts against the socket's bound of rooms. No room of a client has such a name.
func staging(room string) string { return "\x00" + room }

// reserve takes a place. It is the last check of an entry; taken already, it does
// nothing.
func (c *Client) reserve(room string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.gone:
		return errNotInRoom
	case c.entering == room:
		return nil
	case len(c.rooms) >= maxRooms:
		return errTooManyRooms
	}
	if err := c.conn.Join(staging(room)); err != nil {
		return err
	}
	c.entering = room
	return nil
}

// release gives the place back.
func (c *Client) release(room string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entering == room {
		c.conn.Leave(staging(room))
		c.entering = ""
	}
}

// settle makes a seat of the place. If the client has gone meanwhile, its peer is
// looked after.
func (c *Client) settle(room, id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entering != room {
		c.service.mend(room)
		return
	}
	c.entering = ""
	c.conn.Leave(staging(room))
	if c.gone || c.conn.Join(room) != nil {
		c.service.mend(room)
		return
	}
	if c.rooms == nil {
		c.rooms = make(map[string]struct{}, 1)
	}
	c.rooms[room] = struct{}{}
	c.service.cluster.sit(room, c, id)
}

// in reports whether the client is in the room, by its own books.
func (c *Client) in(room string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, in := c.rooms[room]
	return in
}

// undecided reports whether the client is being let into the room.
func (c *Client) undecided(room string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entering == room
}

// alive reports whether the client has not gone. Nil is none.
func (c *Client) alive() bool {
	if c == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.gone
}

// put takes the client out of a room on another node's word, or since its peer
// is no longer there.
func (c *Client) put(room string) {
	c.conn.Leave(room)
	c.exit(room)
}
