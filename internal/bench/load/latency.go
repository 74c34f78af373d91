package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/wire"
)

// Latencies are percentiles of the time from when an event was due to its ack, or
// to when others have received it.
type Latencies struct {
	Cost     Cost
	P50, P99 time.Duration
}

// offered sends events at times that do not depend on the answers, so that a
// slow server cannot slow down its own measurement.
type offered struct {
	fleet *Fleet
	frame func(i int) []byte
	done  wire.Kind       // ends an event's time
	of    func(i int) int // the sender of what client i gets

	due   []atomic.Int64 // per client, when its unanswered event was due, in ns; 0: none
	ended atomic.Int64

	recorder
}

// recorder keeps latencies. Its methods may be called concurrently.
type recorder struct {
	mu        sync.Mutex
	latencies []time.Duration // guarded by mu; nil while warming up
}

// Latency offers rate pings a second, spread over n sockets.
func Latency(ctx context.Context, t Target, m Meter, w Window, n, rate int) (result Latencies, err error) {
	f := NewFleet(t)
	defer func() { err = errors.Join(err, f.Close()) }()
	ping := wire.TextFrame(wire.EventPacket("ping", "", 0))
	o := &offered{fleet: f, frame: func(int) []byte { return ping }, done: wire.Ack, of: itself, due: make([]atomic.Int64, n)}
	f.BarePath, f.Handle = echoPath, o.handle
	if err := f.Grow(ctx, n); err != nil {
		return Latencies{}, err
	}
	return o.run(ctx, m, w, rate)
}

func itself(i int) int { return i }

// RelayLatency offers rate candidates a second, spread over pairs whose two peers
// are on different nodes, and takes the time until they are received.
func RelayLatency(ctx context.Context, t Target, m Meter, w Window, pairs, rate int) (result Latencies, err error) {
	f := NewFleet(t)
	defer func() { err = errors.Join(err, f.Close()) }()
	frames := make([][]byte, 2*pairs)
	o := &offered{fleet: f, frame: func(i int) []byte { return frames[i] }, done: wire.Event, due: make([]atomic.Int64, 2*pairs)}
	o.of = func(i int) int { return i ^ 1 } // the other one of the pair
	f.Handle = o.handle
	f.Room = func(i int) string { return roomName(i / 2) }
	if err := f.Grow(ctx, 2*pairs); err != nil {
		return Latencies{}, err
	}
	for i := range frames {
		frames[i] = f.candidate(i, 2)
	}
	return o.run(ctx, m, w, rate)
}

// run measures while it offers the load.
func (o *offered) run(ctx context.Context, m Meter, w Window, rate int) (result Latencies, err error) {
	if err := o.pace(ctx, w.Warm, rate); err != nil {
		return Latencies{}, err
	}
	o.record(int(w.Measure.Seconds()*float64(rate)) + 1)
	stop, err := start(m, &o.ended)
	if err != nil {
		return Latencies{}, err
	}
	if err := o.pace(ctx, w.Measure, rate); err != nil {
		return Latencies{}, err
	}
	if result.Cost, err = stop(); err != nil {
		return Latencies{}, err
	}
	result.P50, result.P99 = o.percentiles()
	return result, nil
}

// pace sends for d, a few events every millisecond, from one client after another.
func (o *offered) pace(ctx context.Context, d time.Duration, rate int) error {
	return paced(ctx, o.fleet, d, rate, func(n int, due time.Time) error { return o.send(n%len(o.due), due) })
}

// paced calls send as often as rate says, and tells each when it was due.
func paced(ctx context.Context, f *Fleet, d time.Duration, rate int, send func(n int, due time.Time) error) error {
	began := time.Now()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	total := int(d.Seconds() * float64(rate))
	for sent := 0; sent < total; {
		select {
		case <-tick.C:
		case err := <-f.failed:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		// All that has become due since the last tick, however late that came.
		for ; sent < total; sent++ {
			due := began.Add(time.Duration(float64(sent) / float64(rate) * float64(time.Second)))
			if due.After(time.Now()) {
				break
			}
			if err := send(sent, due); err != nil {
				return err
			}
		}
	}
	return nil
}

// send skips a client whose last event is still under way: that one keeps its
// earlier due time, so its latency only grows.
func (o *offered) send(i int, due time.Time) error {
	if !o.due[i].CompareAndSwap(0, due.UnixNano()) {
		return nil
	}
	return o.fleet.Send(i, o.frame(i))
}

// handle takes the time before the lock, for which others may be waiting.
func (o *offered) handle(i int, packet []byte, kind wire.Kind) error {
	now := time.Now()
	if kind == wire.Ack && !bytes.Contains(packet, okAck) {
		return fmt.Errorf("%w: %.200s", errBadAnswer, packet)
	}
	if kind != o.done || kind == wire.Event && !wire.IsEvent(packet, "candidate") {
		return nil
	}
	due := o.due[o.of(i)].Swap(0)
	o.ended.Add(1)
	o.took(time.Duration(now.UnixNano() - due))
	return nil
}

func (o *recorder) took(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.latencies != nil {
		o.latencies = append(o.latencies, d)
	}
}

// record starts to keep latencies, without ever growing the list afterwards: the
// copying would show in the latencies.
func (o *recorder) record(capacity int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.latencies = make([]time.Duration, 0, max(capacity, 1))
}

// percentiles are those of the latencies so far.
func (o *recorder) percentiles() (p50, p99 time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	slices.Sort(o.latencies)
	return Percentile(o.latencies, 50), Percentile(o.latencies, 99)
}

// Percentile is the nearest-rank percentile of sorted values, 0 of none.
func Percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(p/100*float64(len(sorted)) + 0.9999999)
	return sorted[min(max(rank, 1), len(sorted))-1]
}
