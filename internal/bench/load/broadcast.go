package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/wire"
)

const (
	// inFlight is how many broadcasts are under way at once: with one, the server
	// would idle until the last receiver has read.
	inFlight = 2
	// batched is the size of rooms up to which each join is told by itself.
	batched = 50
	// presenceQuiet outlasts the batch in which a large room tells of joins.
	presenceQuiet = 2500 * time.Millisecond
)

// broadcast is one sender and n receivers in one room. The next message is sent
// when all receivers have got an earlier one.
type broadcast struct {
	fleet      *Fleet
	frame      []byte
	receivers  int64
	stopping   atomic.Bool
	sent       atomic.Int64
	acked      atomic.Int64
	deliveries atomic.Int64
}

// Broadcast measures messages of 200 bytes to a room of n others. An operation
// is one delivery.
func Broadcast(ctx context.Context, t Target, m Meter, w Window, n int) (cost Cost, err error) {
	f := NewFleet(t)
	defer func() { err = errors.Join(err, f.Close()) }()
	b := &broadcast{fleet: f, frame: hallMessage(), receivers: int64(n)}
	f.BarePath = func(int) string { return "/fanout" }
	f.Room = func(int) string { return "hall" }
	f.Handle = b.handle
	if err := f.Grow(ctx, n+1); err != nil {
		return Cost{}, err
	}
	if !t.Bare {
		if err := f.wait(ctx, presenceQuiet); err != nil {
			return Cost{}, err
		}
	}
	for range inFlight {
		if err := b.send(); err != nil {
			return Cost{}, err
		}
	}
	if cost, err = w.measure(ctx, m, f, &b.deliveries); err != nil {
		return Cost{}, err
	}
	b.stopping.Store(true)
	return cost, f.until(ctx, 10*time.Second, "some messages were not delivered", func() bool {
		sent := b.sent.Load()
		return b.acked.Load() == sent && b.deliveries.Load() == sent*b.receivers
	})
}

// send counts first: the last delivery may come before Send returns.
func (b *broadcast) send() error {
	b.sent.Add(1)
	return b.fleet.Send(0, b.frame)
}

// handle counts deliveries over all receivers. Whoever brings a broadcast to its
// end has the next one sent, so that inFlight of them stay under way.
func (b *broadcast) handle(_ int, packet []byte, kind wire.Kind) error {
	switch {
	case kind == wire.Event && wire.IsEvent(packet, "message"):
		if b.deliveries.Add(1)%b.receivers == 0 && !b.stopping.Load() {
			return b.send()
		}
	case kind == wire.Ack && !bytes.Contains(packet, okAck):
		return fmt.Errorf("%w: %.200s", errBadAnswer, packet)
	case kind == wire.Ack:
		b.acked.Add(1)
	}
	return nil
}
