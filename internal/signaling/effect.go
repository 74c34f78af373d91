package signaling

import "encoding/json"

// What a change does to sockets, it does through the functions of this file. On
// a single node they act at once. In a cluster a change may have to be made
// again, on a room that another node has changed meanwhile, so that what it does
// is held back until the room is written, and goes out then in the same order.

// held is what one attempt of a change holds back. Not safe for concurrent use.
type held struct {
	acts []effect
	// undo is called when the change fails.
	undo []func()
}

// effect is one of: an event to a room or a socket, sockets that leave the room, or
// whose peers' time is over, nodes that have to look, and something to do on this
// node.
type effect struct {
	event   string
	payload json.RawMessage
	socket  string   // the receiver, or "" for the room
	except  []string // by socket id

	out  []string // sockets
	over []string // sockets, which are told if they still are there
	back []string // nodes, which are to look whether their peers are there

	run func()
}

// to sends to one peer; false means that its socket is gone, as far as this node
// knows. It is also for looks.
func (r *Room) to(p *Peer, event string, payload json.RawMessage) bool {
	switch {
	case r.node == "":
		return p.client.conn.Emit(event, payload)
	case p.away, p.node == r.node && !p.client.alive():
		return false
	case r.held != nil:
		r.held.acts = append(r.held.acts, effect{event: event, payload: payload, socket: p.socket})
		return true
	case p.node == r.node:
		return p.client.conn.Emit(event, payload)
	default:
		return r.fanout.(Reach).Send(p.socket, event, payload)
	}
}

// keepFor lets connection state recovery send an event, should it restore the
// socket that the peer had last.
func (r *Room) keepFor(p *Peer, event string, payload json.RawMessage) {
	if r.held == nil {
		p.client.conn.Keep(event, payload)
		return
	}
	r.held.acts = append(r.held.acts, effect{event: event, payload: payload, socket: p.socket})
}

// spread sends to the room's sockets but for some. It is also for looks.
func (r *Room) spread(except []string, event string, payload json.RawMessage) {
	if r.held == nil {
		r.fanout.Broadcast(r.name, except, event, payload)
		return
	}
	r.held.acts = append(r.held.acts, effect{event: event, payload: payload, except: except})
}

// reply answers the event that the change is for.
func (r *Room) reply(answer Answer, result json.RawMessage) {
	if r.held == nil {
		answer(result)
		return
	}
	r.held.acts = append(r.held.acts, effect{run: func() { answer(result) }})
}

// admit lets a client's socket into the room; it is the last check of an entry.
// Held back, the socket only takes a place that counts against its bound, and
// hears of the room from its turn on. The id is the peer's.
func (r *Room) admit(c *Client, id string) error {
	if r.held == nil {
		return c.enter(r.name)
	}
	if err := c.reserve(r.name); err != nil {
		return err
	}
	name := r.name
	r.held.undo = append(r.held.undo, func() { c.release(name) })
	r.held.acts = append(r.held.acts, effect{run: func() { c.settle(name, id) }})
	return nil
}

// vacate takes the peer's socket out of the room.
func (r *Room) vacate(p *Peer) {
	if r.held != nil {
		r.held.out(p.socket)
		return
	}
	if !p.away {
		p.client.conn.Leave(r.name)
	}
	p.client.exit(r.name)
}

// over lets a socket know that its peer's time is over, if it is there all the same:
// its node was only out of reach.
func (h *held) over(socket string) { h.acts = append(h.acts, effect{over: []string{socket}}) }

// out lets sockets leave the room, wherever they are. Those that leave one after
// the other leave at once.
func (h *held) out(socket string) {
	if n := len(h.acts); n > 0 && h.acts[n-1].out != nil {
		h.acts[n-1].out = append(h.acts[n-1].out, socket)
		return
	}
	h.acts = append(h.acts, effect{out: []string{socket}})
}
