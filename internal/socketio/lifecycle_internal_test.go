package socketio

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

func TestGhostSockets(t *testing.T) {
	var hooks, connects atomic.Int64
	inBubble(t, one(func(_ context.Context, s gateway.Socket) error {
		connects.Add(1)
		s.OnDisconnect(func(string, []string) { hooks.Add(1) })
		return s.Join("room")
	}), func(t *testing.T, w *world) {
		n := 10_000
		if raceEnabled || testing.Short() {
			n = 1000
		}
		for i := range n {
			s := &scriptedSession{}
			c := w.server.accept(s)
			var wg sync.WaitGroup
			wg.Go(func() {
				if err := c.Receive([]byte("0"), false); err != nil {
					t.Error(err)
				}
			})
			wg.Go(func() {
				for range i % 50 {
					_ = c.closed.Load() // another moment each time
				}
				s.closed.Store(true)
				c.Closed("transport close")
			})
			wg.Wait()
		}
		w.empty("/")
		if hooks.Load() != connects.Load() {
			t.Errorf("%d sockets were let in, %d hooks ran", connects.Load(), hooks.Load())
		}
	})
}

func TestDisconnectWaitsForTheHandler(t *testing.T) {
	inBubble(t, one(func(_ context.Context, s gateway.Socket) error {
		var running atomic.Bool
		s.Handle("slow", func(ctx context.Context, _ *gateway.Event) (any, error) {
			running.Store(true)
			<-ctx.Done()
			time.Sleep(time.Second)
			running.Store(false)
			return nil, nil
		})
		s.OnDisconnect(func(reason string, rooms []string) {
			slices.Sort(rooms)
			if running.Load() || reason != "transport close" || !slices.Contains(rooms, "a") || !slices.Contains(rooms, s.ID()) {
				t.Errorf("running %v, %q, %v", running.Load(), reason, rooms)
			}
		})
		return s.Join("a")
	}), func(t *testing.T, w *world) {
		c := w.dial()
		c.enter("/")
		c.send(`2["slow"]`)
		synctest.Wait()
		c.cut()
		synctest.Wait()
		if got := w.logs.FilterMessage("client disconnected").Len(); got != 0 {
			t.Error("the hooks did not wait")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := w.logs.FilterMessage("client disconnected").Len(); got != 1 {
			t.Error("the hooks were not called")
		}
	})
}

func TestWhatTheClientSentBeforeItLeftIsHandled(t *testing.T) {
	var seen atomic.Int64
	inBubble(t, one(func(_ context.Context, s gateway.Socket) error {
		s.Handle("n", func(context.Context, *gateway.Event) (any, error) {
			seen.Add(1)
			return nil, nil
		})
		s.Handle("kick", func(context.Context, *gateway.Event) (any, error) {
			s.Disconnect(false)
			return nil, nil
		})
		return nil
	}), func(t *testing.T, w *world) {
		c := w.dial()
		c.enter("/")
		c.send(`2["n"]`, `2["n"]`, `2["n"]`, "1")
		w.empty("/")
		if seen.Load() != 3 {
			t.Errorf("%d of 3 events were handled", seen.Load())
		}
		c.enter("/")
		c.send(`2["kick"]`, `2["n"]`, `2["n"]`)
		c.want("1")
		w.empty("/")
		if seen.Load() != 3 {
			t.Error("events of a socket that was thrown out were handled")
		}
		c.enter("/") // and the connection lives
	})
}

func TestAClientThrownOutMayEnterAtOnce(t *testing.T) {
	inBubble(t, one(func(_ context.Context, s gateway.Socket) error {
		s.Handle("kick", func(context.Context, *gateway.Event) (any, error) {
			s.Disconnect(false)
			return nil, nil
		})
		return nil
	}), func(_ *testing.T, w *world) {
		for range 10 { // each within the rate of CONNECTs
			c := w.dial()
			for range 50 {
				c.enter("/")
				c.send(`2["kick"]`, `2["n"]`)
				c.want("1")
			}
			c.enter("/")
		}
	})
}

func TestEventsOfOneSocketAreInOrder(t *testing.T) {
	inBubble(t, one(func(_ context.Context, s gateway.Socket) error {
		s.HandleAny(func(_ context.Context, ev *gateway.Event) (any, error) {
			if ev.Name == "3" {
				time.Sleep(time.Second)
			}
			return ev.Name, nil
		})
		return nil
	}), func(t *testing.T, w *world) {
		c := w.dial()
		c.enter("/")
		go func() {
			for i := range 500 {
				if i%3 == 0 {
					c.send(fmt.Sprintf(`51-%d["%d",{"_placeholder":true,"num":0}]`, i, i))
					c.sendBinary([]byte("x"))
				} else {
					c.send(fmt.Sprintf(`2%d["%d"]`, i, i))
				}
			}
		}()
		for i := range 500 {
			c.want(fmt.Sprintf(`3%d["%d"]`, i, i))
		}
	})
}

func TestServerDisconnects(t *testing.T) {
	inBubble(t, Settings{Namespaces: namespaces("/", echo, "/a", echo)}, func(t *testing.T, w *world) {
		c := w.dial()
		root, a := c.enter("/"), c.enter("/a")
		w.server.Namespace("/a").Socket(a).Disconnect(false)
		c.want("1/a,")
		c.send(`2/a,["echo",1]`, `21["echo",1]`) // the first was under way
		c.want(`31[1]`)
		w.server.Namespace("/").Socket(root).Disconnect(true)
		c.want("1", "closed")
		w.empty("/", "/a")
	})
}

func TestConnectTimeout(t *testing.T) {
	inBubble(t, Settings{Namespaces: namespaces("/", echo), ConnectTimeout: time.Minute}, func(t *testing.T, w *world) {
		idle, busy := w.dial(), w.dial()
		busy.enter("/")
		time.Sleep(time.Minute + time.Second)
		idle.want("closed")
		busy.send(`21["echo",1]`)
		busy.want(`31[1]`)
	})
}

// Who has been told may act on it: its place among those that have entered nothing
// is another's by then.
func TestEntryCountsBeforeTheClientKnows(t *testing.T) {
	inBubble(t, one(echo), func(t *testing.T, w *world) {
		session := &scriptedSession{}
		session.onSend = func() {
			if !session.entered.Load() {
				t.Error("the client is told first")
			}
		}
		if err := w.server.accept(session).Receive([]byte("0"), false); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if session.sent.Load() == 0 {
			t.Error("the client is not told")
		}
	})
}

// slowObserver takes its time to note a connection.
type slowObserver struct {
	nobody
	release      chan struct{}
	disconnected atomic.Int64
}

func (o *slowObserver) Connected(string, string, gateway.Socket) { <-o.release }

func (o *slowObserver) Disconnected(string, string, gateway.Socket, string) { o.disconnected.Add(1) }

// A socket that has just been told that it is connected is no worker's yet.
func TestCloseWaitsForSocketsThatAreBeingLetIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := &slowObserver{release: make(chan struct{})}
		w := newWorld(t, Settings{Namespaces: namespaces("/", echo), Observer: seen})
		c := w.dial()
		c.enter("/")
		synctest.Wait()
		closed := make(chan error, 1)
		go func() { closed <- w.server.Close(t.Context()) }()
		synctest.Wait()
		if len(closed) != 0 {
			t.Error("Close did not wait")
		}
		close(seen.release)
		if err := <-closed; err != nil || seen.disconnected.Load() != 1 {
			t.Errorf("%v, %d disconnects were noted", err, seen.disconnected.Load())
		}
	})
}
