package hub

import (
	"context"
	"sync/atomic"

	"go.uber.org/zap"
)

// notices hand what happens to the front's event system, from a queue of their
// own: its handlers may run programs, which sockets must not wait for. All
// methods may be called concurrently.
type notices struct {
	queue   chan notice
	done    chan struct{} // closed to stop
	ended   chan struct{} // closed when stopped
	current atomic.Pointer[Generation]
	closed  atomic.Bool
	late    atomic.Bool // what still waits is forgotten
}

type notice struct {
	event string
	data  map[string]any
}

// noticesWaiting bounds the queue; a front that is slower loses some, with a line
// in the log.
const noticesWaiting = 1024

// newNotices makes the queue; the caller starts run.
func newNotices(g *Generation) *notices {
	n := &notices{queue: make(chan notice, noticesWaiting), done: make(chan struct{}), ended: make(chan struct{})}
	n.current.Store(g)
	return n
}

func (n *notices) run() {
	defer close(n.ended)
	for {
		select {
		case one := <-n.queue:
			n.deliver(one)
		case <-n.done:
			n.flush()
			return
		}
	}
}

// flush delivers what was posted before the end.
func (n *notices) flush() {
	for !n.late.Load() {
		select {
		case one := <-n.queue:
			n.deliver(one)
		default:
			return
		}
	}
}

func (n *notices) deliver(one notice) {
	if g := n.current.Load(); g.Notify != nil {
		g.Notify(one.event, one.data)
	}
}

// post never blocks.
func (n *notices) post(event string, data map[string]any) {
	g := n.current.Load()
	if g.Notify == nil {
		return
	}
	select {
	case n.queue <- notice{event, data}:
	default:
		g.Logger.Warn("event lost: its handlers are too slow", zap.String("event", event))
	}
}

// stop waits until all is delivered. When ctx ends, what still waits is forgotten,
// and a handler that runs is left behind: it may be a program that hangs.
func (n *notices) stop(ctx context.Context) {
	if n.closed.CompareAndSwap(false, true) {
		close(n.done)
	}
	select {
	case <-n.ended:
	case <-ctx.Done():
		n.late.Store(true)
	}
}
