package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/wire"
)

// Upgrades opens n sessions on long polling and then upgrades all of them to
// websockets at the same moment; a ping with ack over the new transport ends
// each. It returns their cost and fails if any is lost.
func Upgrades(ctx context.Context, t Target, m Meter, n int) (cost Cost, err error) {
	pollers := make([]*Poller, n)
	defer func() {
		for _, p := range pollers {
			err = errors.Join(err, p.Close())
		}
	}()
	for i := range pollers {
		if pollers[i], err = t.DialPolling(ctx); err != nil {
			return Cost{}, err
		}
	}
	var done atomic.Int64
	stop, err := start(m, &done)
	if err != nil {
		return Cost{}, err
	}
	errs := make([]error, n)
	var upgrading sync.WaitGroup
	for i, p := range pollers {
		upgrading.Go(func() {
			if errs[i] = p.upgrade(ctx, t); errs[i] == nil {
				done.Add(1)
			}
		})
	}
	upgrading.Wait()
	if cost, err = stop(); err != nil {
		return cost, err
	}
	for i, err := range errs {
		if err != nil {
			return cost, fmt.Errorf("%d of %d upgraded; client %d: %w", done.Load(), n, i, err)
		}
	}
	return cost, nil
}

// Probe opens a websocket that is to take over from the polling session of an id,
// as far as the probe's answer. The client's "5" is still to come.
func (t Target) Probe(ctx context.Context, sid string) (*Client, error) {
	conn, err := t.Connect(ctx)
	if err != nil {
		return nil, err
	}
	c := &Client{conn: conn}
	if err = conn.SetDeadline(time.Now().Add(dialTimeout)); err == nil {
		err = c.probe(t, sid)
	}
	if err = errors.Join(err, conn.SetDeadline(time.Time{})); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return c, nil
}

func (c *Client) probe(t Target, sid string) error {
	if err := c.ask(t, "/socket.io/?EIO=4&transport=websocket&sid="+sid); err != nil {
		return err
	}
	if err := c.Send(wire.TextFrame("2probe")); err != nil {
		return err
	}
	packet, _, err := c.Next()
	if err != nil {
		return fmt.Errorf("waiting for the probe's answer: %w", err)
	}
	if string(packet) != "3probe" {
		return fmt.Errorf("%w: the probe's answer is %q", errStatus, packet)
	}
	return nil
}

// upgrade does what a client does: a poll is waiting while it probes, and must
// have been answered before it says that it has changed over.
func (p *Poller) upgrade(ctx context.Context, t Target) (err error) {
	if _, err := p.get.Write(p.poll); err != nil {
		return err
	}
	c, err := t.Probe(ctx, p.sid)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := c.Expire(dialTimeout); err != nil {
		return err
	}
	if _, err := p.get.answer(); err != nil {
		return fmt.Errorf("waiting for the poll to be released: %w", err)
	}
	// From here on packets go over the websocket; the ping shows that they do.
	if err := c.Send(wire.TextFrame("5")); err != nil {
		return err
	}
	if err := c.Send(wire.TextFrame(wire.EventPacket("ping", "", 0))); err != nil {
		return err
	}
	_, err = c.Await(wire.Ack)
	return err
}
