package gateway

import (
	"context"
	"errors"
	"time"
)

// ErrConflict is returned by [State.Swap] when the entry is not at the version
// that the caller took it to be.
var ErrConflict = errors.New("the entry has changed")

// State is what the nodes of a cluster share in one namespace of one server:
// small entries, each changed by compare and set, and what a change has to tell,
// in one order for all nodes. All methods may be called concurrently.
//
// An error that is not [ErrConflict] or the context's means that the cluster
// cannot be reached now. A Swap that failed so may still have been made, or may
// yet be made.
type State interface {
	// Node is the id of this node. It is random, and new with each process.
	Node() string
	// Gone reports whether a node is known to have ended, or not to have been
	// heard of for a while (less than 5 s), while this node itself could be. It
	// may come back, as one that was only cut off. A node that has just been
	// asked about for the first time is not known to be gone.
	Gone(node string) bool
	// Now is the time on the clock that all nodes share, whatever their own
	// clocks say.
	Now() time.Time

	// Get returns an entry; of a missing one the version is 0.
	Get(ctx context.Context, key string) (Entry, error)
	// Swap changes an entry, if it is at w.Version, and publishes w.Steps in
	// the same step: no other change of the entry comes between. It returns
	// the entry as it is then, once its steps have been taken on this node;
	// with ErrConflict it returns the entry that is there instead.
	Swap(ctx context.Context, key string, w Write) (Entry, error)
	// Touch gives entries a new time to live. Missing ones stay missing.
	Touch(ctx context.Context, ttl time.Duration, keys ...string) error
	// Keys lists the keys with a prefix, at about this time. It is for
	// operators: it reads through all entries.
	Keys(ctx context.Context, prefix string) ([]string, error)

	// Watch registers a watcher, and returns the function that removes it and
	// returns when no call of it runs any more.
	Watch(w Watcher) (stop func())
}

// Entry is the value of a key.
type Entry struct {
	Value []byte
	// Version grows with each change of a key, also when it was missing
	// between. It is 0 for a missing entry.
	Version uint64
}

// Write is a change of an entry.
type Write struct {
	// Version is that of the entry to change, 0 to make a missing one.
	Version uint64
	// Value is the new value; nil deletes the entry.
	Value []byte
	// TTL is how long the entry stays without a further change or Touch. It
	// must be positive, so that nothing stays for good when its nodes end.
	TTL time.Duration
	// Steps are taken on every node in their order, after those of all earlier
	// changes of the entry and before those of all later ones, and in one order
	// with what this node sends to other nodes before and after the Swap.
	Steps []Step
}

// Step is a part of what a change has to tell. Exactly one field is set.
type Step struct {
	// Emit is an event for sockets of all nodes.
	Emit *Emission
	// Note is given to the watchers of all nodes.
	Note *Note
}

// Emission is an event for all sockets in any of the rooms but those in any
// excepted one; see [Target.Emit].
type Emission struct {
	Rooms, Except []string
	Event         string
	Args          []any
}

// Note is a word between the nodes about an entry.
type Note struct {
	Text []byte
	// Run is called on the node of the Swap when the note's turn has come, in
	// place of the watcher. It may be called after the Swap has failed, when it
	// took too long.
	Run func()
}

// Watcher is told of what happens in the cluster. Nil functions are not called.
// Noted is called on the goroutine that delivers what other nodes send, and so
// in one order with that: it must not block and must not use the State.
type Watcher struct {
	// Noted is called for a note of another node's Swap, with the version that
	// the entry has with it.
	Noted func(key string, version uint64, text []byte)
	// Gone is called when a node becomes known to be gone. It may use the
	// State.
	Gone func(node string)
	// Back is called when this node is in touch with the cluster again after
	// it was not, or has missed messages: others may have taken it for gone,
	// and notes and events may have been lost. It may use the State.
	Back func()
}

// Change changes an entry of a State by a function of its value, nil for a
// missing one and to delete it. The function is called again when another node
// was faster, and so must have no other effect.
func Change(ctx context.Context, s State, key string, ttl time.Duration, change func(old []byte) ([]byte, error)) error {
	entry, err := s.Get(ctx, key)
	for err == nil {
		var next []byte
		if next, err = change(entry.Value); err != nil {
			return err
		}
		entry, err = s.Swap(ctx, key, Write{Version: entry.Version, Value: next, TTL: ttl})
		if err == nil {
			return nil
		}
		if errors.Is(err, ErrConflict) {
			err = context.Cause(ctx)
		}
	}
	return err
}
