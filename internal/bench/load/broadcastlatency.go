package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/wire"
)

// announced is one sender at a steady rate, whose messages all others receive in
// the order in which they were due.
type announced struct {
	fleet *Fleet
	frame []byte
	got   []int // per client, how many it has; each is its client's goroutine's

	mu  sync.Mutex
	due []time.Time // guarded by mu

	recorder
}

// BroadcastLatency offers rate messages of 200 bytes a second to a room of n
// others, and takes the time until each has its own.
func BroadcastLatency(ctx context.Context, t Target, m Meter, w Window, n, rate int) (result Latencies, err error) {
	f := NewFleet(t)
	defer func() { err = errors.Join(err, f.Close()) }()
	a := &announced{fleet: f, frame: hallMessage(), got: make([]int, n+1)}
	f.Room = func(int) string { return "hall" }
	f.Handle = a.handle
	if err := f.Grow(ctx, n+1); err != nil {
		return Latencies{}, err
	}
	if err := f.wait(ctx, presenceQuiet); err != nil {
		return Latencies{}, err
	}
	if err := paced(ctx, f, w.Warm, rate, a.send); err != nil {
		return Latencies{}, err
	}
	a.record(int(w.Measure.Seconds()*float64(rate)+1) * n)
	if err := paced(ctx, f, w.Measure, rate, a.send); err != nil {
		return Latencies{}, err
	}
	result.P50, result.P99 = a.percentiles()
	return result, nil
}

// hallMessage is what is broadcast in the hall.
func hallMessage() []byte {
	return wire.TextFrame(wire.EventPacket("message", fmt.Sprintf(`{"room":"hall","data":%q}`, strings.Repeat("x", 200)), 0))
}

func (a *announced) send(_ int, due time.Time) error {
	a.mu.Lock()
	a.due = append(a.due, due)
	a.mu.Unlock()
	return a.fleet.Send(0, a.frame)
}

func (a *announced) handle(i int, packet []byte, kind wire.Kind) error {
	now := time.Now()
	switch {
	case kind == wire.Ack && !bytes.Contains(packet, okAck):
		return fmt.Errorf("%w: %.200s", errBadAnswer, packet)
	case kind == wire.Event && wire.IsEvent(packet, "message"):
		a.mu.Lock()
		due := a.due[a.got[i]]
		a.mu.Unlock()
		a.got[i]++
		a.took(now.Sub(due))
	}
	return nil
}
