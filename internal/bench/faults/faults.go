// Package faults puts a server under clients that misbehave, and reads off what
// that costs it and the others.
package faults

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/load"
	"github.com/caddy-socketio/caddy-socketio/internal/bench/server"
)

// Host is the server's side of a fault.
type Host interface {
	load.MemoryMeter
	// RSS is the resident memory now, in bytes.
	RSS() (int64, error)
	// Leftovers count what the server holds now.
	Leftovers(ctx context.Context) (server.Leftovers, error)
}

// Value is one number of a fault's outcome.
type Value struct {
	Name   string  `json:"name"`
	Number float64 `json:"number"`
	Unit   string  `json:"unit,omitempty"`
}

// Fault is one kind of misbehaviour.
type Fault struct {
	// Name is its short name.
	Name string
	// Title says what the clients do.
	Title string
	// Heartbeat is how the server is to be run, zero for its default. Silent
	// clients are only noticed by it.
	Heartbeat time.Duration
	// Run misbehaves and returns what was seen.
	Run func(ctx context.Context, t load.Target, h Host) ([]Value, error)
}

// All are the faults, in the order of the report.
var All = []Fault{
	{Name: "never-reads", Title: "10 clients that never read, 60 MB sent to their room", Run: neverReads},
	{Name: "flood", Title: "a sender that does not wait, 1 KB to a room of 500, for 5 s", Run: flood},
	{Name: "connect-and-close", Title: "10,000 times CONNECT and gone", Run: connectAndClose},
	{Name: "silent", Title: "1,000 clients that fall silent, as half-open TCP does", Heartbeat: time.Second, Run: silent},
	{Name: "stalled-frame", Title: "500 clients that stop in the middle of a frame", Heartbeat: time.Second, Run: stalledFrames},
	{Name: "stalled-post", Title: "500 clients that stop in the middle of a POST", Heartbeat: time.Second, Run: stalledPosts},
	{Name: "upgrades", Title: "1,000 upgrades at once", Run: upgrades},
}

const megabyte = 1 << 20

// peak watches the memory until the function it returns is called, which gives
// the growth in MB at its highest.
func peak(h Host) (growth func() (float64, error), err error) {
	before, err := h.RSS()
	if err != nil {
		return nil, err
	}
	stop, highest := make(chan struct{}), before
	var failed error
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			now, err := h.RSS()
			if err != nil {
				failed = err
				return
			}
			highest = max(highest, now)
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	})
	return sync.OnceValues(func() (float64, error) {
		close(stop)
		watching.Wait()
		return float64(highest-before) / megabyte, failed
	}), nil
}

// left waits a while for the server to come back to what it held before, and
// returns what it holds more.
func left(ctx context.Context, h Host, before server.Leftovers) ([]Value, error) {
	var now server.Leftovers
	for range 100 { // idle workers stay for some seconds
		var err error
		if now, err = h.Leftovers(ctx); err != nil {
			return nil, err
		}
		if now.Files <= before.Files && now.Goroutines <= before.Goroutines && now.Sessions <= before.Sessions {
			break
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return nil, err
		}
	}
	values := []Value{{Name: "connections left", Number: float64(max(0, now.Files-before.Files))}}
	for _, v := range []struct {
		name        string
		before, now int
	}{
		{"goroutines left", before.Goroutines, now.Goroutines}, {"sessions left", before.Sessions, now.Sessions},
		{"sockets left", before.Sockets, now.Sockets}, {"rooms left", before.Rooms, now.Rooms},
	} {
		if v.now >= 0 {
			values = append(values, Value{Name: v.name, Number: float64(max(0, v.now-v.before))})
		}
	}
	return values, nil
}

// pause waits for d, or until the run is cancelled.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// each runs work n times, some at once, and joins the errors.
func each(n int, work func(i int) error) error {
	const atOnce = 64
	errs := make([]error, n)
	var workers sync.WaitGroup
	for first := range min(atOnce, n) {
		workers.Go(func() {
			for i := first; i < n; i += atOnce {
				errs[i] = work(i)
			}
		})
	}
	workers.Wait()
	return errors.Join(errs...)
}

// crowd is a number of connections, closed at the end.
type crowd []interface{ Close() error }

// close closes those that were opened, whatever became of the others.
func (c crowd) close() error {
	var errs []error
	for i, member := range c {
		if member != nil {
			if err := member.Close(); err != nil {
				errs = append(errs, fmt.Errorf("closing %d: %w", i, err))
			}
		}
	}
	return errors.Join(errs...)
}
