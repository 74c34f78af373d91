package signaling

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// isHost reports whether a peer is host by the rule of now, which a reload can have
// changed: promotions count under the rule that they were made by. It asks the
// identity as it is now, which a renewed token may have changed.
func (r *Room) isHost(p *Peer) bool {
	rule := &r.opts.Host
	switch {
	case rule.Mode != HostFirst && rule.Mode != HostClaim:
		return false
	case p.promoted == rule.Mode:
		return true
	case p.client == nil:
		return rule.Mode == HostClaim && p.claimed
	}
	return r.claims(p)
}

// claims reports whether the claims of a peer of this node make it host.
func (r *Room) claims(p *Peer) bool {
	return r.opts.Host.Mode == HostClaim && r.opts.Host.claimed(p.client.conn.User())
}

// noteClaims takes note of whether the peer's claims make it host, for other nodes
// too, and tells the room if they have begun to: its token was renewed, or the rule
// has changed. That they no longer do has no event of its own. It is called when
// one of those has happened, and when the peer changes something.
func (r *Room) noteClaims(p *Peer) {
	if p.client == nil {
		return // its own node does
	}
	before := p.claimed
	p.claimed = r.claims(p)
	if p.claimed && !before && p.promoted != HostClaim {
		r.tellModeration(nil, "promote", p, nil)
	}
}

// elect makes those hosts whom a new rule makes such.
func (r *Room) elect() {
	for _, p := range r.list {
		r.noteClaims(p)
	}
	r.succeed()
}

// Renewed must be called when a socket's identity has changed, as by a new token.
func (s *Service) Renewed(socket string) {
	c := s.client(socket)
	if c == nil || s.opts.Load().Host.Mode != HostClaim {
		return
	}
	for _, room := range c.list() {
		err := s.update(room, false, func(r *Room) error {
			p, err := r.member(c)
			if err == nil {
				r.noteClaims(p)
			}
			return err // that it has left meanwhile is none
		})
		if errors.Is(err, errUnavailable) {
			s.mend(room)
		}
	}
}

// succeed makes the oldest peer host when the last host has left and hosts are
// chosen by age. An away peer counts as well: it keeps its role, and if it does
// not come back the next one follows. The first host is mostly the oldest peer,
// so that this is no search.
func (r *Room) succeed() {
	if r.opts.Host.Mode != HostFirst || len(r.list) == 0 || slices.ContainsFunc(r.list, r.isHost) {
		return
	}
	next := r.list[0]
	next.promoted = HostFirst
	r.tellModeration(nil, "promote", next, nil)
}

// claimed reports whether a user's claims make it a host. A claim that is a list
// has to contain the value.
func (h *HostRule) claimed(u *User) bool {
	if h.Mode != HostClaim || u == nil {
		return false
	}
	claim, found := u.Claims[h.Claim]
	if !found && h.Claim == "role" && u.Role != "" {
		claim = u.Role
	}
	switch claim := claim.(type) {
	case nil:
		return false
	case []any:
		for _, c := range claim {
			if h.equals(c) {
				return true
			}
		}
		return false
	case []string:
		for _, c := range claim {
			if c == h.Value {
				return true
			}
		}
		return false
	default:
		return h.equals(claim)
	}
}

// equals compares a scalar with the configured text.
func (h *HostRule) equals(claim any) bool {
	switch claim := claim.(type) {
	case string:
		return claim == h.Value
	case bool, float64, json.Number, int, int64:
		return fmt.Sprint(claim) == h.Value
	}
	return false
}
