package faults

import (
	"context"
	"errors"
	"fmt"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/load"
)

// stalledPosts opens sessions on long polling whose first POST never ends.
func stalledPosts(ctx context.Context, t load.Target, h Host) (values []Value, err error) {
	before, err := h.Leftovers(ctx)
	if err != nil {
		return nil, err
	}
	growth, err := peak(h)
	if err != nil {
		return nil, err
	}
	defer func() { _, _ = growth() }() // ends the watch where an error comes first
	conns := make(crowd, stalled)
	defer func() { err = errors.Join(err, conns.close()) }()
	err = each(stalled, func(i int) error {
		p, err := t.DialPolling(ctx)
		if err != nil {
			return fmt.Errorf("session %d: %w", i, err)
		}
		conns[i] = p
		return p.Stall(10, 1000)
	})
	if err != nil {
		return nil, err
	}
	return bystand(ctx, t, h, before, growth)
}

// upgrades fails if one of them does.
func upgrades(ctx context.Context, t load.Target, h Host) ([]Value, error) {
	const n = 1000
	before, err := h.Leftovers(ctx)
	if err != nil {
		return nil, err
	}
	cost, err := load.Upgrades(ctx, t, h, n)
	if err != nil {
		return nil, err
	}
	values, err := left(ctx, h, before)
	return append([]Value{
		{"upgraded", float64(cost.Ops), fmt.Sprintf("of %d", n)},
		{"in", float64(cost.Wall.Milliseconds()), "ms"},
		{"CPU for each", cost.MicrosPerOp(), "µs"},
	}, values...), err
}
