package signaling

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// ErrStale is returned by [Shared.Swap] when the entry is not at that version.
var ErrStale = errors.New("the room has changed")

// Shared is the memory that the nodes of a cluster share. All methods may be
// called concurrently. Errors other than ErrStale mean that it cannot be reached;
// a Swap that failed so may have been made, or may yet be.
type Shared interface {
	// Node is this node's id, Gone whether another is known to have ended or to
	// be out of reach, and Now the time on a clock that all nodes share.
	Node() string
	Gone(node string) bool
	Now() time.Time
	// Get returns a value with its version, which is 0 for a missing one.
	Get(ctx context.Context, key string) (Value, error)
	// Swap writes a value, nil to delete it, if it is at that version, and sends
	// the steps in the same step: on every node they are taken after those of
	// the changes of that key before and before those of the changes after it.
	// It returns the value as it is then, once its steps have been taken here,
	// or the one that is there instead with ErrStale.
	Swap(ctx context.Context, key string, version uint64, value []byte, ttl time.Duration, steps []Step) (Value, error)
	// Touch gives entries a new time to live.
	Touch(ctx context.Context, ttl time.Duration, keys []string) error
	// Report tells operators of an error that clients only know as "unavailable".
	Report(err error)
	// Watch registers functions that are called for each note of another node,
	// which must not block, when a node is gone, and when this node is in touch
	// again after it was not. stop returns when none of them runs any more.
	Watch(noted func(key string, version uint64, note []byte), gone func(node string), back func()) (stop func())
}

// Value is an entry of the shared memory.
type Value struct {
	Data    []byte
	Version uint64
}

// Step is an event for a room or a socket, or a note with what it lets this node
// do when its turn has come.
type Step struct {
	Event        string
	Payload      json.RawMessage
	Room, Socket string   // one of them
	Except       []string // sockets

	Note []byte
	Run  func()
}

// Reach is a [Fanout] that reaches the sockets of all nodes.
type Reach interface {
	Fanout
	// Send sends to a socket by its id. False means that it could not be sent;
	// whether there is such a socket is not known here. The payload must not be
	// kept after the call.
	Send(socket, event string, payload json.RawMessage) bool
}
