package signaling

import "time"

// Store holds the rooms. It is small so that nodes of a cluster can share rooms:
// all rules live in the changes, a store only makes each of them one atomic step.
// All methods may be called concurrently.
type Store interface {
	// Update runs change on a room. No other change or look runs on that room
	// meanwhile. A missing room is made if create, else the result is
	// "not-in-room". The room's own error, from change, is returned; change
	// then has changed nothing. What change sends goes out through the store's
	// Fanout and the peers' sockets in the order of changes.
	Update(room string, create bool, change func(*Room) error) error
	// View runs look on a room, beside other looks. A missing room is
	// "not-in-room".
	View(room string, look func(*Room) error) error
	// Names lists the rooms at about this time; in a cluster, those that have
	// peers on this node.
	Names() []string
	// Now is the time by which rooms live.
	Now() time.Time
	// start is called once, before anything else; close ends what runs by itself
	// and, on a single node, the rooms. No Update runs when it is called, nor
	// begins afterwards.
	start(s *Service)
	close()
}
