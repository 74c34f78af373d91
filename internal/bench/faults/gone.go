package faults

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/load"
	"github.com/caddy-socketio/caddy-socketio/internal/bench/server"
	"github.com/caddy-socketio/caddy-socketio/internal/bench/wire"
)

const (
	visitors  = 10_000
	silents   = 1000
	stalled   = 500
	noticedIn = 4 * time.Second // by heartbeats of a second
)

// connectAndClose sends CONNECT and closes at once, so that the server's answer
// meets a client that is gone.
func connectAndClose(ctx context.Context, t load.Target, h Host) ([]Value, error) {
	before, err := h.Leftovers(ctx)
	if err != nil {
		return nil, err
	}
	rss, err := h.SettledRSS(ctx)
	if err != nil {
		return nil, err
	}
	err = each(visitors, func(int) error {
		conn, err := t.Connect(ctx)
		if err != nil {
			return err
		}
		if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			return errors.Join(err, conn.Close())
		}
		return errors.Join(visit(conn, t.Addr), conn.Close())
	})
	if err != nil {
		return nil, err
	}
	values, err := left(ctx, h, before)
	if err != nil {
		return nil, err
	}
	after, err := h.SettledRSS(ctx)
	return append(values, Value{"memory left", float64(after-rss) / megabyte, "MB"}), err
}

// visit sends CONNECT without waiting for the open packet, which is as early as
// a client can be gone again.
func visit(conn net.Conn, addr string) error {
	const path = "/socket.io/?EIO=4&transport=websocket"
	if _, err := conn.Write(wire.UpgradeRequest(addr, path)); err != nil {
		return err
	}
	if _, err := wire.ReadUpgrade(conn); err != nil {
		return err
	}
	_, err := conn.Write(wire.TextFrame(wire.Connect))
	return err
}

// silent clients neither read nor write any more, but their connections stay
// open: to the server they look like a machine that has lost its network.
func silent(ctx context.Context, t load.Target, h Host) ([]Value, error) {
	return abandoned(ctx, t, h, silents, func(*load.Client) error { return nil })
}

// stalledFrames announces more than it sends.
func stalledFrames(ctx context.Context, t load.Target, h Host) ([]Value, error) {
	// The head says more than 1,000 bytes.
	whole := wire.TextFrame(wire.EventPacket("ping", fmt.Sprintf("%01000d", 1), 0))
	return abandoned(ctx, t, h, stalled, func(c *load.Client) error { return c.Send(whole[:100]) })
}

// abandoned connects n clients, has each do something last, and counts what is
// left once heartbeats must have noticed. Meanwhile another client pings.
func abandoned(ctx context.Context, t load.Target, h Host, n int, last func(*load.Client) error) (values []Value, err error) {
	before, err := h.Leftovers(ctx)
	if err != nil {
		return nil, err
	}
	growth, err := peak(h)
	if err != nil {
		return nil, err
	}
	defer func() { _, _ = growth() }() // ends the watch where an error comes first
	clients := make([]*load.Client, n)
	defer func() { err = errors.Join(err, closeAll(clients)) }()
	err = each(n, func(i int) (err error) {
		if clients[i], err = t.Dial(ctx, ""); err != nil {
			return err
		}
		return last(clients[i])
	})
	if err != nil {
		return nil, err
	}
	return bystand(ctx, t, h, before, growth)
}

// bystand pings as an ordinary client while heartbeats do their work, then
// counts what they have left.
func bystand(ctx context.Context, t load.Target, h Host, before server.Leftovers, growth func() (float64, error)) (values []Value, err error) {
	c, err := t.Dial(ctx, "")
	if err != nil {
		return nil, err
	}
	slowest, answered, err := pings(ctx, c, noticedIn)
	if err = errors.Join(err, c.Close()); err != nil {
		return nil, err
	}
	if values, err = left(ctx, h, before); err != nil {
		return nil, err
	}
	grown, err := growth()
	return append(values,
		Value{"memory at its peak", grown, "MB"},
		Value{"pings of a bystander answered", float64(answered), ""},
		Value{"slowest of them", float64(slowest.Microseconds()) / 1000, "ms"}), err
}
