package signaling

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestLocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		a, b, aid, bid := pairOf(w)
		ms := func(d time.Duration) int64 { return time.Now().Add(d).UnixMilli() }
		first := ms(10 * time.Second)
		if got, want := a.do("lock", `{"room":"r","name":"l"}`),
			fmt.Sprintf(`{"ok":true,"lock":{"name":"l","owner":"%s","expires":%d}}`, aid, first); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
		b.got(fmt.Sprintf(`lock {"room":"r","name":"l","owner":"%s","expires":%d}`, aid, first))
		if e := b.failure("lock", `{"room":"r","name":"l"}`, CodeLockHeld); e.Data["owner"] != aid || e.Data["expires"] != first {
			t.Fatalf("got %v", e.Data)
		}
		b.fails("unlock", `{"room":"r","name":"l"}`, CodeForbidden)
		time.Sleep(6 * time.Second)
		a.do("lock", `{"room":"r","name":"l","ttl":5000}`) // renewed
		b.take()
		time.Sleep(5*time.Second - time.Nanosecond)
		synctest.Wait()
		b.got()
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		free := `lock {"room":"r","name":"l","owner":null,"expires":null}`
		b.got(free)
		b.do("lock", `{"room":"r","name":"l"}`)
		a.take()
		b.do("unlock", `{"room":"r","name":"l"}`)
		a.got(free)
		a.do("unlock", `{"room":"r","name":"l"}`) // free already
		a.got(`ack unlock {"ok":true}`)
		b.do("lock", `{"room":"r","name":"l"}`)
		a.take()
		b.leave()
		a.got(`peer-left {"room":"r","id":"`+bid+`","reason":"left"}`, free)
	})
}

func TestALockPassesOnAtItsTimeWhateverTheTimer(t *testing.T) {
	r := newRoom("r", nil)
	r.now = time.Now()
	a, b := &Peer{id: "a"}, &Peer{id: "b"}
	if _, err := r.grab("l", a, time.Second); err != nil {
		t.Fatal(err)
	}
	r.now = r.now.Add(time.Second)
	if l, err := r.grab("l", b, time.Second); err != nil || l.owner != b || len(r.locks) != 1 {
		t.Fatalf("got %v, %v", l, err)
	}
}

func TestLocksAreBounded(t *testing.T) {
	w := newWorld(t, nil)
	a := w.socket("a", "")
	a.join()
	for i := range maxLocks {
		a.do("lock", fmt.Sprintf(`{"room":"r","name":"%d"}`, i))
	}
	a.fails("lock", `{"room":"r","name":"more"}`, CodeTooLarge)
	a.do("lock", `{"room":"r","name":"0"}`)
}
