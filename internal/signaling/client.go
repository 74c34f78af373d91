package signaling

import (
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
)

// Client is a socket that is attached to a [Service]. Handle must not be called
// concurrently for one client, and not after Disconnect; it keeps the order of
// what the client sends.
type Client struct {
	service *Service
	conn    Conn
	id      string
	user    string // "" for guests

	mu    sync.Mutex
	rooms map[string]struct{} // guarded by mu
	gone  bool                // guarded by mu
	// entering is the room that the client is being let into, in a cluster;
	// guarded by mu.
	entering string

	// proves is set while the next event proves that an answer with a new
	// resume token has arrived.
	proves atomic.Bool
}

// Attach returns the client of a socket, and makes it the first time; sockets are
// told apart by ==. With recovered, the socket continues one that was lost, under
// the same id: its peers in those of the given rooms where they still are come
// back.
func (s *Service) Attach(conn Conn, recovered bool, rooms []string) *Client {
	s.mu.Lock()
	c := s.clients[conn.ID()]
	if c != nil && c.conn == conn {
		s.mu.Unlock()
		return c
	}
	if c != nil {
		// The word that the lost one has ended comes after its successor.
		s.mu.Unlock()
		c.Disconnect(true)
		s.mu.Lock()
	}
	c = &Client{service: s, conn: conn, id: conn.ID(), user: conn.User().id()}
	s.clients[c.id] = c
	if c.user != "" {
		s.users[c.user] = append(s.users[c.user], c)
	}
	s.mu.Unlock()
	s.list(c.user)
	if recovered {
		for _, room := range rooms {
			c.restore(room)
		}
	}
	return c
}

// Disconnect ends the client. Its peers are away if the connection was lost, and
// have left otherwise. Further calls do nothing.
func (c *Client) Disconnect(lost bool) {
	c.mu.Lock()
	rooms := c.rooms
	c.rooms, c.gone = nil, true
	c.mu.Unlock()
	c.service.detach(c)
	c.service.list(c.user)
	for room := range rooms {
		// That the room has ended meanwhile is no error here.
		err := c.service.update(room, false, func(r *Room) error {
			p, err := r.departing(c)
			if err != nil {
				return err
			}
			if !lost {
				r.remove(p, reasonLeft)
			} else if !p.away {
				r.depart(p)
			}
			return nil
		})
		if errors.Is(err, errUnavailable) {
			c.service.mend(room)
		}
		c.service.rise(room, c)
	}
}

// detach takes a client out of the service's books, unless a successor under the
// same socket id has already taken its place there.
func (s *Service) detach(c *Client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clients[c.id] != c {
		return
	}
	delete(s.clients, c.id)
	if c.user == "" {
		return
	}
	if rest := slices.DeleteFunc(s.users[c.user], func(o *Client) bool { return o == c }); len(rest) > 0 {
		s.users[c.user] = rest
	} else {
		delete(s.users, c.user)
	}
}

// client is the client of a socket, nil if it is not of this node or has gone.
func (s *Service) client(id string) *Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clients[id]
}

// of lists the clients of a user.
func (s *Service) of(user string) []*Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.users[user])
}

// maxRooms bounds a client's rooms where the server has no lower limit, which it
// has by default; see Conn.Join.
const maxRooms = 1000

// enter notes that the client is in a room. Its socket joins there. It is the last
// check of an entry, whose other checks have passed, and changes nothing when it
// fails. Disconnect excludes it, so that no peer outlives its client unseen.
func (c *Client) enter(room string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return errNotInRoom
	}
	if len(c.rooms) >= maxRooms {
		return errTooManyRooms
	}
	if err := c.conn.Join(room); err != nil {
		return err
	}
	if c.rooms == nil {
		c.rooms = make(map[string]struct{}, 1)
	}
	c.rooms[room] = struct{}{}
	return nil
}

// exit is enter's opposite, but for the socket.
func (c *Client) exit(room string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, in := c.rooms[room]; in {
		delete(c.rooms, room)
		c.service.rise(room, c)
	}
}

// list copies the rooms, since the lock of a client is taken after that of a room
// and so cannot be held while rooms are visited.
func (c *Client) list() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	rooms := make([]string, 0, len(c.rooms))
	for room := range c.rooms {
		rooms = append(rooms, room)
	}
	return rooms
}

// Seen must be called for each of the client's events that Handle does not get.
// An event proves that the last answer has arrived, and so ends the resume token
// that the answer's has replaced.
func (c *Client) Seen() {
	if !c.proves.Load() || !c.proves.Swap(false) {
		return
	}
	for _, room := range c.list() {
		_ = c.service.update(room, false, func(r *Room) error { // ended: no token either
			if p, err := r.member(c); err == nil {
				p.used = ""
			}
			return nil
		})
	}
}

// Answer takes the answer to an event. It must queue it before it returns.
type Answer func(result json.RawMessage)

// Handle handles an event with its first argument, nil without one. Either it
// calls answer once, before it returns and before anything is sent that must
// follow, or it returns an error, which is an [*Error] unless something is
// wrong with the server. The payload is not kept.
func (c *Client) Handle(event string, payload json.RawMessage, answer Answer) error {
	if event != "join" {
		// Rooms may be joined one after another without waiting: it proves nothing.
		c.Seen()
	}
	handle := handler(event)
	if handle == nil {
		return &Error{Code: CodeUnknownEvent, Message: "there is no such event"}
	}
	return handle(c, payload, answer)
}

// Events lists the events that Handle knows.
func Events() []string {
	return []string{
		"join", "leave", "offer", "answer", "candidate", "message", "state",
		"peers", "metadata", "lock", "unlock", "ice-servers", "moderate",
	}
}

// handler is a switch and not a map: it takes no memory per client and no lookup by
// hash for the few events that make up nearly all traffic, which come first.
func handler(event string) func(*Client, json.RawMessage, Answer) error {
	switch event {
	case "candidate":
		return (*Client).candidate
	case "offer":
		return (*Client).offer
	case "answer":
		return (*Client).answer
	case "message":
		return (*Client).message
	case "join":
		return (*Client).join
	case "leave":
		return (*Client).leave
	case "state":
		return (*Client).state
	case "peers":
		return (*Client).peers
	case "metadata":
		return (*Client).metadata
	case "lock":
		return (*Client).lock
	case "unlock":
		return (*Client).unlock
	case "ice-servers":
		return (*Client).iceServers
	case "moderate":
		return (*Client).moderate
	}
	return nil
}
