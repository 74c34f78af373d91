package signaling

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAwayPeerComesBackWithWhatWasSentToIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		a, b := w.socket("a", "ann"), w.socket("b", "")
		before, other := a.join(), b.join()
		a.do("lock", `{"room":"r","name":"l","ttl":60000}`)
		b.take()
		a.lose()
		id := before.Self.ID
		b.got(`peer-away {"room":"r","id":"` + id + `"}`)
		b.do("offer", `{"room":"r","to":"`+id+`","description":{"n":1}}`)
		b.do("message", `{"room":"r","to":"`+id+`","data":2}`)
		if got := b.do("message", `{"room":"r","data":"lost"}`); got != `{"ok":true,"delivered":0}` {
			t.Fatalf("got %s", got)
		}
		b.do("state", `{"room":"r","state":{"new":1}}`)
		b.take()
		time.Sleep(9 * time.Second)
		a2 := w.socket("a2", "ann")
		after := a2.join(`,"resume":"`+before.Resume+`"`, `,"state":{"back":1}`)
		if !after.Resumed || after.Self.ID != id || after.Self.Order != 1 || after.Resume == before.Resume ||
			len(after.Locks) != 1 || after.Peers[0].State["new"] == nil || after.Peers[0].Polite {
			t.Fatalf("got %+v", after)
		}
		log := a2.take()
		if len(log) != 3 || log[0].event != "ack join" {
			t.Fatalf("got %v", log)
		}
		from := `{"room":"r","from":"` + other.Self.ID + `",`
		if log[1] != (sent{"offer", from + `"description":{"n":1}}`}) || log[2] != (sent{"message", from + `"data":2}`}) {
			t.Fatalf("got %v", log[1:])
		}
		b.got(`peer-back {"room":"r","id":"`+id+`"}`, `peer-state {"room":"r","id":"`+id+`","state":{"back":1}}`)
		time.Sleep(time.Minute)
		if st := w.stats(); st.Peers != 2 || st.Timers != 0 {
			t.Fatalf("the old deadline still counted: %+v", st)
		}
	})
}

func TestAwayPeerLeavesAfterTheGraceTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		a, b := w.socket("a", ""), w.socket("b", "")
		before := a.join()
		b.join()
		a.do("lock", `{"room":"r","name":"l","ttl":60000}`)
		a.lose()
		b.take()
		time.Sleep(10*time.Second - time.Nanosecond)
		synctest.Wait()
		b.got()
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		b.got(`peer-left {"room":"r","id":"`+before.Self.ID+`","reason":"timeout"}`,
			`lock {"room":"r","name":"l","owner":null,"expires":null}`)
		late := w.socket("late", "").join(`,"resume":"` + before.Resume + `"`)
		if late.Resumed || late.Self.ID == before.Self.ID {
			t.Fatalf("got %+v", late)
		}
	})
}

func TestWithoutGraceALostPeerLeavesAtOnce(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.DepartureGrace = 0 })
	a, b := w.socket("a", ""), w.socket("b", "")
	id := a.join().Self.ID
	b.join()
	b.take()
	a.lose()
	b.got(`peer-left {"room":"r","id":"` + id + `","reason":"timeout"}`)
}

func TestResumeTakesOverALiveSocket(t *testing.T) {
	w := newWorld(t, nil)
	a, b, c := w.socket("a", ""), w.socket("b", ""), w.socket("c", "")
	before := a.join()
	b.join()
	a.take()
	b.take()
	after := c.join(`,"resume":"` + before.Resume + `"`)
	if !after.Resumed || after.Self.ID != before.Self.ID || after.Count != 2 {
		t.Fatalf("got %+v", after)
	}
	a.got(`peer-left {"room":"r","id":"` + before.Self.ID + `","reason":"replaced"}`)
	b.got()
	a.fails("leave", `{"room":"r"}`, CodeNotInRoom)
	a.lose() // its late end must not touch the peer
	b.got()
	c.take()
	b.do("message", `{"room":"r","data":1}`)
	if got := c.names(); got != "message" {
		t.Fatalf("got %s", got)
	}
}

func TestATokenLivesUntilItsAnswerHasArrived(t *testing.T) {
	w := newWorld(t, nil)
	a := w.socket("a", "")
	first := a.join()
	a.lose()
	b := w.socket("b", "")
	second := b.join(`,"resume":"` + first.Resume + `"`)
	b.lose() // the answer was lost
	c := w.socket("c", "")
	third := c.join(`,"resume":"` + first.Resume + `"`)
	if !third.Resumed || third.Resume != second.Resume {
		t.Fatalf("got %+v", third)
	}
	c.client.Seen() // the answer has arrived
	c.lose()
	if got := w.socket("d", "").join(`,"resume":"` + first.Resume + `"`); got.Resumed {
		t.Fatal("a void token resumed")
	}
	if got := w.socket("e", "").join(`,"resume":"` + third.Resume + `"`); !got.Resumed {
		t.Fatal("the last token did not resume")
	}
}

// Two rooms are joined again without waiting for the first answer, and both answers
// are lost.
func TestAJoinProvesNothingOfARoomBefore(t *testing.T) {
	w := newWorld(t, nil)
	a := w.socket("a", "")
	tokens := map[string]string{}
	again := func(s *socket, room string) joined {
		return decode[joined](t, s.do("join", `{"room":"`+room+`","resume":"`+tokens[room]+`"}`))
	}
	for _, room := range []string{"one", "two"} {
		tokens[room] = decode[joined](t, a.do("join", `{"room":"`+room+`"}`)).Resume
	}
	for _, id := range []string{"b", "c"} {
		a.lose()
		a = w.socket(id, "")
		for room := range tokens {
			if !again(a, room).Resumed {
				t.Fatalf("%s: the token of room %s is void", id, room)
			}
		}
	}
}

func TestATokenIsForItsRoomAndUser(t *testing.T) {
	w := newWorld(t, nil)
	a, g := w.socket("a", "ann"), w.socket("g", "")
	token, guest := a.join().Resume, g.join().Resume
	a.lose()
	g.lose()
	elsewhere := decode[joined](t, w.socket("b", "ann").do("join", `{"room":"other","resume":"`+token+`"}`))
	for what, got := range map[string]joined{
		"another room":       elsewhere,
		"another user":       w.socket("c", "bob").join(`,"resume":"` + token + `"`),
		"a guest":            w.socket("d", "").join(`,"resume":"` + token + `"`),
		"a user for a guest": w.socket("e", "ann").join(`,"resume":"` + guest + `"`),
		"a guessed secret":   w.socket("f", "ann").join(`,"resume":"` + strings.Split(token, ".")[0] + `."`),
	} {
		if got.Resumed {
			t.Errorf("%s resumed", what)
		}
	}
	if got := w.socket("h", "ann").join(`,"resume":"` + token + `"`); !got.Resumed {
		t.Fatal("the right user did not resume")
	}
}

func TestResumeEntersLockedAndFullRooms(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Host.Mode, o.RoomCapacity = HostFirst, 2 })
	a, b := w.socket("a", ""), w.socket("b", "")
	a.join()
	token := b.join().Resume
	a.do("moderate", `{"room":"r","action":"lock-room"}`)
	b.lose()
	if got := w.socket("c", "").join(`,"resume":"` + token + `"`); !got.Resumed || !got.Locked {
		t.Fatalf("got %+v", got)
	}
}

func TestWaitingEventsAreBounded(t *testing.T) {
	for name, tc := range map[string]struct {
		data string
		fits int
	}{
		"number": {`1`, maxWaiting},
		"bytes":  {`"` + strings.Repeat("x", 30_000) + `"`, maxWaitingBytes / 30_100},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			a, b := w.socket("a", ""), w.socket("b", "")
			before := a.join()
			b.join()
			a.lose()
			send := fmt.Sprintf(`{"room":"r","to":"%s","data":%s}`, before.Self.ID, tc.data)
			for range tc.fits {
				b.do("message", send)
			}
			b.fails("message", send, CodePeerUnavailable)
			c := w.socket("c", "")
			c.join(`,"resume":"` + before.Resume + `"`)
			if got := len(c.take()); got != 1+tc.fits {
				t.Fatalf("got %d events", got)
			}
			b.do("message", send)
		})
	}
}

func TestWhatADyingSocketMissesWaits(t *testing.T) {
	w := newWorld(t, nil)
	a, b := w.socket("a", ""), w.socket("b", "")
	before := a.join()
	b.join()
	a.gone = true // lost, but nobody has noticed
	b.do("message", `{"room":"r","to":"`+before.Self.ID+`","data":1}`)
	a.lose()
	b.do("message", `{"room":"r","to":"`+before.Self.ID+`","data":2}`)
	c := w.socket("c", "")
	c.join(`,"resume":"` + before.Resume + `"`)
	log := c.take()
	if len(log) != 3 || !strings.Contains(log[1].payload, `"data":1`) || !strings.Contains(log[2].payload, `"data":2`) {
		t.Fatalf("got %v", log)
	}
}

func TestRecoveredSocketsPeersComeBack(t *testing.T) {
	w := newWorld(t, nil)
	a, b := w.socket("a", ""), w.socket("b", "")
	id := a.join().Self.ID
	b.join()
	b.take()
	a.lose()
	b.do("message", `{"room":"r","to":"`+id+`","data":1}`)
	if len(a.kept) != 1 || a.kept[0].event != "message" {
		t.Fatalf("recovery was given %v", a.kept)
	}
	b.take()
	again := &socket{world: w, id: "a"}
	w.rooms["r"] = append(w.rooms["r"], again) // recovery restores the rooms
	w.rooms["gone"] = append(w.rooms["gone"], again)
	again.client = w.service.Attach(again, true, []string{"r", "gone"})
	b.got(`peer-back {"room":"r","id":"` + id + `"}`)
	again.got() // what it missed is replayed by the recovery itself
	again.do("message", `{"room":"r","data":1}`)
	if len(w.rooms["gone"]) != 0 {
		t.Fatal("it still hears a room that its peer is not in")
	}
	if w.service.Attach(again, true, []string{"r"}) != again.client {
		t.Fatal("attaching again made another client")
	}
}

func TestARecoveredSocketMayComeBeforeTheWordOfItsLoss(t *testing.T) {
	w := newWorld(t, nil)
	a, b := w.socket("a", ""), w.socket("b", "")
	id := a.join().Self.ID
	b.join()
	b.take()
	a.gone = true
	again := &socket{world: w, id: "a"}
	again.client = w.service.Attach(again, true, []string{"r"})
	a.client.Disconnect(true)
	b.got(`peer-away {"room":"r","id":"`+id+`"}`, `peer-back {"room":"r","id":"`+id+`"}`)
	again.do("message", `{"room":"r","data":1}`)
	if st := w.stats(); st.Away != 0 || st.Sockets != 2 {
		t.Fatalf("got %+v", st)
	}
}

func TestAFlappingPeerKeepsOneDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		s := w.socket("0", "")
		token := s.join().Resume
		for i := range 500 {
			s.lose()
			s = w.socket(fmt.Sprint(i+1), "")
			token = s.join(`,"resume":"` + token + `"`).Resume
			time.Sleep(time.Millisecond)
		}
		_ = w.service.store.View("r", func(r *Room) error {
			if len(r.absent) > 20 || len(r.peers) != 1 || len(r.sockets) != 1 {
				t.Errorf("%d absences, %d peers, %d sockets", len(r.absent), len(r.peers), len(r.sockets))
			}
			return nil
		})
	})
}
