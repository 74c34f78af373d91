package signaling

import (
	"encoding/json"
	"fmt"
)

// setHost keeps the count of hosts, so that a departure costs no search.
func (r *Room) setHost(p *Peer, host bool) {
	if p.host == host {
		return
	}
	p.host = host
	if host {
		r.hosts++
	} else {
		r.hosts--
	}
}

// succeed makes the oldest peer host when the last host has left and hosts are
// chosen by age. An away peer counts as well: it keeps its role, and if it does
// not come back the next one follows.
func (r *Room) succeed() {
	if r.opts.Host.Mode != HostFirst || r.hosts > 0 || len(r.list) == 0 {
		return
	}
	next := r.list[0]
	next.promoted = true
	r.setHost(next, true)
	r.tellModeration(nil, "promote", next, nil)
}

// mayModerate asks the identity as it is now, which a renewed token may have
// changed, unless the peer is host whatever its claims.
func (r *Room) mayModerate(p *Peer) bool {
	return p.promoted || r.opts.Host.claimed(p.client.conn.User())
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
