package socketio

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// told is a CONNECT payload of the server.
type told struct{ Sid, Pid string }

func (c *client) connect(auth string) told { return c.connectTo("", auth) }

// connectTo enters the namespace that packets with head are for.
func (c *client) connectTo(head, auth string) (id told) {
	c.t.Helper()
	c.send("0" + head + auth)
	reply := c.next()
	rest, ok := strings.CutPrefix(reply, "0"+head)
	if !ok || json.Unmarshal([]byte(rest), &id) != nil || id.Pid == "" {
		c.t.Fatalf("got %q, want CONNECT with a pid", reply)
	}
	return id
}

func TestRecovery(t *testing.T) {
	for name, lose := range map[string]func(*client){
		"the transport is lost":         func(c *client) { c.cut() },
		"the old one still looks alive": func(*client) {},
	} {
		t.Run(name, func(t *testing.T) {
			settings := Settings{Namespaces: namespaces("/", silent), Recovery: time.Minute}
			inBubble(t, settings, func(t *testing.T, w *world) {
				ns := w.server.Namespace("/")
				c := w.dial()
				before := c.connect("")
				s := ns.Socket(before.Sid)
				s.SetData("data")
				if err := s.Join("room"); err != nil {
					t.Fatal(err)
				}
				synctest.Wait() // it is connected here as well
				lose(c)
				synctest.Wait()
				if err := ns.To("room").Emit("missed"); err != nil {
					t.Fatal(err)
				}
				if err := ns.To("other").Emit("not ours"); err != nil {
					t.Fatal(err)
				}
				c = w.dial()
				if after := c.connect(`{"pid":"` + before.Pid + `"}`); after != before {
					t.Fatalf("got %v, want %v", after, before)
				}
				c.want(`2["missed",*`)
				synctest.Wait()
				s = ns.Socket(before.Sid)
				if !s.Recovered() || s.Data() != "data" || len(s.Rooms()) != 2 {
					t.Errorf("recovered %v, data %v, rooms %v", s.Recovered(), s.Data(), s.Rooms())
				}
				c.cut()
				synctest.Wait()
				time.Sleep(2 * time.Minute)
				c = w.dial()
				if late := c.connect(`{"pid":"` + before.Pid + `","offset":"1"}`); late.Sid == before.Sid {
					t.Error("recovered after the time for it")
				}
				c.send("1")
				w.empty("/")
				if log := w.server.namespace("/").log(); len(log.live) > 0 {
					t.Errorf("%d sockets are held that have gone", len(log.live))
				}
			})
		})
	}
}

func TestRecoveryWithOffset(t *testing.T) {
	settings := Settings{Namespaces: namespaces("/", silent), Recovery: time.Minute}
	inBubble(t, settings, func(t *testing.T, w *world) {
		ns := w.server.Namespace("/")
		c := w.dial()
		id := c.connect("")
		for _, event := range []string{"a", "b", "c"} {
			if err := ns.Emit(event); err != nil {
				t.Fatal(err)
			}
		}
		c.want(`2["a","1"]`, `2["b","2"]`, `2["c","3"]`)
		c.cut()
		synctest.Wait()
		if err := ns.Emit("d"); err != nil {
			t.Fatal(err)
		}
		c = w.dial()
		c.connect(`{"pid":"` + id.Pid + `","offset":"2"}`)
		c.want(`2["c","3"]`, `2["d","4"]`)
	})
}

func TestRecoveryKeepsNoMoreThanItMay(t *testing.T) {
	settings := Settings{Namespaces: namespaces("/", silent), Recovery: time.Minute, RecoveryTotal: 4000}
	inBubble(t, settings, func(t *testing.T, w *world) {
		ns := w.server.Namespace("/")
		c := w.dial()
		id := c.connect("")
		c.cut()
		synctest.Wait()
		for range 1000 {
			if err := ns.Emit("x"); err != nil {
				t.Fatal(err)
			}
			if kept := w.server.kept.Load(); kept > 4000 {
				t.Fatalf("%d bytes are kept", kept)
			}
		}
		c = w.dial()
		if after := c.connect(`{"pid":"` + id.Pid + `","offset":"0"}`); after == id {
			t.Error("recovered with a gap")
		}
		c.cut()
		time.Sleep(3 * time.Minute)
		if kept := w.server.kept.Load(); kept != 0 {
			t.Errorf("%d bytes are kept for nobody", kept)
		}
	})
}

// A client that has missed more than it could be sent at once comes back as a new
// socket; what others have missed is none of its business.
func TestRecoveryOfOneSessionIsBounded(t *testing.T) {
	const limit = 1000
	settings := Settings{Namespaces: namespaces("/", silent), Recovery: time.Minute, RecoverySession: limit}
	inBubble(t, settings, func(t *testing.T, w *world) {
		ns := w.server.Namespace("/")
		filler := func(size int) string { return strings.Repeat("x", size) }
		lost := map[string]told{}
		for _, room := range []string{"over", "under"} {
			c := w.dial()
			lost[room] = c.connect("")
			synctest.Wait()
			if err := ns.Socket(lost[room].Sid).Join(room); err != nil {
				t.Fatal(err)
			}
			c.cut()
			synctest.Wait()
		}
		for range 3 { // none of them is too large by itself
			if err := ns.To("over").Emit("e", filler(limit/3)); err != nil {
				t.Fatal(err)
			}
		}
		if err := ns.To("under").Emit("e", filler(limit*9/10)); err != nil {
			t.Fatal(err)
		}
		c := w.dial()
		if after := c.connect(`{"pid":"` + lost["over"].Pid + `"}`); after == lost["over"] {
			t.Error("recovered with more than a session may miss")
		}
		c.send("1")
		c = w.dial()
		if after := c.connect(`{"pid":"` + lost["under"].Pid + `"}`); after != lost["under"] {
			t.Errorf("got %v, want %v", after, lost["under"])
		}
		c.want(`2["e","` + filler(limit*9/10) + `",*`)
	})
}

// What is kept for all namespaces together is bounded, the state of sockets
// included, and given back with its time.
func TestRecoveryInTotalIsBounded(t *testing.T) {
	const limit = 4000
	settings := Settings{Namespaces: namespaces("/", silent, "/b", silent), Recovery: time.Minute, RecoveryTotal: limit}
	inBubble(t, settings, func(t *testing.T, w *world) {
		check := func() {
			t.Helper()
			if kept := w.server.kept.Load(); kept > limit {
				t.Fatalf("%d bytes are kept", kept)
			}
		}
		for range 100 {
			for _, nsp := range []string{"/", "/b"} {
				c := w.dial()
				c.enter(nsp)
				synctest.Wait()
				c.cut()
				synctest.Wait()
				check()
				if err := w.server.Namespace(nsp).Emit("x"); err != nil {
					t.Fatal(err)
				}
				check()
			}
		}
		if w.server.kept.Load() < limit/2 {
			t.Errorf("only %d bytes are kept", w.server.kept.Load())
		}
		time.Sleep(3 * time.Minute)
		if kept := w.server.kept.Load(); kept != 0 {
			t.Errorf("%d bytes are kept for nobody", kept)
		}
	})
}

func TestABusyNamespaceTakesNoRecoveryFromOthers(t *testing.T) {
	settings := Settings{Namespaces: namespaces("/busy", silent, "/quiet", silent), Recovery: time.Minute, RecoveryTotal: 4000}
	inBubble(t, settings, func(t *testing.T, w *world) {
		fill := func() {
			for range 100 {
				if err := w.server.Namespace("/busy").Emit("x"); err != nil {
					t.Fatal(err)
				}
			}
		}
		fill()
		c := w.dial()
		id := c.connectTo("/quiet,", "")
		synctest.Wait() // it is connected here as well
		c.cut()
		synctest.Wait()
		if err := w.server.Namespace("/quiet").Emit("missed"); err != nil {
			t.Fatal(err)
		}
		fill()
		c = w.dial()
		if after := c.connectTo("/quiet,", `{"pid":"`+id.Pid+`"}`); after != id {
			t.Fatalf("got %v, want %v", after, id)
		}
		c.want(`2/quiet,["missed",*`)
		if kept := w.server.kept.Load(); kept > 4000 {
			t.Errorf("%d bytes are kept", kept)
		}
	})
}

// What is kept is much, and each packet takes the place of an earlier one: none may
// cost as much as all of them.
func TestKeepingAPacketMovesNoOther(t *testing.T) {
	settings := Settings{Namespaces: namespaces("/", silent), Recovery: time.Minute, RecoveryTotal: 200_000}
	inBubble(t, settings, func(t *testing.T, w *world) {
		ns, h := w.server.Namespace("/"), w.server.namespace("/").log()
		emit := func() {
			if err := ns.Emit("x"); err != nil {
				t.Fatal(err)
			}
		}
		for h.floor == 0 {
			emit()
		}
		moved := 0
		const emits = 10_000
		for range emits {
			second := &h.entries[1]
			emit()
			if &h.entries[0] != second {
				moved++
			}
		}
		if kept := len(h.entries); kept < 1000 || moved > emits/100 {
			t.Errorf("%d packets were moved %d times", kept, moved)
		}
	})
}

// The offset is the client's word.
func TestRecoveryFromAnyOffset(t *testing.T) {
	settings := Settings{Namespaces: namespaces("/", silent), Recovery: time.Minute}
	for offset, missed := range map[string][]string{
		"0": {`2["e","1"]`, `2["e","2"]`, `2["e","3"]`}, "2": {`2["e","3"]`}, "3": nil, "18446744073709551615": nil,
	} {
		t.Run(offset, func(t *testing.T) {
			inBubble(t, settings, func(t *testing.T, w *world) {
				ns := w.server.Namespace("/")
				emit := func() {
					if err := ns.Emit("e"); err != nil {
						t.Fatal(err)
					}
				}
				c := w.dial()
				id := c.connect("")
				emit()
				synctest.Wait()
				c.cut()
				synctest.Wait()
				emit()
				emit()
				c = w.dial()
				if after := c.connect(`{"pid":"` + id.Pid + `","offset":"` + offset + `"}`); after != id {
					t.Fatalf("got %v, want %v", after, id)
				}
				c.want(missed...)
				emit()
				c.want(`2["e","4"]`)
			})
		})
	}
}

// An emit may have got hold of the log right before recovery is turned off.
func TestNothingIsKeptOnceRecoveryIsOff(t *testing.T) {
	settings := Settings{Namespaces: namespaces("/", silent), Recovery: time.Minute}
	inBubble(t, settings, func(t *testing.T, w *world) {
		c := w.dial()
		c.enter("/")
		ns := w.server.namespace("/")
		log := ns.log()
		if err := w.server.Configure(&Settings{Namespaces: settings.Namespaces}); err != nil {
			t.Fatal(err)
		}
		p, err := encodeArgs("e", nil)
		if err != nil {
			t.Fatal(err)
		}
		log.broadcast(ns.target, p)
		c.want(`2["e","1"]`)
		if kept := w.server.kept.Load(); kept != 0 || w.server.heaviest.Load() != nil {
			t.Errorf("%d bytes are kept for good", kept)
		}
	})
}

// Packets that were numbered before recovery was off say nothing of those after it.
func TestNobodyIsRecoveredAcrossTheTimeWithout(t *testing.T) {
	on := Settings{Namespaces: namespaces("/", silent), Recovery: time.Minute}
	inBubble(t, on, func(t *testing.T, w *world) {
		emit := func() {
			if err := w.server.Namespace("/").Emit("e"); err != nil {
				t.Fatal(err)
			}
		}
		c := w.dial()
		id := c.connect("")
		emit()
		emit()
		c.want(`2["e","1"]`, `2["e","2"]`)
		for _, settings := range []*Settings{{Namespaces: on.Namespaces}, &on} {
			if err := w.server.Configure(settings); err != nil {
				t.Fatal(err)
			}
		}
		c.cut()
		synctest.Wait()
		emit()
		c = w.dial()
		if after := c.connect(`{"pid":"` + id.Pid + `","offset":"2"}`); after == id {
			t.Error("recovered with a gap")
		}
	})
}

// The time without may fall between the two steps of a client's return.
func TestNobodyIsRecoveredWhileRecoveryIsReplaced(t *testing.T) {
	on := Settings{Namespaces: namespaces("/", silent), Recovery: time.Minute}
	inBubble(t, on, func(t *testing.T, w *world) {
		ns := w.server.namespace("/")
		c := w.dial()
		id := c.connect("")
		if err := ns.Emit("e"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		c.cut()
		synctest.Wait()
		before := ns.log()
		r := before.restore(id.Pid, "1")
		for _, settings := range []*Settings{{Namespaces: on.Namespaces}, &on} {
			if err := w.server.Configure(settings); err != nil {
				t.Fatal(err)
			}
		}
		for name, log := range map[string]*history{"the log that has been closed": before, "the log after it": ns.log()} {
			one := newSocket(&conn{server: w.server, session: &scriptedSession{}}, ns)
			if one.restored = r; log.resume(one) == nil {
				t.Errorf("resumed from %s", name)
				ns.leave(one)
			}
			log.putBack(r)
			if log.take(id.Pid) != nil {
				t.Errorf("put back into %s", name)
			}
		}
	})
}
