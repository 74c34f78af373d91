package socketio

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// TestFullQueueStopsTheReading: a client may have one event in its handler, a
// queue of others, and one that waits for a place in it.
func TestFullQueueStopsTheReading(t *testing.T) {
	for name, c := range map[string]struct {
		event string
		taken int64
	}{
		"by its length": {`2["x"]`, 1 + maxQueued + 1},
		"by its bytes":  {`2["` + strings.Repeat("x", 400) + `","` + strings.Repeat("y", 500) + `"]`, 1 + 2 + 1},
	} {
		t.Run(name, func(t *testing.T) {
			var release chan struct{} // of the bubble
			var handled, sent atomic.Int64
			settings := one(func(_ context.Context, s gateway.Socket) error {
				s.HandleAny(func(context.Context, *gateway.Event) (any, error) {
					<-release
					handled.Add(1)
					return nil, nil
				})
				return nil
			})
			settings.MaxPayload = 1000
			inBubble(t, settings, func(t *testing.T, w *world) {
				release = make(chan struct{})
				client := w.dial()
				client.enter("/")
				const all = 100
				go func() {
					for range all {
						client.send(c.event)
						sent.Add(1)
					}
				}()
				synctest.Wait()
				if n := sent.Load(); n != c.taken {
					t.Errorf("%d events were taken, want %d", n, c.taken)
				}
				close(release)
				synctest.Wait()
				if n := handled.Load(); n != all {
					t.Errorf("%d events were handled", n)
				}
			})
		})
	}
}

// TestClientLostBehindAFullQueue: its handler waits for nothing but the end of the
// socket, which nobody reads.
func TestClientLostBehindAFullQueue(t *testing.T) {
	var ended atomic.Bool
	asking := one(func(_ context.Context, s gateway.Socket) error {
		s.Handle("x", func(ctx context.Context, _ *gateway.Event) (any, error) {
			_, err := s.EmitWithAck(ctx, "question")
			ended.Store(ctx.Err() != nil)
			return nil, err
		})
		return nil
	})
	inBubble(t, asking, func(t *testing.T, w *world) {
		c := w.dial()
		c.enter("/")
		for i := range 1 + maxQueued + 1 {
			c.send(fmt.Sprintf(`2["x",%d]`, i))
		}
		c.want(`20["question"]`)
		time.Sleep(30 * time.Second) // it is gone before it could answer the first ping
		c.cut()
		time.Sleep(45 * time.Second)
		synctest.Wait()
		if n := w.engine.Len(); n != 0 || !ended.Load() {
			t.Errorf("%d sessions are left, the handler has ended: %v", n, ended.Load())
		}
		w.empty("/")
	})
}
