package faults

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/load"
	"github.com/caddy-socketio/caddy-socketio/internal/bench/wire"
)

const (
	audience  = 500
	floodTime = 5 * time.Second
)

// flood has one client send broadcasts, each of which costs the server much more
// than the frame costs the sender, without waiting for anything. Memory must stay
// bounded, and another client's pings must be answered.
func flood(ctx context.Context, t load.Target, h Host) (values []Value, err error) {
	f := load.NewFleet(t)
	f.Room = func(int) string { return "flooded" }
	f.Handle = func(int, []byte, wire.Kind) error { return nil }
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Grow(ctx, audience); err != nil {
		return nil, err
	}
	bystander, err := t.Dial(ctx, "")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, bystander.Close()) }()
	growth, err := peak(h)
	if err != nil {
		return nil, err
	}
	defer func() { _, _ = growth() }() // ends the watch where an error comes first
	// The sender's own acks are read by the fleet, so only the work is in its way.
	sent := make(chan int, 1)
	go func() { sent <- pour(f, message("flooded", 1000), floodTime) }()
	slowest, answered, err := pings(ctx, bystander, floodTime)
	total := <-sent
	if err != nil {
		return nil, err
	}
	grown, err := growth()
	return []Value{
		{"memory at its peak", grown, "MB"},
		{"frames the server took", float64(total), ""},
		{"pings of a bystander answered", float64(answered), ""},
		{"slowest of them", float64(slowest.Microseconds()) / 1000, "ms"},
	}, err
}

// pour sends as fast as the connection takes it, for d.
func pour(f *load.Fleet, frame []byte, d time.Duration) (sent int) {
	for deadline := time.Now().Add(d); time.Now().Before(deadline); sent++ {
		if f.Send(0, frame) != nil {
			return sent // it was closed: that, too, is an answer
		}
	}
	return sent
}

// pings sends one ping after another, 50 ms apart, for d.
func pings(ctx context.Context, c *load.Client, d time.Duration) (slowest time.Duration, answered int, err error) {
	ping := wire.TextFrame(wire.EventPacket("ping", "", 0))
	if err := c.Expire(d + 30*time.Second); err != nil {
		return 0, 0, err
	}
	for deadline := time.Now().Add(d); time.Now().Before(deadline); answered++ {
		began := time.Now()
		if err := c.Send(ping); err != nil {
			return 0, 0, err
		}
		if _, err := c.Await(wire.Ack); err != nil {
			return 0, 0, fmt.Errorf("after %d pings: %w", answered, err)
		}
		slowest = max(slowest, time.Since(began))
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return 0, 0, err
		}
	}
	return slowest, answered, nil
}
