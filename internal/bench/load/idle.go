package load

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/wire"
)

// MemoryMeter also reads the server's memory.
type MemoryMeter interface {
	Meter
	// SettledRSS asks for a garbage collection and returns the resident memory
	// in bytes once it has stopped changing.
	SettledRSS(ctx context.Context) (int64, error)
}

// Idle is what connections cost that do nothing.
type Idle struct {
	// Connect is the cost of one connection from TCP to the answered CONNECT.
	Connect Cost
	// BytesPerSocket is the resident memory that each adds.
	BytesPerSocket float64
}

// Connections opens n websockets and leaves them idle. The first fifth warms the
// server up; costs are taken over the others.
func Connections(ctx context.Context, t Target, m MemoryMeter, n int) (result Idle, err error) {
	f := NewFleet(t)
	f.BarePath, f.Handle = echoPath, ignore
	defer func() { err = errors.Join(err, f.Close()) }()
	// What a server allocates once, such as compiled code and pools, is no cost of
	// a socket, and must be there before the first reading.
	warm := n / 5
	if err := f.Grow(ctx, warm); err != nil {
		return Idle{}, err
	}
	before, err := m.SettledRSS(ctx)
	if err != nil {
		return Idle{}, err
	}
	var opened atomic.Int64
	stop, err := start(m, &opened)
	if err != nil {
		return Idle{}, err
	}
	if err := f.Grow(ctx, n-warm); err != nil {
		return Idle{}, err
	}
	opened.Store(int64(n - warm))
	if result.Connect, err = stop(); err != nil {
		return Idle{}, err
	}
	after, err := m.SettledRSS(ctx)
	if err != nil {
		return Idle{}, err
	}
	result.BytesPerSocket = float64(after-before) / float64(n-warm)
	return result, f.wait(ctx, 0)
}

// ignore takes packets of which nothing is measured.
func ignore(int, []byte, wire.Kind) error { return nil }
