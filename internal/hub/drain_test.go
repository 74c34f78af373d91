package hub_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// stop stops the hub, and returns a channel with how long that took.
func (w *world) stop(want error) chan time.Duration {
	took := make(chan time.Duration, 1)
	begun := time.Now()
	go func() {
		if err := w.hub.Stop(); !errors.Is(err, want) {
			w.t.Errorf("stop: got %v, want %v", err, want)
		}
		took <- time.Since(begun)
	}()
	synctest.Wait()
	return took
}

func TestDrainSpreadsTheCloses(t *testing.T) {
	inBubble(t, generation(map[string]gateway.Gateway{"/": labelled("a")}), func(t *testing.T, w *world) {
		const clients = 9
		var all []*client
		for range clients {
			all = append(all, w.enter("/"))
		}
		begun := time.Now()
		took := w.stop(nil)
		if !w.hub.Draining() || !w.hub.Status().Draining {
			t.Error("not draining")
		}
		res, err := w.http.Get("http://pipe/socket.io/?EIO=4&transport=polling")
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
		if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
			t.Errorf("a newcomer got %d, Retry-After %q", res.StatusCode, res.Header.Get("Retry-After"))
		}
		at := map[time.Duration]bool{}
		for _, c := range all {
			at[c.want("close 1001").Sub(begun)] = true
			c.want("gone")
		}
		// One a second over the three quarters of the window that are for it.
		for i := range clients {
			if !at[time.Duration(i)*time.Second] {
				t.Errorf("nobody was closed after %d s: %v", i, at)
			}
		}
		if d := <-took; d != (clients-1)*time.Second {
			t.Errorf("stopped after %v, not with the last client", d)
		}
	})
}

func TestDrainLetsHandlersFinish(t *testing.T) {
	slow := gatewayFunc(func(s gateway.Socket) error {
		s.Handle("work", func(context.Context, *gateway.Event) (any, error) {
			time.Sleep(3 * time.Second)
			return "done", nil
		})
		return nil
	})
	inBubble(t, generation(map[string]gateway.Gateway{"/": slow}), func(t *testing.T, w *world) {
		worker, other := w.enter("/"), w.enter("/")
		worker.send(`421["work"]`)
		synctest.Wait()
		begun := time.Now()
		took := w.stop(nil)
		worker.want(`431["done"]`)
		for _, c := range []*client{worker, other} {
			if after := c.want("close 1001").Sub(begun); after < 3*time.Second || after > 9*time.Second {
				t.Errorf("closed after %v", after)
			}
		}
		if d := <-took; d > 9*time.Second {
			t.Errorf("took %v", d)
		}
	})
}

// Neither handlers, nor clients, nor programs that are told of events may hold
// up a stop.
func TestStopIsOverInTheWindow(t *testing.T) {
	t.Run("a handler that never ends", func(t *testing.T) {
		release := make(chan struct{})
		stuck := gatewayFunc(func(s gateway.Socket) error {
			s.Handle("stick", func(context.Context, *gateway.Event) (any, error) {
				<-release
				return nil, nil
			})
			return nil
		})
		inBubble(t, generation(map[string]gateway.Gateway{"/": stuck}), func(t *testing.T, w *world) {
			release = make(chan struct{}) // of this bubble
			c := w.enter("/")
			c.send(`42["stick"]`)
			synctest.Wait()
			begun := time.Now()
			took := w.stop(context.DeadlineExceeded)
			if after := c.want("close 1001").Sub(begun); after != 4*time.Second {
				t.Errorf("closed after %v, want the part of the window that is for handlers", after)
			}
			if d := <-took; d != 12*time.Second {
				t.Errorf("took %v", d)
			}
			close(release)
		})
	})
	t.Run("a client that does not answer", func(t *testing.T) {
		inBubble(t, generation(map[string]gateway.Gateway{"/": labelled("a")}), func(t *testing.T, w *world) {
			c := w.enter("/")
			silent := w.deaf()
			begun := time.Now()
			took := w.stop(nil)
			c.want("close 1001")
			if d := <-took; d > 11*time.Second {
				t.Errorf("took %v", d)
			}
			<-silent
			if since := time.Since(begun); since > 12*time.Second { // it looks once a second
				t.Errorf("the silent client was let go after %v", since)
			}
		})
	})
	t.Run("a program that hangs", func(t *testing.T) {
		g := generation(map[string]gateway.Gateway{"/": labelled("a")})
		release := make(chan struct{})
		g.Notify = func(string, map[string]any) { <-release }
		inBubble(t, g, func(t *testing.T, w *world) {
			release = make(chan struct{})
			w.enter("/")
			if d := <-w.stop(nil); d != 12*time.Second {
				t.Errorf("took %v", d)
			}
			close(release)
		})
	})
	t.Run("nobody is there", func(t *testing.T) {
		inBubble(t, generation(map[string]gateway.Gateway{"/": labelled("a")}), func(t *testing.T, w *world) {
			if d := <-w.stop(nil); d != 0 {
				t.Errorf("took %v", d)
			}
		})
	})
}

func TestStopsWaitForEachOther(t *testing.T) {
	inBubble(t, generation(map[string]gateway.Gateway{"/": labelled("a")}), func(t *testing.T, w *world) {
		c, d := w.enter("/"), w.enter("/")
		first, second := w.stop(nil), w.stop(nil)
		c.want("close 1001")
		d.want("close 1001")
		if one, two := <-first, <-second; one != two {
			t.Errorf("one took %v, the other %v", one, two)
		}
	})
}

func TestHooksAndNoticesComeBeforeTheEnd(t *testing.T) {
	var told []string
	hooked := 0
	g := generation(map[string]gateway.Gateway{"/": gatewayFunc(func(s gateway.Socket) error {
		s.OnDisconnect(func(string, []string) {
			time.Sleep(time.Second)
			hooked++
		})
		return nil
	})})
	g.Notify = func(event string, _ map[string]any) {
		time.Sleep(time.Second)
		told = append(told, event)
	}
	inBubble(t, g, func(t *testing.T, w *world) {
		w.enter("/")
		synctest.Wait() // the client knows a moment before those who are told of it
		<-w.stop(nil)
		if hooked != 1 || len(told) != 3 || told[0] != "socketio.connect" || told[1] != "socketio.drain" || told[2] != "socketio.disconnect" {
			t.Errorf("%d hooks; told %v", hooked, told)
		}
	})
}
