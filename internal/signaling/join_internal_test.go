package signaling

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"
)

func TestJoinAnswersWithASnapshot(t *testing.T) {
	w := newWorld(t, nil)
	a, b := w.socket("a", "ann"), w.socket("b", "")
	a.user.Name = `Ann "é"`
	first := a.join(`,"state":{"mic":true}`)
	a.do("metadata", `{"room":"r","set":{"title":"x"}}`)
	a.do("lock", `{"room":"r","name":"screen"}`)
	a.take()
	second := b.join()
	if second.Resumed || second.Count != 2 || len(second.Peers) != 1 || second.Locked || second.Resume == "" {
		t.Fatalf("got %+v", second)
	}
	p := second.Peers[0]
	if p.ID != first.Self.ID || p.User.ID != "ann" || p.User.Name != `Ann "é"` || p.Role != "member" ||
		p.State["mic"] == nil || !p.Polite || p.Order != 1 || p.JoinedAt == 0 {
		t.Fatalf("got %+v", p)
	}
	if second.Self.Order != 2 || second.Self.ID == first.Self.ID || second.Revision != 1 || second.Metadata["title"] != "x" {
		t.Fatalf("got %+v", second)
	}
	if len(second.Locks) != 1 || second.Locks[0].Name != "screen" || second.Locks[0].Owner != p.ID {
		t.Fatalf("got locks %+v", second.Locks)
	}
	a.got(fmt.Sprintf(`peer-joined {"room":"r","peer":{"id":"%s","role":"member","state":{},"joinedAt":%d,"order":2},"polite":false}`,
		second.Self.ID, second.Self.JoinedAt))
}

func TestJoiningAgainRepeatsTheSnapshotAndChangesTheState(t *testing.T) {
	w := newWorld(t, nil)
	a, b := w.socket("a", ""), w.socket("b", "")
	first := a.join()
	b.join()
	b.take()
	a.take()
	again := a.join(`,"state":{"x":1}`)
	if again.Self.ID != first.Self.ID || again.Self.Order != 1 || again.Resume != first.Resume || again.Count != 2 || again.Resumed {
		t.Fatalf("got %+v", again)
	}
	b.got(`peer-state {"room":"r","id":"` + first.Self.ID + `","state":{"x":1}}`)
	a.join()
	b.got()
}

func TestJoinIsRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		options func(*Options)
		prepare func(w *world)
		join    func(*socket)
		code    string
	}{
		"full": {
			options: func(o *Options) { o.RoomCapacity = 1 },
			prepare: func(w *world) { w.socket("a", "").join() },
			code:    CodeRoomFull,
		},
		"full of away peers": {
			options: func(o *Options) { o.RoomCapacity = 1 },
			prepare: func(w *world) { a := w.socket("a", ""); a.join(); a.lose() },
			code:    CodeRoomFull,
		},
		"locked": {
			options: func(o *Options) { o.Host.Mode = HostFirst },
			prepare: func(w *world) {
				a := w.socket("a", "")
				a.join()
				a.do("moderate", `{"room":"r","action":"lock-room"}`)
			},
			code: CodeRoomLocked,
		},
		"same user": {
			options: func(o *Options) { o.DuplicateUser = DuplicateReject },
			prepare: func(w *world) { w.socket("a", "ann").join() },
			code:    CodeDuplicateUser,
		},
		"not the identity's room": {
			join: func(s *socket) { s.user.Rooms = []string{"team-*"} },
			code: CodeForbidden,
		},
		"the server's own limit": {
			join: func(s *socket) { s.joinErr = errTooManyRooms },
			code: CodeTooManyRooms,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, tc.options)
			if tc.prepare != nil {
				tc.prepare(w)
			}
			before := w.stats()
			s := w.socket("late", "ann")
			if tc.join != nil {
				tc.join(s)
			}
			s.fails("join", `{"room":"r"}`, tc.code)
			before.Sockets++
			if after := w.stats(); after != before {
				t.Fatalf("a refused join left %+v, before it was %+v", after, before)
			}
		})
	}
}

func TestASocketIsInAtMostAThousandRooms(t *testing.T) {
	w := newWorld(t, nil)
	a := w.socket("a", "")
	for i := range maxRooms {
		a.do("join", fmt.Sprintf(`{"room":"%d"}`, i))
	}
	a.fails("join", `{"room":"one more"}`, CodeTooManyRooms)
	a.do("leave", `{"room":"0"}`)
	a.do("join", `{"room":"one more"}`)
}

func TestConcurrentJoinsFillARoomExactly(t *testing.T) {
	const capacity, n = 7, 64
	w := newWorld(t, func(o *Options) { o.RoomCapacity = capacity })
	sockets := make([]*socket, n)
	var wg sync.WaitGroup
	full := make([]bool, n)
	for i := range sockets {
		sockets[i] = w.socket(fmt.Sprint(i), "")
		wg.Go(func() {
			_, err := sockets[i].try("join", `{"room":"r"}`)
			full[i] = err != nil
		})
	}
	wg.Wait()
	in := 0
	for i, s := range sockets {
		log := s.take()
		if full[i] {
			if len(log) != 0 {
				t.Errorf("a refused socket was told %v", log)
			}
			continue
		}
		in++
		follows(t, log, capacity)
	}
	if in != capacity {
		t.Fatalf("%d joined a room of %d", in, capacity)
	}
}

// follows checks that the events after a snapshot add up to the room's count.
func follows(t *testing.T, log []sent, count int) {
	t.Helper()
	if len(log) == 0 || log[0].event != "ack join" {
		t.Fatalf("the snapshot does not come first: %v", log)
	}
	snapshot := decode[joined](t, log[0].payload)
	known := map[string]bool{snapshot.Self.ID: true}
	for _, p := range snapshot.Peers {
		known[p.ID] = true
	}
	for _, e := range log[1:] {
		p := decode[struct{ Peer peerJSON }](t, e.payload).Peer
		if e.event != "peer-joined" || known[p.ID] {
			t.Errorf("unexpected or repeated: %s %s", e.event, e.payload)
		}
		known[p.ID] = true
	}
	if len(known) != count {
		t.Errorf("knows %d peers of %d", len(known), count)
	}
}

func TestDuplicateUserReplacesTheOlderPeer(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.DuplicateUser, o.RoomCapacity = DuplicateReplace, 2 })
	a, other, b := w.socket("a", "ann"), w.socket("o", ""), w.socket("b", "ann")
	old := a.join()
	other.join()
	a.do("lock", `{"room":"r","name":"l"}`)
	a.take()
	other.take()
	now := b.join()
	if now.Count != 2 || len(now.Peers) != 1 || len(now.Locks) != 0 {
		t.Fatalf("got %+v", now)
	}
	b.take()
	left := `peer-left {"room":"r","id":"` + old.Self.ID + `","reason":"replaced"}`
	a.got(left)
	log := other.take()
	if len(log) != 3 || "peer-left "+log[0].payload != left || log[1].event != "lock" || log[2].event != "peer-joined" {
		t.Fatalf("got %v", log)
	}
	a.fails("leave", `{"room":"r"}`, CodeNotInRoom)
}

func TestGuestsAreNoDuplicates(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.DuplicateUser = DuplicateReject })
	w.socket("a", "").join()
	w.socket("b", "").join()
}

func TestPeersComeInPages(t *testing.T) {
	const n = 250
	w := newWorld(t, func(o *Options) { o.RoomCapacity = n })
	var last joined
	var s *socket
	for i := range n {
		s = w.socket(fmt.Sprint(i), "")
		last = s.join()
	}
	order := 0
	seen := func(peers []peerJSON) {
		for _, p := range peers {
			if p.Order <= order {
				t.Fatalf("order %d after %d", p.Order, order)
			}
			order = p.Order
		}
	}
	if last.Count != n || len(last.Peers) != maxPeers || last.Cursor == "" {
		t.Fatalf("count %d, %d peers, cursor %q", last.Count, len(last.Peers), last.Cursor)
	}
	seen(last.Peers)
	total, cursor := len(last.Peers), last.Cursor
	for cursor != "" {
		page := decode[joined](t, s.do("peers", `{"room":"r","limit":60,"cursor":"`+cursor+`"}`))
		if len(page.Peers) > 60 || page.Count != n {
			t.Fatalf("%d peers of %d", len(page.Peers), page.Count)
		}
		seen(page.Peers)
		total += len(page.Peers)
		cursor = page.Cursor
	}
	if total != n-1 {
		t.Fatalf("saw %d of %d others", total, n-1)
	}
}

func TestAPageOfLargeStatesEndsEarly(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.RoomCapacity, o.PresenceInterval = 50, time.Hour })
	state, err := json.Marshal(map[string]string{"x": string(make([]byte, 5000))}) // \u0000 each
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		w.socket(fmt.Sprint(i), "").join(`,"state":` + string(state))
	}
	got := w.socket("last", "").join()
	if len(got.Peers) >= 20 || len(got.Peers) == 0 || got.Cursor == "" {
		t.Fatalf("%d peers, cursor %q", len(got.Peers), got.Cursor)
	}
}
