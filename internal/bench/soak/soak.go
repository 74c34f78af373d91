// Package soak keeps a server under mixed load for minutes, with reloads and, if
// wanted, abuse beside it. It counts what well-behaved clients lose, and what the
// server still holds once all have gone.
package soak

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/load"
	"github.com/caddy-socketio/caddy-socketio/internal/bench/server"
)

// Host is the server's side of a soak.
type Host interface {
	// Leftovers count what the server holds now.
	Leftovers(ctx context.Context) (server.Leftovers, error)
	// Heap is what it holds on its heap after a collection, in bytes.
	Heap(ctx context.Context) (int64, error)
	// RSS is its resident memory, in bytes.
	RSS() (int64, error)
	// Reload gives it the directives of another revision.
	Reload(ctx context.Context, revision int) error
}

// Plan says what happens, and for how long.
type Plan struct {
	// For is how long the clients talk. A tenth of it, at most half a minute,
	// comes on top before, for what the server allocates once.
	For time.Duration
	// Abuse puts clients beside them that misbehave in every way we know.
	Abuse bool
	// Rooms is the number of rooms of four that stay. Default: 30.
	Rooms int
	// Visitors is how many pairs come, talk and go again at any time. Default: 8.
	Visitors int
	// ReloadEvery is the time between two reloads. Default: 5s.
	ReloadEvery time.Duration
}

func (p *Plan) applyDefaults() {
	if p.Rooms == 0 {
		p.Rooms = 30
	}
	if p.Visitors == 0 {
		p.Visitors = 8
	}
	if p.ReloadEvery == 0 {
		p.ReloadEvery = 5 * time.Second
	}
}

// Site is the directive under test: the default limits, from which only the
// address of the well-behaved clients, all of whom share it, is exempt. Each
// revision differs, or a reload would do nothing.
func Site(revision int) string {
	return fmt.Sprintf(`	socketio {
		ping_interval 5s
		ping_timeout 5s
		limits {
			exempt 127.0.0.1/32
		}
		namespace / {
			gateway webrtc {
				room_capacity %d
			}
		}
	}
`, 16+revision%2)
}

// stage is where one soak takes place. Its fields but the counters are set once.
type stage struct {
	target  load.Target
	host    Host
	plan    Plan
	tally   *tally
	reloads atomic.Int64
	attacks counts
	samples []State // owned by watch while a phase runs
}

// Run soaks the server, and returns what was seen. What clients lost is part of
// the report, not an error.
func Run(ctx context.Context, t load.Target, h Host, p Plan) (*Report, error) {
	p.applyDefaults()
	s := &stage{target: t, host: h, plan: p, tally: newTally()}
	if err := s.phase(ctx, min(p.For/10, 30*time.Second)); err != nil {
		return nil, fmt.Errorf("warming up: %w", err)
	}
	before, err := s.settled(ctx, State{})
	if err != nil {
		return nil, err
	}
	s.tally, s.samples, s.attacks = newTally(), nil, counts{}
	s.reloads.Store(0)
	if err := s.phase(ctx, p.For); err != nil {
		return nil, err
	}
	after, err := s.settled(ctx, before)
	if err != nil {
		return nil, err
	}
	return s.report(before, after), nil
}

// phase has everybody talk for d, and leave.
func (s *stage) phase(ctx context.Context, d time.Duration) (err error) {
	ctx, stop := context.WithCancelCause(ctx)
	var beside sync.WaitGroup
	defer func() {
		stop(nil)
		beside.Wait()
		if cause := context.Cause(ctx); err == nil && !errors.Is(cause, context.Canceled) {
			err = cause
		}
	}()
	groups, err := s.gatherRooms(ctx)
	defer func() {
		for _, g := range groups {
			g.close()
		}
	}()
	if err != nil {
		return err
	}
	talking, hush := context.WithTimeout(ctx, d)
	defer hush()
	try := func(f func(context.Context) error) {
		beside.Go(func() {
			if err := f(talking); err != nil && talking.Err() == nil {
				stop(err)
			}
		})
	}
	try(s.reload)
	try(s.watch)
	if s.plan.Abuse {
		for i, a := range attacks {
			beside.Go(func() { s.attack(talking, i, a) })
		}
	}
	var talkers sync.WaitGroup
	for i := range s.plan.Visitors {
		talkers.Go(func() { s.visitors(talking, i) })
	}
	for _, g := range groups {
		talkers.Go(func() { g.talk(talking, talkEvery) })
	}
	talkers.Wait()
	for _, g := range groups {
		g.settle(ctx)
	}
	return context.Cause(ctx)
}

// reload alternates between two revisions.
func (s *stage) reload(ctx context.Context) error {
	for revision := 1; pause(ctx, s.plan.ReloadEvery); revision++ {
		if err := s.host.Reload(ctx, revision); err != nil {
			return fmt.Errorf("reload %d: %w", revision, err)
		}
		s.reloads.Add(1)
	}
	return nil
}

// pause waits for d and reports whether there is still something to wait for.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
