//go:build unix && !race

package engineio

import (
	"runtime"
	"testing"
)

// deep takes more of the stack than a new one has.
//
//go:noinline
func deep() byte {
	var local [8192]byte
	runtime.KeepAlive(&local)
	return local[len(local)-1]
}

// However deep the calls were that its messages have made, what reads an idle
// websocket keeps the smallest stack.
func TestAnIdleWebSocketKeepsASmallStack(t *testing.T) {
	st := newSite(t, settings())
	st.onOpen = func(r *recorder) {
		r.receive = func([]byte, bool) error {
			deep()
			r.got <- message{}
			return nil
		}
	}
	const clients = 300
	stacks := func() int {
		for range 2 { // they free those of goroutines that have ended
			runtime.GC()
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.StackInuse)
	}
	before := stacks()
	check := func(when string) {
		t.Helper()
		each := (stacks() - before) / clients
		if t.Logf("%s: %d bytes each", when, each); each > 3000 {
			t.Errorf("%s: that is too much", when)
		}
	}
	var all []*wsClient
	var sessions []*recorder
	for range clients {
		c := st.websocket("EIO=4&transport=websocket")
		c.wantOpen()
		r := st.next()
		c.text("4first")
		receive(t, r.got)
		all, sessions = append(all, c), append(sessions, r)
	}
	check("after the first message")
	for i, c := range all {
		c.text("4second")
		receive(t, sessions[i].got)
		c.text("3")
		for in, _ := sessions[i].session.Bytes(); in < uint64(len("4first4second3")); in, _ = sessions[i].session.Bytes() {
			runtime.Gosched()
		}
	}
	check("after a heartbeat")
}
