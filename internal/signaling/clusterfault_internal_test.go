package signaling

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// newCluster makes a world of nodes, in virtual time.
func newCluster(t *testing.T, nodes int, change func(*Options)) *world {
	clustered = nodes
	defer func() { clustered = 0 }()
	return newWorld(t, change)
}

func TestAKilledNodesPeersAreAwayThenGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCluster(t, 3, nil)
		a, b, c := w.socket("a", ""), w.socket("b", ""), w.socket("c", "")
		id := a.join().Self.ID
		b.join()
		c.join()
		a.do("lock", `{"room":"r","name":"l","ttl":300000}`)
		b.take()
		c.take()
		w.bus.kill(a.node)
		time.Sleep(4 * time.Second)
		w.bus.notice(a.node, true)
		synctest.Wait()
		for _, s := range []*socket{b, c} {
			s.got(`peer-away {"room":"r","id":"` + id + `"}`)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		for _, s := range []*socket{b, c} {
			s.got(`peer-left {"room":"r","id":"`+id+`","reason":"timeout"}`,
				`lock {"room":"r","name":"l","owner":null,"expires":null}`)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		b.got()
		b.do("message", `{"room":"r","data":1}`)
		if st := w.stats(); st.Peers != 2 || st.Timers != 0 {
			t.Fatalf("got %+v", st)
		}
	})
}

func TestAKilledNodesPeerResumesElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCluster(t, 2, nil)
		a, b := w.socket("a", ""), w.socket("b", "")
		before := a.join()
		b.join()
		w.bus.kill(a.node)
		// Sooner than anybody knows.
		again := w.socket("a2", "")
		if again.node != b.node {
			t.Fatal("the test needs another node")
		}
		after := again.join(`,"resume":"` + before.Resume + `"`)
		if !after.Resumed || after.Self.ID != before.Self.ID || after.Count != 2 {
			t.Fatalf("got %+v", after)
		}
		w.bus.notice(a.node, true)
		time.Sleep(time.Minute)
		synctest.Wait()
		if st := w.stats(); st.Peers != 2 || st.Away != 0 {
			t.Fatalf("got %+v", st)
		}
	})
}

// A keeper that dies leaves what is due to the others, in a room that has lost
// nobody.
func TestAnotherNodeTakesOverWhatIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCluster(t, 2, nil)
		a, b := w.socket("a", ""), w.socket("b", "")
		a.join()
		b.join()
		b.do("lock", `{"room":"r","name":"l","ttl":20000}`)
		a.do("leave", `{"room":"r"}`) // its node has written last
		b.take()
		w.bus.kill(a.node)
		w.bus.notice(a.node, true)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if got := b.names(); got != "lock" {
			t.Fatalf("got %s", got)
		}
	})
}

func TestANodeThatWasCutOffComesBack(t *testing.T) {
	for name, away := range map[string]time.Duration{"in time": 5 * time.Second, "too late": time.Minute} {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, hears what it has missed: %t", name, late), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { cutOff(t, away, late) })
			})
		}
	}
}

// cutOff parts a node from the cluster for a while.
func cutOff(t *testing.T, away time.Duration, late bool) {
	w := newCluster(t, 2, nil)
	a, b := w.socket("a", ""), w.socket("b", "")
	id := a.join().Self.ID
	b.join()
	a.take()
	b.take()
	w.bus.set(func() { w.bus.late = late })
	w.bus.cut(a.node, true)
	time.Sleep(away)
	synctest.Wait()
	w.bus.cut(a.node, false)
	time.Sleep(time.Second)
	synctest.Wait()
	if away < 10*time.Second {
		b.got(`peer-away {"room":"r","id":"`+id+`"}`, `peer-back {"room":"r","id":"`+id+`"}`)
		a.got()
		a.do("message", `{"room":"r","data":1}`)
		return
	}
	b.got(`peer-away {"room":"r","id":"`+id+`"}`, `peer-left {"room":"r","id":"`+id+`","reason":"timeout"}`)
	a.got(`peer-left {"room":"r","id":"` + id + `","reason":"timeout"}`)
	a.fails("message", `{"room":"r","data":1}`, CodeNotInRoom)
	a.join()
}

func TestWithoutTheClusterPeersOfANodeReachEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCluster(t, 1, nil)
		a, b, c := w.socket("a", "ann"), w.socket("b", ""), w.socket("c", "")
		a.join()
		to := b.join().Self.ID
		a.take()
		b.take()
		w.bus.set(func() { w.bus.down = true })
		a.do("offer", `{"room":"r","to":"`+to+`","description":{}}`)
		if got := b.names(); got != "offer" {
			t.Fatalf("got %s", got)
		}
		c.fails("join", `{"room":"r"}`, CodeUnavailable)
		a.fails("metadata", `{"room":"r","set":{"x":1}}`, CodeUnavailable)
		b.lose()
		w.bus.set(func() { w.bus.down = false })
		w.bus.nodes[0].back()
		time.Sleep(time.Second)
		synctest.Wait()
		a.take()
		if got := c.join(); got.Count != 3 || !slices.ContainsFunc(got.Peers, func(p peerJSON) bool { return p.ID == to && p.Away }) {
			t.Fatalf("got %+v", got)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := a.names(); got != "peer-joined, peer-left" {
			t.Fatalf("got %s", got)
		}
	})
}

// An entry that was made although its client was told otherwise is taken back.
func TestAWriteWhoseAnswerIsLostIsTakenBack(t *testing.T) {
	for name, retry := range map[string]bool{"given up": false, "tried again": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newCluster(t, 2, func(o *Options) { o.RoomCapacity = 2 })
				a, b := w.socket("a", ""), w.socket("b", "")
				a.join()
				a.take()
				w.bus.set(func() { w.bus.deaf = true })
				b.fails("join", `{"room":"r"}`, CodeUnavailable)
				w.bus.set(func() { w.bus.deaf = false })
				want := "peer-joined, peer-left"
				if retry {
					b.join()
					want += ", peer-joined"
				}
				time.Sleep(time.Second)
				synctest.Wait()
				if got := a.names(); got != want {
					t.Fatalf("got %s, want %s", got, want)
				}
				if got, wanted := w.stats().Peers, strings.Count(want, "joined")-strings.Count(want, "left")+1; got != wanted {
					t.Fatalf("%d peers, want %d", got, wanted)
				}
				for room, in := range w.rooms {
					if room != "r" && len(in) > 0 {
						t.Fatalf("%q has sockets in it", room)
					}
				}
			})
		})
	}
}

func TestRoomsOutliveTheClustersMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCluster(t, 2, nil)
		a, b := w.socket("a", ""), w.socket("b", "")
		a.join()
		b.join()
		a.do("metadata", `{"room":"r","set":{"x":1}}`)
		a.take()
		b.take()
		w.bus.set(func() { clear(w.bus.entries) })
		for _, n := range w.bus.nodes {
			n.back()
		}
		synctest.Wait()
		a.got()
		b.got()
		if got := w.socket("c", "").join(); got.Count != 3 || got.Revision != 1 {
			t.Fatalf("got %+v", got)
		}
	})
}

// The node that has written last may have nobody in the room any more, or a peer that
// is away.
func TestRoomsComeBackAsTheyWereLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCluster(t, 3, nil)
		a, b, c := w.socket("a", ""), w.socket("b", ""), w.socket("c", "")
		a.join()
		b.join()
		before := c.join()
		a.take()
		b.leave()
		c.lose()
		time.Sleep(2 * time.Second)
		w.bus.set(func() { clear(w.bus.entries) })
		for _, n := range w.bus.nodes {
			n.back()
		}
		synctest.Wait()
		again := w.socket("c2", "").join(`,"resume":"` + before.Resume + `"`)
		if !again.Resumed || again.Count != 2 {
			t.Fatalf("got %+v", again)
		}
		if got := a.names(); got != "peer-left, peer-away, peer-back" {
			t.Fatalf("got %s", got)
		}
	})
}

// Who has left a moment before is not known to have, where the room is brought back.
func TestNobodyComesBackWhoHasLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCluster(t, 3, nil)
		a, b, c := w.socket("a", ""), w.socket("b", ""), w.socket("c", "")
		a.join()
		b.join()
		c.join()
		a.do("message", `{"room":"r","data":1}`) // its node reads that c is there
		c.do("leave", `{"room":"r"}`)
		w.bus.set(func() { clear(w.bus.entries) })
		for _, n := range w.bus.nodes {
			n.back()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := w.socket("d", "").join(); got.Count != 3 {
			t.Fatalf("got %+v", got)
		}
	})
}

// The others may take a node for gone a while longer than it takes to be back.
func TestAPeerThatIsTakenForLostIsStillThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCluster(t, 2, nil)
		a, b := w.socket("a", ""), w.socket("b", "")
		id := a.join().Self.ID
		to := b.join().Self.ID
		w.bus.notice(a.node, true)
		synctest.Wait()
		a.do("message", `{"room":"r","to":"`+to+`","data":1}`)
		if got := a.join(); got.Self.ID != id || got.Self.Away {
			t.Fatalf("got %+v", got)
		}
		b.take()
		a.do("metadata", `{"room":"r","set":{"x":1}}`)
		b.do("metadata", `{"room":"r","set":{"y":1}}`) // its node still believes so
		if got := a.join(); got.Self.ID != id || got.Count != 2 {
			t.Fatalf("got %+v", got)
		}
	})
}

func TestANodeThatStopsLeavesItsPeersAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCluster(t, 2, nil)
		a, b := w.socket("a", ""), w.socket("b", "")
		before := a.join()
		b.join()
		b.take()
		a.lose()
		_ = a.node.service.Close()
		w.bus.notice(a.node, true)
		w.bus.set(func() { a.node.dead = true })
		again := w.socket("a2", "")
		if got := again.join(`,"resume":"` + before.Resume + `"`); !got.Resumed {
			t.Fatalf("got %+v", got)
		}
		b.got(`peer-away {"room":"r","id":"`+before.Self.ID+`"}`, `peer-back {"room":"r","id":"`+before.Self.ID+`"}`)
	})
}

func TestEvacuatedPeersAreTold(t *testing.T) {
	for _, nodes := range []int{0, 1} {
		w := newCluster(t, nodes, nil)
		a := w.socket("a", "")
		id := a.join().Self.ID
		a.take()
		w.service.Evacuate()
		w.settle()
		a.got(`peer-left {"room":"r","id":"` + id + `","reason":"closed"}`)
		a.fails("leave", `{"room":"r"}`, CodeNotInRoom)
	}
}

func TestMessagesToUsersOutliveFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCluster(t, 2, func(o *Options) { o.DirectMessages = true })
		a, b, c := w.socket("a", "ann"), w.socket("b", "bob"), w.socket("c", "bob")
		ring := func(want int) {
			t.Helper()
			if got := a.do("message", `{"user":"bob","data":1}`); got != fmt.Sprintf(`{"ok":true,"delivered":%d}`, want) {
				t.Fatalf("got %s, want %d", got, want)
			}
		}
		ring(2)
		w.bus.set(func() { w.bus.down = true })
		ring(1) // that of this node
		b.leave()
		w.bus.set(func() { w.bus.down = false })
		time.Sleep(time.Second)
		ring(1)
		w.bus.set(func() { clear(w.bus.entries) })
		for _, n := range w.bus.nodes {
			n.back()
		}
		synctest.Wait()
		w.socket("d", "bob")
		ring(2)
		c.leave()
		ring(1)
	})
}

// TestConcurrentHistoriesAgreeAfterADeath lets sockets act at once while a node is
// killed; when all is quiet, all who are left must know the same.
func TestConcurrentHistoriesAgreeAfterADeath(t *testing.T) {
	for _, above := range []int{1000, 2} {
		t.Run(fmt.Sprint("presence above ", above), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lag = true
				w := newCluster(t, 3, func(o *Options) { o.Host.Mode, o.PresenceAbove, o.RoomCapacity = HostFirst, above, 6 })
				lag = false
				last := make([]*socket, 10)
				var wg sync.WaitGroup
				for i := range last {
					wg.Go(func() {
						last[i] = act(w, uint64(i), func(n int) {
							if i == 0 && n == 30 {
								w.bus.kill(w.bus.nodes[0])
								w.bus.notice(w.bus.nodes[0], true)
							}
						})
					})
				}
				wg.Wait()
				time.Sleep(10*time.Second + 3*time.Second) // grace, then the last batch
				synctest.Wait()
				agree(t, w, slices.DeleteFunc(last, func(s *socket) bool { return s.node == w.bus.nodes[0] }))
			})
		})
	}
}
