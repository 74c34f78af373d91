package socketio

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
	"github.com/caddy-socketio/caddy-socketio/internal/engineio"
)

// counted counts how often it is encoded.
type counted struct{ times *int }

func (c counted) MarshalJSON() ([]byte, error) {
	*c.times++
	return json.Marshal("value")
}

// Whatever goes to many is encoded once, and made a frame once.
func TestABroadcastIsEncodedOnce(t *testing.T) {
	log := &fakeCluster{keeps: true, sessions: map[string]*gateway.Session{}}
	for name, settings := range map[string]Settings{
		"alone": {}, "with recovery": {Recovery: time.Minute}, "in a cluster": {Cluster: &fakeCluster{}},
		"in a cluster with recovery": {Cluster: log, Recovery: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			settings.Namespaces = namespaces("/m", silent)
			inBubble(t, settings, func(t *testing.T, w *world) {
				var sessions []*scriptedSession
				for range 100 {
					_, s, session := w.enterScripted("/m")
					sessions = append(sessions, session)
					if err := s.Join("room"); err != nil {
						t.Fatal(err)
					}
				}
				encoded := 0
				ns := w.server.Namespace("/m")
				short, stop := context.WithTimeout(t.Context(), time.Second)
				defer stop()
				for kind, emit := range map[string]func() error{
					"to all":    func() error { return ns.Emit("e", counted{&encoded}) },
					"to a room": func() error { return ns.To("room").Emit("e", counted{&encoded}) },
					"volatile":  func() error { return ns.Volatile().Emit("e", counted{&encoded}) },
					"with acks": func() error {
						_, err := ns.Local().EmitWithAck(short, "e", counted{&encoded})
						if errors.Is(err, context.DeadlineExceeded) { // they never answer
							return nil
						}
						return err
					},
				} {
					encoded = 0
					before := map[*engineio.Message]bool{}
					for _, s := range sessions {
						before[s.last.Load()] = true
					}
					if err := emit(); err != nil {
						t.Fatal(err)
					}
					log.settle()
					frames := map[*engineio.Message]bool{}
					for _, s := range sessions {
						frames[s.last.Load()] = true
					}
					if encoded != 1 || len(frames) != 1 || before[sessions[0].last.Load()] {
						t.Errorf("%s: encoded %d times, %d frames", kind, encoded, len(frames))
					}
				}
			})
		})
	}
}

// bubbleGoroutines are the stacks of this bubble; others may still be ending.
func bubbleGoroutines() []string {
	text := make([]byte, 1<<20)
	all := strings.Split(string(text[:runtime.Stack(text, true)]), "\n\n")
	head, _, _ := strings.Cut(all[0], "\n") // of the caller's
	_, bubble, _ := strings.Cut(head, "synctest bubble")
	return slices.DeleteFunc(all, func(stack string) bool {
		head, _, _ := strings.Cut(stack, "\n")
		return !strings.HasSuffix(head, "synctest bubble"+bubble)
	})
}

// An idle session over websocket is what reads it, and nothing of how it began.
func TestWhatAnIdleSessionHolds(t *testing.T) {
	inBubble(t, one(echo), func(t *testing.T, w *world) {
		var mu sync.Mutex
		var requests []weak.Pointer[http.Request]
		w.asked = func(r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			requests = append(requests, weak.Make(r))
		}
		synctest.Wait()
		const clients = 20
		before := len(bubbleGoroutines())
		for range clients {
			c := w.dial()
			c.enter("/")
			c.send(`21["echo",1]`)
			c.want(`31[1]`)
		}
		time.Sleep(time.Minute) // there have been heartbeats, too
		synctest.Wait()
		// Each client has a reader here as well.
		if all := bubbleGoroutines(); len(all)-before != 2*clients {
			t.Errorf("%d goroutines for %d sessions:\n%s", len(all)-before, clients, strings.Join(all, "\n\n"))
		}
		for range 2 {
			runtime.GC()
		}
		mu.Lock()
		defer mu.Unlock()
		if len(requests) != clients {
			t.Errorf("%d requests", len(requests))
		}
		for _, r := range requests {
			if r.Value() != nil {
				t.Error("a request is held")
			}
		}
	})
}
