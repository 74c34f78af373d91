package signaling

import (
	"testing"
	"testing/synctest"
	"time"
)

// remove takes the namespace away from all nodes, which live on; serve brings it
// back.
func (b *bus) remove() {
	for _, n := range b.nodes {
		_ = n.service.Close()
	}
}

func (b *bus) serve(o Options) {
	for _, n := range b.nodes {
		n.service = New(NewShared(n, n), o)
	}
}

// Nobody looks after the rooms of a namespace that no node serves. Once one does
// again, whoever comes first finds everything done that was due.
func TestANamespaceThatComesBackIsMendedByTheFirstJoin(t *testing.T) {
	for name, one := range map[string]struct {
		away    time.Duration
		prepare func(w *world, a *socket)
		check   func(t *testing.T, w *world, got joined)
	}{
		"a lost peer and its lock": {35 * time.Second, func(_ *world, a *socket) {
			a.do("lock", `{"room":"r","name":"l","ttl":300000}`)
			a.lose()
		}, func(t *testing.T, _ *world, got joined) {
			if got.Count != 1 || len(got.Locks) != 0 || got.Revision != 1 {
				t.Errorf("got %+v", got)
			}
		}},
		"a room that would have ended": {time.Minute, func(_ *world, a *socket) { a.lose() },
			func(t *testing.T, _ *world, got joined) {
				if got.Count != 1 || got.Revision != 0 {
					t.Errorf("got %+v", got)
				}
			}},
		"a locked room": {35 * time.Second, func(_ *world, a *socket) {
			a.do("moderate", `{"room":"r","action":"lock-room"}`)
			a.lose()
		}, func(t *testing.T, _ *world, got joined) {
			if got.Count != 1 || got.Locked || got.Revision != 0 {
				t.Errorf("got %+v", got)
			}
		}},
		"a peer that left while the cluster was away": {time.Second, func(w *world, a *socket) {
			w.bus.set(func() { w.bus.down = true })
			a.leave()
		}, func(t *testing.T, w *world, got joined) {
			if got.Count != 2 || !got.Peers[0].Away {
				t.Errorf("got %+v", got)
			}
			time.Sleep(11 * time.Second)
			synctest.Wait()
			if st := w.stats(); st.Peers != 1 {
				t.Errorf("later: got %+v", st)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newCluster(t, 2, func(o *Options) { o.Host.Mode = HostFirst })
				a := w.socket("a", "")
				a.join()
				a.do("metadata", `{"room":"r","set":{"x":1}}`)
				one.prepare(w, a)
				o := *w.service.opts.Load()
				w.bus.remove()
				w.bus.set(func() { w.bus.down = false })
				time.Sleep(one.away)
				w.bus.serve(o)
				w.count = 0 // on the same node
				one.check(t, w, w.socket("b", "").join())
			})
		})
	}
}

// The node that would have done what is due lives on without the namespace.
func TestWhatAKeeperLeavesIsDoneByOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCluster(t, 2, nil)
		a, b := w.socket("a", ""), w.socket("b", "")
		id := a.join().Self.ID
		b.join()
		b.do("lock", `{"room":"r","name":"l","ttl":20000}`)
		a.lose() // its node has written last
		b.take()
		_ = a.node.service.Close()
		time.Sleep(10*time.Second + lateness)
		synctest.Wait()
		b.got(`peer-left {"room":"r","id":"` + id + `","reason":"timeout"}`)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		b.got(`lock {"room":"r","name":"l","owner":null,"expires":null}`)
		if st := w.stats(); st.Peers != 1 || st.Timers != 0 {
			t.Errorf("got %+v", st)
		}
	})
}

// A refused join changes nothing itself, but what it finds overdue is done.
func TestARefusedJoinMendsARoomThatNobodyLooksAfter(t *testing.T) {
	for name, refuse := range map[string]func(a *socket) (code string){
		"locked": func(a *socket) string {
			a.do("moderate", `{"room":"r","action":"lock-room"}`)
			return CodeRoomLocked
		},
		"full": func(*socket) string { return CodeRoomFull },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newCluster(t, 2, func(o *Options) { o.Host.Mode, o.RoomCapacity = HostFirst, 1 })
				a, b := w.socket("a", ""), w.socket("b", "")
				a.join()
				code := refuse(a)
				w.bus.kill(a.node)
				w.bus.notice(a.node, true)
				time.Sleep(time.Minute)
				b.fails("join", `{"room":"r"}`, code) // the peer may come back yet
				time.Sleep(11 * time.Second)
				synctest.Wait()
				if got := b.join(); got.Count != 1 || got.Locked {
					t.Errorf("got %+v", got)
				}
			})
		})
	}
}
