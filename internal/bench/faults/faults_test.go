package faults

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/server"
)

// fakeHost grows by a megabyte with each reading of its memory, and loses one
// connection with each look at what is left.
type fakeHost struct {
	rss   atomic.Int64
	files int
	fails bool
}

func (h *fakeHost) CPU() (time.Duration, error) { return 0, nil }

func (h *fakeHost) SettledRSS(context.Context) (int64, error) { return h.RSS() }

func (h *fakeHost) RSS() (int64, error) {
	if h.fails {
		return 0, errors.New("gone")
	}
	return h.rss.Add(megabyte), nil
}

func (h *fakeHost) Leftovers(context.Context) (server.Leftovers, error) {
	h.files--
	return server.Leftovers{Files: h.files, Goroutines: -1, Sessions: 3, Sockets: -1, Rooms: -1}, nil
}

func TestPeakIsTheGrowthAtItsHighest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		growth, err := peak(new(fakeHost))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond) // in the bubble: readings at 0, 20 and 40 ms
		synctest.Wait()
		for range 2 { // asked twice, it stays the same
			if mb, err := growth(); err != nil || mb != 3 {
				t.Fatalf("got %v MB, %v", mb, err)
			}
		}
	})
	if _, err := peak(&fakeHost{fails: true}); err == nil {
		t.Fatal("a server that is gone has no peak")
	}
}

func TestLeftWaitsForTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := server.Leftovers{Files: 5, Goroutines: -1, Sessions: 3, Sockets: -1, Rooms: -1}
		values, err := left(t.Context(), &fakeHost{files: 20}, before)
		if err != nil || len(values) != 2 || values[0].Number != 0 || values[1].Number != 0 {
			t.Fatalf("got %v, %v", values, err)
		}
		if values, err = left(t.Context(), &fakeHost{files: 200}, before); err != nil || values[0].Number != 95 {
			t.Fatalf("it waits no longer than for a hundred looks: got %v, %v", values, err)
		}
	})
}

func TestEachWorksOnAllAndJoinsErrors(t *testing.T) {
	var worked atomic.Int64
	odd := errors.New("odd")
	err := each(200, func(i int) error {
		worked.Add(1)
		if i == 77 {
			return odd
		}
		return nil
	})
	if worked.Load() != 200 || !errors.Is(err, odd) {
		t.Fatalf("%d, %v", worked.Load(), err)
	}
}
