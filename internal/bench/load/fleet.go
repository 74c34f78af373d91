package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/wire"
)

// dialers is how many connections are opened at once.
// More would only lengthen the server's accept queue.
const dialers = 64

// Fleet is a set of clients, each served by one goroutine from the moment it is
// connected: heartbeats must be answered while others still connect. Its methods
// belong to one goroutine.
type Fleet struct {
	// BarePath is what client i asks a bare server for.
	BarePath func(i int) string
	// Room is the room that client i enters; nil for none. A bare server has
	// no rooms.
	Room func(i int) string
	// Handle is called for every packet that client i gets afterwards, by the
	// client's goroutine.
	Handle func(i int, packet []byte, kind wire.Kind) error

	target  Target
	clients []*Client
	peers   []string // the peers' ids in their rooms
	serving sync.WaitGroup
	closing atomic.Bool
	failed  chan error // holds the first failure
}

// NewFleet prepares an empty fleet; its fields are to be set before Grow.
func NewFleet(target Target) *Fleet {
	return &Fleet{target: target, failed: make(chan error, 1)}
}

// Grow connects n more clients, many at a time.
func (f *Fleet) Grow(ctx context.Context, n int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	first := len(f.clients)
	f.clients = append(f.clients, make([]*Client, n)...)
	f.peers = append(f.peers, make([]string, n)...)
	var next atomic.Int64
	var dialing sync.WaitGroup
	for range min(dialers, n) {
		dialing.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				if err := f.add(ctx, first+i); err != nil {
					cancel(fmt.Errorf("connecting client %d: %w", first+i, err))
				}
			}
		})
	}
	dialing.Wait()
	return context.Cause(ctx)
}

// add connects client i and starts its goroutine.
func (f *Fleet) add(ctx context.Context, i int) error {
	path := ""
	if f.target.Bare {
		path = f.BarePath(i)
	}
	c, err := f.target.node(i).Dial(ctx, path)
	if err != nil {
		return err
	}
	f.clients[i] = c
	if f.Room != nil && !f.target.Bare {
		if f.peers[i], err = c.Join(f.Room(i)); err != nil {
			return fmt.Errorf("joining %s: %w", f.Room(i), err)
		}
	}
	f.serving.Go(func() {
		f.fail(fmt.Errorf("client %d: %w", i, f.serve(i, c)))
	})
	return nil
}

// serve returns what ended it.
func (f *Fleet) serve(i int, c *Client) error {
	for {
		packet, kind, err := c.Next()
		if err != nil {
			return err
		}
		if err := f.Handle(i, packet, kind); err != nil {
			return err
		}
	}
}

// Send writes a frame to client i's connection.
func (f *Fleet) Send(i int, frame []byte) error { return f.clients[i].Send(frame) }

// fail keeps the first failure; connections that the fleet itself closes fail, too.
func (f *Fleet) fail(err error) {
	if f.closing.Load() {
		return
	}
	select {
	case f.failed <- err:
	default:
	}
}

// Close ends all connections and waits for their goroutines.
func (f *Fleet) Close() error {
	f.closing.Store(true)
	var errs []error
	for _, c := range f.clients {
		if c != nil {
			errs = append(errs, c.Close())
		}
	}
	f.serving.Wait()
	return errors.Join(errs...)
}
