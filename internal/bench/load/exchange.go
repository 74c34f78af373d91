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

var (
	okAck        = []byte(`"ok":true`)
	errBadAnswer = errors.New("the answer is not ok")
)

// exchange keeps one event per client under way: the next is sent as soon as
// the ack of the last has come, or in a cluster as soon as a client receives one.
type exchange struct {
	fleet  *Fleet
	frames [][]byte      // the event of each client
	event  string        // what the others receive of it, if anything
	quiet  time.Duration // before the first event
	// received makes an event done when it is received. Its ack comes from the
	// sender's node, which may be far ahead of the others.
	received bool

	stopping   atomic.Bool
	sent       atomic.Int64
	acked      atomic.Int64
	deliveries atomic.Int64
}

// run returns the cost of one exchange, and fails if an event was lost.
func (x *exchange) run(ctx context.Context, m Meter, w Window) (Cost, error) {
	if err := x.fleet.wait(ctx, x.quiet); err != nil {
		return Cost{}, err
	}
	for i := range x.frames {
		if err := x.send(i); err != nil {
			return Cost{}, err
		}
	}
	done := &x.acked
	if x.received {
		done = &x.deliveries
	}
	cost, err := w.measure(ctx, m, x.fleet, done)
	x.stopping.Store(true)
	if err != nil {
		return Cost{}, err
	}
	// A server that loses events would be cheap; it fails instead.
	return cost, x.settle(ctx)
}

// send counts first, so that a client's goroutine, which also counts, sees the
// frames that were there at the first count.
func (x *exchange) send(i int) error {
	x.sent.Add(1)
	return x.fleet.Send(i, x.frames[i])
}

// handle runs in the goroutine of client i, the only one to send for it once the
// first event is out.
func (x *exchange) handle(i int, packet []byte, kind wire.Kind) error {
	switch {
	case kind == wire.Event && x.event != "" && wire.IsEvent(packet, x.event):
		x.deliveries.Add(1)
		return x.next(i, x.received)
	case kind == wire.Ack && !bytes.Contains(packet, okAck):
		return fmt.Errorf("%w: %.200s", errBadAnswer, packet)
	case kind == wire.Ack:
		x.acked.Add(1)
		return x.next(i, !x.received)
	}
	return nil
}

// next sends the next event of client i when its turn has come.
func (x *exchange) next(i int, turn bool) error {
	if !turn || x.stopping.Load() {
		return nil
	}
	return x.send(i)
}

// settle waits until all that was sent is answered and delivered.
func (x *exchange) settle(ctx context.Context) error {
	return x.fleet.until(ctx, 10*time.Second, "some events were not answered or not delivered", func() bool {
		sent := x.sent.Load()
		return x.acked.Load() == sent && (x.event == "" || x.deliveries.Load() == sent)
	})
}

// Ping measures the event "ping" with its ack at n sockets.
func Ping(ctx context.Context, t Target, m Meter, w Window, n int) (cost Cost, err error) {
	f := NewFleet(t)
	defer func() { err = errors.Join(err, f.Close()) }()
	x := &exchange{fleet: f, frames: make([][]byte, n)}
	f.BarePath, f.Handle = echoPath, x.handle
	ping := wire.TextFrame(wire.EventPacket("ping", "", 0))
	for i := range x.frames {
		x.frames[i] = ping
	}
	if err := f.Grow(ctx, n); err != nil {
		return Cost{}, err
	}
	return x.run(ctx, m, w)
}

// echoPath is where the bare server answers each message.
func echoPath(int) string { return "/echo" }

// Relay measures candidates of about 1 KB, with ack, in rooms of the given size:
// each peer sends to the one whose number follows. In a cluster that one is on the
// next node, and an operation is a candidate received.
func Relay(ctx context.Context, t Target, m Meter, w Window, rooms, size int) (cost Cost, err error) {
	f := NewFleet(t)
	defer func() { err = errors.Join(err, f.Close()) }()
	x := &exchange{fleet: f, frames: make([][]byte, rooms*size), event: "candidate", received: len(t.Further) > 0}
	if size > batched {
		x.quiet = presenceQuiet
	}
	f.Handle = x.handle
	f.BarePath = func(i int) string { return fmt.Sprint("/relay?", i/size) }
	f.Room = func(i int) string { return roomName(i / size) }
	if err := f.Grow(ctx, rooms*size); err != nil {
		return Cost{}, err
	}
	for i := range x.frames {
		x.frames[i] = f.candidate(i, size)
	}
	return x.run(ctx, m, w)
}

// candidate is a frame from client i to the one whose number follows in its room.
func (f *Fleet) candidate(i, size int) []byte {
	first := i / size * size
	to := f.peers[first+(i-first+1)%size]
	return wire.TextFrame(wire.EventPacket("candidate", candidate(roomName(i/size), to), 0))
}
