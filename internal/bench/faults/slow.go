package faults

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/load"
	"github.com/caddy-socketio/caddy-socketio/internal/bench/wire"
)

const (
	victims     = 10
	bigMessages = 2000
	bigSize     = 30_000
)

// neverReads has a sender, a witness who reads, and clients who do not, in one
// room. Memory must not grow with what was sent, and the witness must get all.
func neverReads(ctx context.Context, t load.Target, h Host) (values []Value, err error) {
	members := make([]*load.Client, 2+victims)
	defer func() { err = errors.Join(err, closeAll(members)) }()
	for i := range members {
		if members[i], err = enter(ctx, t, "slow"); err != nil {
			return nil, err
		}
	}
	growth, err := peak(h)
	if err != nil {
		return nil, err
	}
	defer func() { _, _ = growth() }() // ends the watch where an error comes first
	var seen atomic.Int64
	witness := make(chan error, 1)
	go func() { witness <- count(members[1], bigMessages, &seen) }()
	slowest, err := sendAll(members[0], message("slow", bigSize), bigMessages)
	if err != nil {
		return nil, err
	}
	if err := <-witness; err != nil {
		return nil, err
	}
	grown, err := growth()
	if err != nil {
		return nil, err
	}
	// Only now do they read: what lies in the kernel's buffers comes first, and
	// behind it the end of the connection, if the server has given them up.
	closed := 0
	for _, victim := range members[2:] {
		if drained(victim) {
			closed++
		}
	}
	return []Value{
		{"memory at its peak", grown, "MB"},
		{"slow clients that were closed", float64(closed), fmt.Sprintf("of %d", victims)},
		{"messages the witness got", float64(seen.Load()), fmt.Sprintf("of %d", bigMessages)},
		{"slowest ack", float64(slowest.Microseconds()) / 1000, "ms"},
	}, nil
}

// enter connects a client and joins the room.
func enter(ctx context.Context, t load.Target, room string) (*load.Client, error) {
	c, err := t.Dial(ctx, "")
	if err != nil {
		return nil, err
	}
	if _, err := c.Join(room); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// message is a frame with size bytes of data to the whole room.
func message(room string, size int) []byte {
	payload := fmt.Sprintf(`{"room":%q,"data":%q}`, room, strings.Repeat("x", size))
	return wire.TextFrame(wire.EventPacket("message", payload, 0))
}

// count reads until n messages have come.
func count(c *load.Client, n int64, seen *atomic.Int64) error {
	if err := c.Expire(time.Minute); err != nil {
		return err
	}
	for seen.Load() < n {
		packet, kind, err := c.Next()
		if err != nil {
			return fmt.Errorf("after %d messages: %w", seen.Load(), err)
		}
		if kind == wire.Event && wire.IsEvent(packet, "message") {
			seen.Add(1)
		}
	}
	return nil
}

// sendAll sends a frame n times, each after the ack of the last.
func sendAll(c *load.Client, frame []byte, n int) (slowest time.Duration, err error) {
	if err := c.Expire(time.Minute); err != nil {
		return 0, err
	}
	for range n {
		began := time.Now()
		if err := c.Send(frame); err != nil {
			return 0, err
		}
		if _, err := c.Await(wire.Ack); err != nil {
			return 0, err
		}
		slowest = max(slowest, time.Since(began))
	}
	return slowest, nil
}

// drained reads what still lies there for a client, and reports whether the
// connection has ended behind it.
func drained(c *load.Client) bool {
	if c.Expire(2*time.Second) != nil {
		return true
	}
	for {
		if _, _, err := c.Next(); err != nil {
			var expired interface{ Timeout() bool }
			return !errors.As(err, &expired) || !expired.Timeout()
		}
	}
}

// closeAll closes those clients that have been connected.
func closeAll(clients []*load.Client) error {
	var c crowd
	for _, client := range clients {
		if client != nil {
			c = append(c, client)
		}
	}
	return c.close()
}
