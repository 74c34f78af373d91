package socketio

import (
	"fmt"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// room is a room with somebody in it. The room of a socket's own id is none:
// that the socket is in it is a flag of the socket.
type room struct {
	name    string
	sockets []*Socket
}

// seat is a socket's place in a room.
type seat struct {
	room  *room
	index int
	since uint64 // the last packet of the log when it was taken
}

// register makes a socket known by its id.
func (ns *namespace) register(s *Socket) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if !s.gone {
		ns.byID[s.id] = s
	}
}

// admit makes a socket a member of the namespace, one that broadcasts reach. A
// restored one gets its rooms back, and what it has missed is sent first.
func (ns *namespace) admit(s *Socket) error {
	if s.restored != nil {
		return ns.log().resume(s)
	}
	s.began = ns.log().last()
	return ns.enter(s, &record{ownSeat: true})
}

func (ns *namespace) enter(s *Socket, r *record) error {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if s.gone {
		return gateway.ErrDisconnected
	}
	s.member, s.ownSeat = true, r.ownSeat
	s.index = len(ns.sockets)
	ns.sockets = append(ns.sockets, s)
	for i := range r.rooms {
		ns.sit(s, r.rooms[i].name, r.rooms[i].since)
	}
	return nil
}

// join puts a member into all of the rooms, or, past its bound, into none.
func (ns *namespace) join(s *Socket, names []string) error {
	limit := ns.server.settings().RoomsPerSocket
	since := ns.log().last()
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if !s.member {
		return gateway.ErrDisconnected
	}
	before := len(s.rooms)
	for _, name := range names {
		if name == s.id {
			s.ownSeat = true
			continue
		}
		if !ns.sit(s, name, since) || len(s.rooms) <= limit {
			continue
		}
		for len(s.rooms) > before {
			ns.rise(s, len(s.rooms)-1)
		}
		return &gateway.Error{Code: "too-many-rooms", Message: fmt.Sprintf("more than %d rooms", limit)}
	}
	return nil
}

// sit seats a socket in a room, and reports false if it was there already. It
// must be called with mu held.
func (ns *namespace) sit(s *Socket, name string, since uint64) bool {
	for i := range s.rooms {
		if s.rooms[i].room.name == name {
			return false
		}
	}
	r := ns.rooms[name]
	if r == nil {
		r = &room{name: name}
		ns.rooms[name] = r
	}
	s.rooms = append(s.rooms, seat{r, len(r.sockets), since})
	r.sockets = append(r.sockets, s)
	return true
}

// rise takes a socket out of its i-th room. The last of the room takes its place
// there. It must be called with mu held.
func (ns *namespace) rise(s *Socket, i int) {
	r, index := s.rooms[i].room, s.rooms[i].index
	s.rooms[i] = s.rooms[len(s.rooms)-1]
	s.rooms[len(s.rooms)-1] = seat{}
	s.rooms = s.rooms[:len(s.rooms)-1]

	last := len(r.sockets) - 1
	if moved := r.sockets[last]; index != last {
		r.sockets[index] = moved
		for j := range moved.rooms {
			if moved.rooms[j].room == r {
				moved.rooms[j].index = index
			}
		}
	}
	r.sockets[last] = nil
	r.sockets = r.sockets[:last]
	if last == 0 {
		delete(ns.rooms, r.name)
	}
}

// part takes a socket out of a room.
func (ns *namespace) part(s *Socket, name string) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if name == s.id {
		s.ownSeat = false
	}
	for i := range s.rooms {
		if s.rooms[i].room.name == name {
			ns.rise(s, i)
			return
		}
	}
}

// leave takes a socket out of all rooms and the namespace for good, and returns
// the rooms it was in.
func (ns *namespace) leave(s *Socket) []string {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	s.gone = true
	if ns.byID[s.id] == s {
		delete(ns.byID, s.id)
	}
	rooms := s.roomNames()
	for len(s.rooms) > 0 {
		ns.rise(s, len(s.rooms)-1)
	}
	s.rooms = nil
	if s.member {
		s.member = false
		last := len(ns.sockets) - 1
		ns.sockets[s.index] = ns.sockets[last]
		ns.sockets[s.index].index = s.index
		ns.sockets[last] = nil
		ns.sockets = ns.sockets[:last]
	}
	return rooms
}

func (ns *namespace) roomsOf(s *Socket) []string {
	ns.mu.RLock()
	defer ns.mu.RUnlock()
	return s.roomNames()
}

// roomNames must be called with the namespace's mu held.
func (s *Socket) roomNames() []string {
	names := make([]string, 0, len(s.rooms)+1)
	if s.member && s.ownSeat {
		names = append(names, s.id)
	}
	for i := range s.rooms {
		names = append(names, s.rooms[i].room.name)
	}
	return names
}

// selects reports whether a target of these rooms holds the socket. It must be
// called with the namespace's mu held.
func (s *Socket) selects(rooms []string) bool {
	for _, name := range rooms {
		if name == s.id && s.ownSeat {
			return true
		}
		for i := range s.rooms {
			if s.rooms[i].room.name == name {
				return true
			}
		}
	}
	return false
}

// collect appends the members in any of the rooms, or all without rooms, that
// are in none of the excepted ones, each once.
func (ns *namespace) collect(into []*Socket, rooms, except []string) []*Socket {
	ns.mu.RLock()
	defer ns.mu.RUnlock()
	add := func(s *Socket, before []string) {
		if len(except) > 0 && s.selects(except) || len(before) > 0 && s.selects(before) {
			return
		}
		into = append(into, s)
	}
	if len(rooms) == 0 {
		for _, s := range ns.sockets {
			add(s, nil)
		}
		return into
	}
	for i, name := range rooms {
		if s := ns.byID[name]; s != nil && s.member && s.ownSeat {
			add(s, rooms[:i])
		}
		if r := ns.rooms[name]; r != nil {
			for _, s := range r.sockets {
				add(s, rooms[:i])
			}
		}
	}
	return into
}
