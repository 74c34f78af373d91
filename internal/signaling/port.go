package signaling

import (
	"encoding/json"
	"strings"
)

// Conn is a socket as this package needs it. Its methods may be called
// concurrently and while a room is held, so they must not block, and must not
// call into this package on the calling goroutine. Values are comparable, and equal
// only for the same socket.
type Conn interface {
	// ID is the socket's id, unique among the sockets that are alive and kept
	// when connection state recovery restores one.
	ID() string
	// User is who the socket belongs to at this time, nil for a guest. Its ID
	// stays the same as long as the socket lives.
	User() *User
	// Emit queues an event; false means that the socket is gone. The payload
	// may be shared: it must not be changed, and not be kept after the call.
	Emit(event string, payload json.RawMessage) bool
	// Keep takes note of an event for a socket that is gone, for connection
	// state recovery to send should it restore the socket. Without recovery it
	// does nothing.
	Keep(event string, payload json.RawMessage)
	// Join makes the socket hear a room's broadcasts and Leave ends that. An
	// error of Join is told to the client if it is an [*Error].
	Join(room string) error
	Leave(room string)
}

// Fanout sends to many. It must queue the event for every receiver on this node
// before it returns, in one order with [Conn.Emit] of the same goroutine, and is
// bound by the same rules.
type Fanout interface {
	// Broadcast sends an event to all sockets that joined the room, but for
	// those whose ids are excepted.
	Broadcast(room string, except []string, event string, payload json.RawMessage)
}

// User is an identity.
type User struct {
	// ID is never empty.
	ID string
	// Name is shown to others; it may be empty.
	Name string
	// Role is the value of the claim "role" for identities whose claims lack it.
	Role string
	// Claims are further facts about the user, as JSON values.
	Claims map[string]any
	// Rooms are patterns of the rooms that the user may enter, in which "*"
	// stands for any characters. Nil means all.
	Rooms []string
}

// id is the user's id, or "" for a guest.
func (u *User) id() string {
	if u == nil {
		return ""
	}
	return u.ID
}

// mayEnter reports whether the user may enter a room. Guests may enter any: who
// must not be a guest is refused before it gets here.
func (u *User) mayEnter(room string) bool {
	if u == nil || u.Rooms == nil {
		return true
	}
	for _, pattern := range u.Rooms {
		if matches(pattern, room) {
			return true
		}
	}
	return false
}

// matches compares in time linear in the name for each star: the pieces between
// the stars must occur in order, the first at the start and the last at the end.
func matches(pattern, name string) bool {
	first, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == name
	}
	name, ok := strings.CutPrefix(name, first)
	for ok {
		piece, after, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(name, piece)
		}
		_, name, ok = strings.Cut(name, piece)
		rest = after
	}
	return false
}
