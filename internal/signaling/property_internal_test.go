package signaling

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// history drives a service and a model through the same random events.
type history struct {
	t       *testing.T
	w       *world
	m       *model
	rand    *rand.Rand
	batched bool
	views   map[*socket]*view
	sockets []*socket
	n       int
	log     []string
}

func TestRandomHistoriesFollowTheModel(t *testing.T) {
	for _, batched := range []bool{false, true} {
		for seed := range uint64(10) {
			t.Run(fmt.Sprintf("batched=%v/%d", batched, seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := newHistory(t, seed, batched)
					for range 150 {
						h.step()
						h.check()
						if t.Failed() {
							t.Fatalf("after %v", h.log)
						}
					}
				})
			})
		}
	}
}

func newHistory(t *testing.T, seed uint64, batched bool) *history {
	w := newWorld(t, func(o *Options) {
		o.RoomCapacity, o.Host.Mode = modelCapacity, HostFirst
		o.DepartureGrace, o.EmptyTimeout = modelGrace, modelEmpty
		if batched {
			o.PresenceAbove, o.PresenceInterval = 2, time.Second
		}
	})
	return &history{
		t: t, w: w, batched: batched, m: &model{locks: map[string]modelLock{}},
		rand: rand.New(rand.NewPCG(seed, 5)), views: map[*socket]*view{},
	}
}

func (h *history) newSocket() *socket {
	h.n++
	s := h.w.socket(fmt.Sprint("s", h.n), "")
	h.sockets = append(h.sockets, s)
	h.views[s] = &view{t: h.t}
	return s
}

func (h *history) step() {
	// Never at the very instant of a deadline, where both orders are right.
	time.Sleep(time.Duration(h.rand.IntN(3000))*time.Millisecond + time.Microsecond)
	synctest.Wait()
	h.m.advance(time.Now())
	if len(h.sockets) < 3 {
		h.newSocket()
	}
	s := h.sockets[h.rand.IntN(len(h.sockets))]
	p := h.m.of(s)
	op := h.rand.IntN(12)
	h.log = append(h.log, fmt.Sprintf("%d:%s", op, s.id))
	switch op {
	case 0, 1, 2:
		h.join(s, p)
	case 3:
		h.expect(s, "leave", `{"room":"r"}`, p != nil, CodeNotInRoom, func() { h.m.remove(p, time.Now()) })
	case 4, 5:
		h.end(s, p, op == 4)
	case 6, 7:
		h.resume(s, p)
	case 8:
		h.moderate(s, p)
	case 9, 10:
		h.lock(s, p)
	case 11:
		h.expect(s, "state", fmt.Sprintf(`{"room":"r","state":{"n":%d}}`, h.n), p != nil, CodeNotInRoom, func() {
			p.State = map[string]any{"n": float64(h.n)}
		})
	}
}

// expect handles an event that must succeed, with the effect on the model, or
// fail with a code.
func (h *history) expect(s *socket, event, payload string, succeeds bool, code string, effect func()) {
	h.t.Helper()
	_, err := s.try(event, payload)
	var e *Error
	switch {
	case succeeds && err == nil:
		effect()
	case succeeds:
		h.t.Errorf("%s %s: %v", event, payload, err)
	case !errors.As(err, &e) || e.Code != code:
		h.t.Errorf("%s %s: got %v, want %s", event, payload, err, code)
	}
}

func (h *history) join(s *socket, p *modelPeer) {
	code := ""
	if p == nil {
		p, code = h.m.join(s)
	}
	h.expect(s, "join", `{"room":"r"}`, code == "", code, func() { h.learn(s, p) })
}

// learn takes over what only the service knows of a peer.
func (h *history) learn(s *socket, p *modelPeer) {
	v := h.views[s]
	v.apply(s.take())
	if self := v.peers[v.self]; self.Order != p.Order {
		h.t.Errorf("order %d, want %d", self.Order, p.Order)
	}
	p.ID, p.token = v.self, v.token
}

func (h *history) end(s *socket, p *modelPeer, lost bool) {
	s.end(lost)
	for i, o := range h.sockets {
		if o == s {
			h.sockets = append(h.sockets[:i], h.sockets[i+1:]...)
			break
		}
	}
	delete(h.views, s)
	switch {
	case p == nil:
	case lost:
		p.socket, p.Away, p.deadline = nil, true, time.Now().Add(modelGrace)
	default:
		h.m.remove(p, time.Now())
	}
}

// resume uses some peer's token, also that of a live one.
func (h *history) resume(s *socket, own *modelPeer) {
	if own != nil || len(h.m.peers) == 0 {
		return
	}
	p := h.m.peers[h.rand.IntN(len(h.m.peers))]
	old := p.socket
	h.expect(s, "join", `{"room":"r","resume":"`+p.token+`"}`, true, "", func() {
		p.socket, p.Away = s, false
		h.learn(s, p)
		if v := h.views[old]; old != nil {
			if v.apply(old.take()); v.in {
				h.t.Error("the old socket was not told")
			}
		}
	})
}

func (h *history) moderate(s *socket, p *modelPeer) {
	if p == nil {
		return
	}
	if h.rand.IntN(3) == 0 {
		h.m.locked = !h.m.locked && p.Role == "host" || h.m.locked && p.Role != "host"
		action := "unlock-room"
		if h.m.locked && p.Role == "host" {
			action = "lock-room"
		}
		h.expect(s, "moderate", order(action, "", ""), p.Role == "host", CodeForbidden, func() {})
		return
	}
	target := h.m.peers[h.rand.IntN(len(h.m.peers))]
	h.expect(s, "moderate", order("kick", target.ID, ""), p.Role == "host", CodeForbidden, func() {
		h.m.remove(target, time.Now())
	})
}

func (h *history) lock(s *socket, p *modelPeer) {
	name := string(rune('a' + h.rand.IntN(2)))
	l, held := h.m.locks[name]
	payload := `{"room":"r","name":"` + name + `","ttl":7000}`
	switch {
	case p == nil:
		h.expect(s, "lock", payload, false, CodeNotInRoom, nil)
	case h.rand.IntN(3) == 0:
		h.expect(s, "unlock", payload, !held || l.owner == p, CodeForbidden, func() { delete(h.m.locks, name) })
		delete(h.views[s].locks, name)
		if held && l.owner != p {
			h.views[s].locks[name] = l.owner.ID
		}
	default:
		h.expect(s, "lock", payload, !held || l.owner == p, CodeLockHeld, func() {
			h.m.locks[name] = modelLock{p, time.Now().Add(7 * time.Second)}
		})
	}
}

// check compares what every member knows, and the service holds, with the model.
func (h *history) check() {
	if h.batched {
		time.Sleep(time.Second + time.Microsecond) // until the batch
	}
	synctest.Wait()
	h.m.advance(time.Now())
	for _, s := range h.sockets {
		v := h.views[s]
		v.apply(s.take())
		if p := h.m.of(s); (p != nil) != v.in {
			h.t.Errorf("%s believes to be in: %v", s.id, v.in)
		} else if want := h.m.text(v.self); v.in && v.text() != want {
			h.t.Errorf("%s knows\n%swant\n%s", s.id, v.text(), want)
		}
	}
	if st := h.w.stats(); st.Peers != len(h.m.peers) || st.Sockets != len(h.sockets) {
		h.t.Errorf("the service has %+v, the model %d peers, %d sockets", st, len(h.m.peers), len(h.sockets))
	}
}

// TestConcurrentHistoriesAgree lets sockets act at once; when all is quiet, all
// who are left must know the same.
func TestConcurrentHistoriesAgree(t *testing.T) {
	for _, above := range []int{1000, 2} {
		t.Run(fmt.Sprint("presence above ", above), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(o *Options) { o.Host.Mode, o.PresenceAbove, o.RoomCapacity = HostFirst, above, 6 })
				var wg sync.WaitGroup
				last := make([]*socket, 10)
				for i := range last {
					wg.Go(func() { last[i] = act(w, uint64(i), func(int) {}) })
				}
				wg.Wait()
				time.Sleep(10*time.Second + 2*time.Second) // grace, then the last batch
				synctest.Wait()
				agree(t, w, last)
			})
		})
	}
}

// act lets one client do random things and returns its last socket.
func act(w *world, seed uint64, at func(n int)) *socket {
	r := rand.New(rand.NewPCG(seed, 7))
	s := w.socket(fmt.Sprint(seed, "-", 0), "")
	token := ""
	rounds := 200
	if w.bus != nil {
		rounds = 60 // each is a write of the room and its reading by others
	}
	for n := range rounds {
		at(n)
		switch r.IntN(6) {
		case 0, 1:
			if answer, err := s.try("join", `{"room":"r","resume":"`+token+`"}`); err == nil {
				token = decode[joined](w.t, answer).Resume
			}
		case 2:
			s.end(r.IntN(3) > 0)
			s = w.socket(fmt.Sprint(seed, "-", n+1), "")
		case 3:
			// Not being in the room is as good an outcome as any.
			_, _ = s.try("state", fmt.Sprintf(`{"room":"r","state":{"n":%d}}`, n))
		case 4:
			_, _ = s.try("lock", `{"room":"r","name":"l"}`)
		case 5:
			_, _ = s.try("message", `{"room":"r","data":1}`)
		}
	}
	return s
}

func agree(t *testing.T, w *world, sockets []*socket) {
	var views []*view
	for _, s := range sockets {
		v := &view{t: t}
		if v.apply(s.take()); v.in {
			v.peers[v.self] = peerJSON{ID: v.self} // compared through the others
			views = append(views, v)
		}
	}
	w.look("r", func(r *Room) {
		if len(r.list) != len(views) || len(r.peers) != len(views) || len(r.sockets) != len(views) || r.live != len(views) {
			t.Errorf("%d views, but %d peers, %d live", len(views), len(r.list), r.live)
		}
		for _, v := range views {
			for _, p := range r.list {
				known, here := v.peers[p.id]
				if !here || p.id != v.self && fmt.Sprint(known.State) != fmt.Sprint(decode[map[string]any](t, string(p.state))) {
					t.Errorf("%s knows %+v of %s, which has %s", v.self, known, p.id, p.state)
				}
			}
			if len(v.peers) != len(r.list) || len(v.locks) != len(r.locks) {
				t.Errorf("%s knows %d peers and %d locks, not %d and %d", v.self, len(v.peers), len(v.locks), len(r.list), len(r.locks))
			}
		}
	})
}
