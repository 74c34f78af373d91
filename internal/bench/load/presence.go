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

// Presences is what joins and leaves in one large room cost.
type Presences struct {
	Cost Cost
	// MessagesPerMember is how many messages a second each member got of them.
	MessagesPerMember float64
}

// restless is how many leave and enter at most. It does not grow with the room, so
// that rooms of all sizes have the same news to tell.
const restless = 100

// presence is a room whose first peers leave and enter in turn.
type presence struct {
	fleet    *Fleet
	restless int
	frames   [2][]byte
	steps    []atomic.Int64
	acked    atomic.Int64
	heard    atomic.Int64 // by the members that stay
}

// Presence has peers leave and join a room of n members at a rate a second.
// An operation is one of the two.
func Presence(ctx context.Context, t Target, m Meter, w Window, n, rate int) (result Presences, err error) {
	f := NewFleet(t)
	defer func() { err = errors.Join(err, f.Close()) }()
	p := &presence{fleet: f, restless: min(max(n/2, 1), restless), frames: leaveAndJoin("hall"), steps: make([]atomic.Int64, n)}
	f.Room = func(int) string { return "hall" }
	f.Handle = p.handle
	if err := f.Grow(ctx, n); err != nil {
		return Presences{}, err
	}
	if err := f.wait(ctx, presenceQuiet); err != nil {
		return Presences{}, err
	}
	if err := p.pace(ctx, w.Warm, rate); err != nil {
		return Presences{}, err
	}
	heard := p.heard.Load()
	stop, err := start(m, &p.acked)
	if err != nil {
		return Presences{}, err
	}
	if err := p.pace(ctx, w.Measure, rate); err != nil {
		return Presences{}, err
	}
	result.Cost, err = stop()
	// Only those who stay: the restless also get answers to what they send.
	perMember := float64(p.heard.Load()-heard) / float64(n-p.restless)
	result.MessagesPerMember = perMember / result.Cost.Wall.Seconds()
	return result, err
}

// pace sends for d, one after another of the restless.
func (p *presence) pace(ctx context.Context, d time.Duration, rate int) error {
	total := int(d.Seconds() * float64(rate))
	for i := range total {
		client := i % p.restless
		step := p.steps[client].Add(1) - 1
		if err := p.fleet.Send(client, p.frames[step%2]); err != nil {
			return err
		}
		if err := p.fleet.wait(ctx, time.Second/time.Duration(rate)); err != nil {
			return err
		}
	}
	return nil
}

// handle counts what those hear who stay, and checks that the others are let in.
func (p *presence) handle(i int, packet []byte, kind wire.Kind) error {
	switch {
	case kind == wire.Event && i >= p.restless:
		p.heard.Add(1)
	case kind == wire.Ack && !bytes.Contains(packet, okAck):
		return fmt.Errorf("%w: %.200s", errBadAnswer, packet)
	case kind == wire.Ack:
		p.acked.Add(1)
	}
	return nil
}
