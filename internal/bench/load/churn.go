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

// churn has one peer of each room leave and enter it again and again, while the
// others stay and hear of it.
type churn struct {
	fleet    *Fleet
	size     int // peers in a room; the first one is the restless
	frames   [][2][]byte
	steps    []atomic.Int64 // how many of the client's events are answered
	stopping atomic.Bool
	sent     atomic.Int64
	acked    atomic.Int64
	told     atomic.Int64 // peer-joined and peer-left
}

// Churn measures leaving and joining in rooms of the given size. An operation is
// one of the two.
func Churn(ctx context.Context, t Target, m Meter, w Window, rooms, size int) (cost Cost, err error) {
	f := NewFleet(t)
	defer func() { err = errors.Join(err, f.Close()) }()
	c := &churn{fleet: f, size: size, steps: make([]atomic.Int64, rooms*size)}
	for room := range rooms {
		c.frames = append(c.frames, leaveAndJoin(roomName(room)))
	}
	f.Room = func(i int) string { return roomName(i / size) }
	f.Handle = c.handle
	if err := f.Grow(ctx, rooms*size); err != nil {
		return Cost{}, err
	}
	if err := f.wait(ctx, 100*time.Millisecond); err != nil { // for what the joins have told
		return Cost{}, err
	}
	c.told.Store(0)
	for room := range rooms {
		if err := c.next(room * size); err != nil {
			return Cost{}, err
		}
	}
	cost, err = w.measure(ctx, m, f, &c.acked)
	c.stopping.Store(true)
	if err != nil {
		return Cost{}, err
	}
	return cost, f.until(ctx, 10*time.Second, "some peers were not told", func() bool {
		return c.acked.Load() == c.sent.Load() && c.told.Load() == c.sent.Load()*int64(size-1)
	})
}

// leaveAndJoin are the two frames that a restless peer sends in turn.
func leaveAndJoin(room string) [2][]byte {
	leave := wire.EventPacket("leave", fmt.Sprintf(`{"room":%q}`, room), 0)
	return [2][]byte{wire.TextFrame(leave), wire.TextFrame(JoinPacket(room))}
}

// next sends what the restless client i does next.
func (c *churn) next(i int) error {
	c.sent.Add(1)
	return c.fleet.Send(i, c.frames[i/c.size][c.steps[i].Load()%2])
}

// handle has a restless client go on once its last step is answered.
func (c *churn) handle(i int, packet []byte, kind wire.Kind) error {
	switch {
	case kind == wire.Event && (wire.IsEvent(packet, "peer-left") || wire.IsEvent(packet, "peer-joined")):
		c.told.Add(1)
	case kind == wire.Ack && !bytes.Contains(packet, okAck):
		return fmt.Errorf("%w: %.200s", errBadAnswer, packet)
	case kind == wire.Ack:
		c.acked.Add(1)
		c.steps[i].Add(1)
		if !c.stopping.Load() {
			return c.next(i)
		}
	}
	return nil
}
