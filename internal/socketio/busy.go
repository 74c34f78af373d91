package socketio

import (
	"context"
	"sync"
	"sync/atomic"
)

// busy counts what must be over before a stop. All methods may be called
// concurrently.
type busy struct {
	n atomic.Int64
	// waiters counts the calls of wait; mu guards idle, which add closes when the
	// count gets to 0 and somebody waits.
	waiters atomic.Int32
	mu      sync.Mutex
	idle    chan struct{}
}

func (b *busy) add(delta int64) {
	if b.n.Add(delta) > 0 || b.waiters.Load() == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.idle != nil {
		close(b.idle)
		b.idle = nil
	}
}

// wait returns once the count has been 0, or ctx's error.
func (b *busy) wait(ctx context.Context) error {
	b.waiters.Add(1)
	defer b.waiters.Add(-1)
	for {
		b.mu.Lock()
		if b.idle == nil {
			b.idle = make(chan struct{})
		}
		idle := b.idle
		b.mu.Unlock()
		if b.n.Load() == 0 {
			return nil
		}
		select {
		case <-idle:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
