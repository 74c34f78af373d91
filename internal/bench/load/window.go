package load

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// Meter reads what the server's processes have spent so far.
type Meter interface {
	// CPU is the processor time in user and kernel mode.
	CPU() (time.Duration, error)
}

// Window is how long a case runs before and while it is measured.
type Window struct {
	Warm, Measure time.Duration
}

// Cost is what a number of operations cost the server.
type Cost struct {
	Ops  int64
	CPU  time.Duration
	Wall time.Duration
}

// MicrosPerOp is the server's CPU time for one operation, in microseconds.
func (c Cost) MicrosPerOp() float64 {
	return float64(c.CPU.Microseconds()) / float64(max(c.Ops, 1))
}

// PerSecond is how many operations were done in a second.
func (c Cost) PerSecond() float64 { return float64(c.Ops) / c.Wall.Seconds() }

// measure lets the load run and returns what was done inside the window.
func (w Window) measure(ctx context.Context, m Meter, f *Fleet, ops *atomic.Int64) (Cost, error) {
	if err := f.wait(ctx, w.Warm); err != nil {
		return Cost{}, err
	}
	stop, err := start(m, ops)
	if err != nil {
		return Cost{}, err
	}
	if err := f.wait(ctx, w.Measure); err != nil {
		return Cost{}, err
	}
	cost, err := stop()
	if err == nil && cost.Ops == 0 {
		err = fmt.Errorf("nothing was done in %v", w.Measure)
	}
	return cost, err
}

// start notes the readings; the function it returns gives the differences.
func start(m Meter, ops *atomic.Int64) (stop func() (Cost, error), err error) {
	// The clock of the server is read last here and first below, so that neither
	// reading's own cost falls into the window.
	began, done := time.Now(), ops.Load()
	spent, err := m.CPU()
	if err != nil {
		return nil, err
	}
	return func() (Cost, error) {
		now, err := m.CPU()
		// Operations that end between the readings are a few in many thousands.
		return Cost{Ops: ops.Load() - done, CPU: now - spent, Wall: time.Since(began)}, err
	}, nil
}

// wait lets the clients work for d, or until one of them fails.
func (f *Fleet) wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case err := <-f.failed:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// until waits, no longer than d, for done to be true.
func (f *Fleet) until(ctx context.Context, d time.Duration, what string, done func() bool) error {
	for deadline := time.Now().Add(d); !done(); {
		if time.Now().After(deadline) {
			return fmt.Errorf("gave up after %v: %s", d, what)
		}
		if err := f.wait(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}
