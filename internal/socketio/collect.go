package socketio

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// EmitWithAck implements [gateway.Target].
func (t target) EmitWithAck(ctx context.Context, event string, args ...any) ([]gateway.Args, error) {
	p, err := encodeArgs(event, args)
	if err != nil {
		return nil, err
	}
	id := t.ns.nextID()
	m := p.frame(kindEvent, t.ns.name, &id)
	c := &collector{done: make(chan struct{}), open: 1}
	t.ns.server.busy.add(1)
	defer t.ns.server.busy.add(-1)
	var asked []*Socket
	t.each(func(s *Socket) {
		if !s.Connected() {
			return // its client is still being let in, or has gone meanwhile
		}
		if s.expect(id, c.another()) != nil {
			c.answered()
			return
		}
		asked = append(asked, s)
		s.receiveInOrder(m, t.volatile)
	})
	join := t.askOthers(ctx, p, c)
	c.answered() // the collector's own
	select {
	case <-c.done:
		err = join()
		return c.take(), err
	case <-ctx.Done():
	}
	for _, s := range asked {
		s.forget(id)
	}
	err = cmp.Or(join(), context.Cause(ctx))
	return c.take(), err
}

// askOthers has the collector get the answers of other nodes as well. join waits
// for the end of that.
func (t target) askOthers(ctx context.Context, p payload, c *collector) (join func() error) {
	link := t.remote()
	if link == nil {
		return func() error { return nil }
	}
	c.another()
	failed := make(chan error, 1)
	go func() {
		defer c.answered()
		failed <- link.Ask(ctx, t.message(p), c.add)
	}()
	return func() error { return <-failed }
}

// collector is the sink of a broadcast's acks. All methods may be called
// concurrently.
type collector struct {
	done chan struct{}

	mu   sync.Mutex // guards the following fields
	open int        // acks to come, and 1 while sockets are still being asked
	args []gateway.Args
}

// another counts a further ack to come.
func (c *collector) another() *collector {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open++
	return c
}

func (c *collector) ack(_ *Socket, args gateway.Args) {
	c.add(args)
	c.answered()
}

func (c *collector) add(args gateway.Args) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.args = append(c.args, args)
}

func (c *collector) gone(*Socket, uint64) { c.answered() }

func (c *collector) answered() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open--; c.open == 0 {
		close(c.done)
	}
}

func (c *collector) take() []gateway.Args {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.args)
}
