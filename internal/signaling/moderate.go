package signaling

import (
	"encoding/json"
	"slices"
)

// moderation is an order of a host, as the client asks for it.
type moderation struct {
	action string
	peer   string
	value  json.RawMessage // nil when not given
}

// moderate handles "moderate" {room, action, peer?, value?}. A sender that is no
// host gets "forbidden" before the peer is looked up, so that members cannot ask
// for ids this way. All, the sender too, get the event "moderation".
func (c *Client) moderate(raw json.RawMessage, answer Answer) error {
	p, err := parse(raw, "room", "action", "peer", "value")
	if err != nil {
		return err
	}
	if _, err = p.name("room"); err != nil {
		return err
	}
	m, err := c.order(&p)
	if err != nil {
		return err
	}
	return c.change(&p, func(r *Room, p *Peer) error {
		if !r.isHost(p) {
			return errHostsOnly
		}
		var target *Peer
		if m.peer != "" {
			var err error
			if target, err = r.other(m.peer); err != nil {
				return err
			}
		}
		// The answer comes first: the sender may be about to leave.
		r.reply(answer, done)
		r.obey(p, m, target)
		return nil
	})
}

// order reads and checks an order. An action without a peer ignores the field.
func (c *Client) order(p *payload) (m moderation, err error) {
	if m.action, err = p.text("action", true); err != nil {
		return m, err
	}
	peer, err := p.text("peer", false)
	if err != nil {
		return m, err
	}
	switch m.action {
	case "kick", "mute", "promote":
		if peer == "" {
			return m, invalid("peer is missing")
		}
		m.peer = peer
	case "lock-room", "unlock-room", "close-room":
	default:
		return m, invalid("action must be kick, mute, promote, lock-room, unlock-room or close-room")
	}
	if m.action != "mute" {
		return m, nil
	}
	if m.value, err = p.need("value"); err != nil {
		return m, err
	}
	return m, checkMute(m.value, c.service.opts.Load().MaxMessage)
}

// checkMute checks {audio?: boolean, video?: boolean}.
func checkMute(value json.RawMessage, limit int) error {
	if err := within("value", value, limit); err != nil {
		return err
	}
	v, err := parse(value, "audio", "video")
	if err != nil {
		return invalid("value must be an object")
	}
	for _, name := range v.names {
		if raw := v.raw(name); raw != nil && raw[0] != 't' && raw[0] != 'f' {
			return invalid("value." + name + " must be a boolean")
		}
	}
	return nil
}

// obey tells the room and then does what was ordered, in this order so that the peer
// concerned still hears why. A mute is only told: no server can stop media that
// flows between browsers, but the peers' clients obey it.
func (r *Room) obey(by *Peer, m moderation, target *Peer) {
	r.tellModeration(by, m.action, target, m.value)
	switch m.action {
	case "kick":
		r.remove(target, reasonKicked)
	case "promote":
		target.promoted = r.opts.Host.Mode
	case "lock-room":
		r.locked = true
	case "unlock-room":
		r.locked = false
	case "close-room":
		r.close()
	}
}

// close puts all peers out and ends the room. Each is told of itself only; the
// rest is clear from the moderation.
func (r *Room) close() {
	all := slices.Clone(r.list)
	for _, p := range slices.Backward(all) {
		r.drop(p)
	}
	for _, p := range slices.Backward(all) {
		r.to(p, "peer-left", r.leftPayload(p.id, reasonClosed))
	}
	r.ended = true
}

// tellModeration tells all of an order; by is nil when the server gave it.
func (r *Room) tellModeration(by *Peer, action string, peer *Peer, value json.RawMessage) {
	b := append(append(r.head(160+len(value)), `,"action":"`...), action...)
	if by == nil {
		b = append(b, `","by":null`...)
	} else {
		b = append(append(append(b, `","by":"`...), by.id...), '"')
	}
	if peer != nil {
		b = append(append(append(b, `,"peer":"`...), peer.id...), '"')
	}
	if value != nil {
		b = append(append(b, `,"value":`...), value...)
	}
	r.all("moderation", append(b, '}'), "")
}
