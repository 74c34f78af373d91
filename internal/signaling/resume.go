package signaling

import (
	"crypto/subtle"
	"strings"
)

// holder is the peer that a resume token gives back to a user, nil if there is
// none. A token is the peer's id, a dot, and a secret. A guest's peer goes to
// guests only and a user's to that user.
func (r *Room) holder(token, user string) *Peer {
	id, secret, found := strings.Cut(token, ".")
	if !found {
		return nil
	}
	p := r.peers[id]
	if p == nil || p.user != user || !p.honours(secret) {
		return nil
	}
	return p
}

// honours compares in constant time, since others know the id.
func (p *Peer) honours(secret string) bool {
	equal := func(s string) bool { return s != "" && subtle.ConstantTimeCompare([]byte(s), []byte(secret)) == 1 }
	current, used := equal(p.secret), equal(p.used)
	return current || used
}

// resume gives a peer its new socket. Neither capacity nor the room's lock nor
// duplicate_user count: the peer has its place. The answer comes first, then what
// has waited, then the news, all in this one step.
func (e *entrance) resume(r *Room, p *Peer) error {
	if err := r.admit(e.client, p.id); err != nil {
		return err
	}
	r.entering = e.client.id
	// The socket that still looked alive, if any, is told. Nobody else needs to
	// know: for them the peer was never away.
	wasAway := p.away
	if p.socket != e.client.id {
		r.vacate(p)
		if !wasAway {
			r.to(p, "peer-left", r.leftPayload(p.id, reasonReplaced))
		}
	}
	r.seat(p, e.client)
	// The presented secret stays good until the client shows that it knows the
	// next one. Presented twice, it does not use up the next one.
	if _, secret, _ := strings.Cut(e.token, "."); secret != p.used {
		p.used, p.secret = p.secret, random(16)
	}
	e.client.proves.Store(true)
	if e.user != nil {
		p.name = shorten(e.user.Name)
	}
	r.noteClaims(p)
	if e.state != nil {
		p.state = keep(e.state)
	}
	r.reply(e.answer, r.snapshot(p, true))
	r.catchUp(p)
	if wasAway {
		r.tellAway(p, true)
	}
	if e.state != nil {
		r.tellState(p)
	}
	r.arrived(p)
	return nil
}

// seat gives a peer a socket.
func (r *Room) seat(p *Peer, c *Client) {
	delete(r.sockets, p.socket)
	p.client, p.socket, p.node = c, c.id, r.node
	r.sockets[c.id] = p
	if p.away {
		p.away = false
		r.live++
	}
}

// lose makes a peer away until the grace time has passed. The deadline goes to the
// end of a queue: with one grace time for all, the queue is in order. When a
// reload shortens the time, those behind an older, longer deadline leave with it.
func (r *Room) lose(p *Peer) {
	p.away = true
	r.live--
	p.deadline = r.now.Add(r.opts.DepartureGrace)
	r.absent = append(r.absent, absence{p, p.deadline})
	r.tellAway(p, false)
}

// depart is what becomes of a peer whose connection was lost.
func (r *Room) depart(p *Peer) {
	if r.opts.DepartureGrace > 0 {
		r.lose(p)
	} else {
		r.remove(p, reasonTimeout)
	}
}

// reseat gives a peer its socket back that was taken for lost. What waited was on
// its way to the socket too.
func (r *Room) reseat(p *Peer, c *Client) {
	wasAway := p.away
	r.seat(p, c)
	p.waiting, p.size = nil, 0
	if wasAway {
		r.tellAway(p, true)
	}
	r.noteClaims(p)
}

// restore takes back the client's peer in a room. What waited for it is sent by
// the recovery of the connection, as is what the room was told.
func (c *Client) restore(room string) {
	err := c.service.update(room, false, func(r *Room) error {
		p := r.sockets[c.id]
		if p == nil {
			return errNotInRoom
		}
		if err := r.admit(c, p.id); err != nil {
			return err
		}
		r.reseat(p, c)
		return nil
	})
	if err != nil {
		// The peer has left meanwhile, but recovery put the socket back.
		c.conn.Leave(room)
	}
}
