package signaling

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestARoomEndsAfterItsLastPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		a := w.socket("a", "")
		a.join()
		a.do("metadata", `{"room":"r","set":{"x":1}}`)
		a.do("lock", `{"room":"r","name":"l","ttl":300000}`)
		a.do("leave", `{"room":"r"}`)
		time.Sleep(30*time.Second - time.Nanosecond)
		if got := a.join(); got.Revision != 1 || len(got.Locks) != 0 || got.Self.Order != 2 {
			t.Fatalf("got %+v", got)
		}
		time.Sleep(time.Minute) // not empty meanwhile
		a.do("leave", `{"room":"r"}`)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if st := w.stats(); st != (Stats{Sockets: 1}) {
			t.Fatalf("got %+v", st)
		}
		if got := a.join(); got.Revision != 0 || got.Self.Order != 1 {
			t.Fatalf("got %+v", got)
		}
	})
}

func TestAnEndedCallLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		var all []*socket
		for _, id := range []string{"a", "b", "c", "d"} {
			s := w.socket(id, id)
			s.join()
			s.do("lock", `{"room":"r","name":"`+id+`"}`)
			all = append(all, s)
		}
		all[0].leave()
		all[1].lose()
		all[2].do("leave", `{"room":"r"}`)
		all[2].leave()
		all[3].lose()
		time.Sleep(10*time.Second + 30*time.Second)
		synctest.Wait()
		if st := w.stats(); st != (Stats{}) {
			t.Fatalf("got %+v", st)
		}
		if len(w.service.users) != 0 {
			t.Fatalf("users are left: %v", w.service.users)
		}
	})
}

func TestOptionsApplyLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(o *Options) { o.RoomCapacity = 1 })
		a, b := w.socket("a", ""), w.socket("b", "")
		a.join()
		b.fails("join", `{"room":"r"}`, CodeRoomFull)
		w.set(func(o *Options) { o.RoomCapacity, o.DepartureGrace = 2, time.Second })
		b.join()
		a.lose()
		time.Sleep(time.Second)
		synctest.Wait()
		if st := w.stats(); st.Peers != 1 {
			t.Fatalf("got %+v", st)
		}
		w.set(func(o *Options) { o.RoomCapacity = 1 })
		b.do("message", `{"room":"r","data":1}`)
	})
}

func TestCloseStopsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		a, b := w.socket("a", ""), w.socket("b", "")
		a.join()
		b.join()
		a.lose()
		b.take()
		if err := w.service.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		b.got()
		b.fails("join", `{"room":"r"}`, CodeInternal)
		b.lose()
		if st := w.stats(); st != (Stats{}) {
			t.Fatalf("got %+v", st)
		}
	})
}

func TestAPanicLeavesNoRoomLocked(t *testing.T) {
	w := newWorld(t, nil)
	a := w.socket("a", "")
	func() {
		defer func() { _ = recover() }()
		_ = w.service.update("r", true, func(*Room) error { panic("in a change") })
	}()
	if st := w.stats(); st.Rooms != 0 {
		t.Fatalf("got %+v", st)
	}
	a.join()
}

func TestOptionsAreValidated(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"capacity":    func(o *Options) { o.RoomCapacity = 0 },
		"grace":       func(o *Options) { o.DepartureGrace = -1 },
		"empty":       func(o *Options) { o.EmptyTimeout = -1 },
		"threshold":   func(o *Options) { o.PresenceAbove = 0 },
		"interval":    func(o *Options) { o.PresenceInterval = 0 },
		"description": func(o *Options) { o.MaxDescription = 0 },
		"message":     func(o *Options) { o.MaxMessage = 0 },
		"duplicates":  func(o *Options) { o.DuplicateUser = "x" },
		"host":        func(o *Options) { o.Host.Mode = "x" },
		"claim":       func(o *Options) { o.Host = HostRule{HostClaim, "role", ""} },
		"turn":        func(o *Options) { o.TURN = []TURNServer{{URLs: []string{"turn:a"}, TTL: time.Hour}} },
	} {
		o := DefaultOptions()
		if err := o.Validate(); err != nil {
			t.Fatal(err)
		}
		if change(&o); o.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
