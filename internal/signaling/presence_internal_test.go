package signaling

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

type batchJSON struct {
	Count  int
	Joined []peerJSON
	Left   []struct{ ID, Reason string }
	Away   []string
	Back   []string
	States []struct {
		ID    string
		State map[string]any
	}
}

// crowd joins n sockets of a service whose batches start above two peers.
func crowd(t *testing.T, n int) (*world, []*socket, []string) {
	w := newWorld(t, func(o *Options) { o.PresenceAbove, o.RoomCapacity = 2, 10_000 })
	var sockets []*socket
	var ids []string
	for i := range n {
		s := w.socket(fmt.Sprint(i), "")
		ids = append(ids, s.join().Self.ID)
		sockets = append(sockets, s)
	}
	time.Sleep(2 * time.Second)
	synctest.Wait()
	for _, s := range sockets {
		s.take()
	}
	return w, sockets, ids
}

func (s *socket) batch() batchJSON {
	s.world.t.Helper()
	log := s.take()
	if len(log) != 1 || log[0].event != "presence" {
		s.world.t.Fatalf("%s got %v, want one batch", s.id, log)
	}
	return decode[batchJSON](s.world.t, log[0].payload)
}

func TestLargeRoomsGetBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s, ids := crowd(t, 6)
		s[1].leave()
		s[2].lose()
		s[3].do("state", `{"room":"r","state":{"a":1}}`)
		s[3].do("state", `{"room":"r","state":{"a":2}}`)
		x, y := w.socket("x", ""), w.socket("y", "")
		xid := x.join().Self.ID
		y.join()
		y.leave() // came and went: nobody needs to know
		s[0].got()
		time.Sleep(2*time.Second - time.Nanosecond)
		synctest.Wait()
		s[0].got()
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		got := s[0].batch()
		if got.Count != 6 || len(got.Joined) != 1 || got.Joined[0].ID != xid ||
			len(got.Left) != 1 || got.Left[0].ID != ids[1] || got.Left[0].Reason != "left" ||
			!slices.Equal(got.Away, []string{ids[2]}) || len(got.Back) != 0 ||
			len(got.States) != 1 || got.States[0].ID != ids[3] || got.States[0].State["a"] != 2.0 {
			t.Fatalf("got %+v", got)
		}
		time.Sleep(7 * time.Second) // the departure grace is over before 8 s
		synctest.Wait()
		s[0].got()
	})
}

func TestABatchContinuesASnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s, ids := crowd(t, 4)
		s[0].leave()
		s[1].do("state", `{"room":"r","state":{"a":1}}`)
		x := w.socket("x", "")
		snapshot := x.join()
		if snapshot.Count != 4 || len(snapshot.Peers) != 3 || snapshot.Peers[0].State["a"] != 1.0 {
			t.Fatalf("got %+v", snapshot)
		}
		y := w.socket("y", "")
		yid := y.join().Self.ID
		s[2].leave()
		x.take()
		y.take()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		got := x.batch()
		if len(got.Joined) != 1 || got.Joined[0].ID != yid || len(got.Left) != 1 || got.Left[0].ID != ids[2] || len(got.States) != 0 {
			t.Fatalf("the first newcomer got %+v", got)
		}
		got = y.batch()
		if len(got.Joined) != 0 || len(got.Left) != 1 {
			t.Fatalf("the second newcomer got %+v", got)
		}
		got = s[3].batch()
		if len(got.Joined) != 2 || len(got.Left) != 2 || len(got.States) != 1 {
			t.Fatalf("an old member got %+v", got)
		}
	})
}

func TestABriefLossIsNoNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s, _ := crowd(t, 4)
		old := w.socket("old", "")
		token := old.join().Resume
		time.Sleep(2 * time.Second)
		synctest.Wait()
		s[0].take()
		old.lose()
		back := w.socket("back", "")
		back.join(`,"resume":"` + token + `"`)
		back.take()
		time.Sleep(time.Minute)
		synctest.Wait()
		s[0].got()
		back.got()
	})
}

func TestARoomThatShrinksFirstSendsItsBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s, ids := crowd(t, 3)
		x := w.socket("x", "")
		x.join()
		x.leave()
		s[1].do("state", `{"room":"r","state":{"a":1}}`)
		s[2].leave()
		log := s[0].take()
		if len(log) != 2 || log[0].event != "presence" ||
			log[1] != (sent{"peer-left", `{"room":"r","id":"` + ids[2] + `","reason":"left"}`}) {
			t.Fatalf("got %v", log)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		s[0].got()
	})
}

func TestABatchIsBounded(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.PresenceAbove, o.RoomCapacity, o.PresenceInterval = 1, 10_000, time.Hour })
	a := w.socket("a", "")
	a.join()
	a.take()
	for i := range maxBatchPeers + 10 {
		w.socket(fmt.Sprint(i), "").join()
	}
	if got := a.batch(); len(got.Joined) != maxBatchPeers {
		t.Fatalf("a batch of %d", len(got.Joined))
	}
}

// TestPresenceIsLinear counts what a member of a large room is sent while others
// come and go, which must not depend on how fast they do.
func TestPresenceIsLinear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s, _ := crowd(t, 60)
		for i := range 450 { // 111 joins and 111 departures a second
			x := w.socket(fmt.Sprint("x", i), "")
			x.join()
			// Batches are due every 2 s: never in the moment of a change, when they
			// could find nobody new.
			time.Sleep(9 * time.Millisecond)
			x.leave()
		}
		synctest.Wait()
		if got := len(s[0].take()); got != 2 {
			t.Fatalf("%d batches in 4.05 s, want 2", got)
		}
	})
}

// Names are as long as tokens let them be, and count as states do: a batch must not
// outgrow the queues of those who get it.
func TestNamesAreBoundedInABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s, _ := crowd(t, 3)
		long := strings.Repeat("<", maxShown-1) + strings.Repeat("ü", 4000)
		for i := range maxBatchPeers {
			x := w.socket(fmt.Sprintf("x%d", i), fmt.Sprintf("u%d", i))
			x.user.Name = long
			if i > 0 {
				x.join()
			} else if got := x.join().Self.User.Name; got != long[:maxShown-1] {
				t.Fatalf("the name is %q", got)
			}
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		joined := 0
		for _, e := range s[0].take() {
			if len(e.payload) > 2*maxBatchBytes {
				t.Errorf("a batch has %d bytes", len(e.payload))
			}
			joined += len(decode[batchJSON](t, e.payload).Joined)
		}
		if joined != maxBatchPeers {
			t.Errorf("%d joins were told", joined)
		}
	})
}
