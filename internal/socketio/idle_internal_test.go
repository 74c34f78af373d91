//go:build !race

package socketio

import (
	"runtime"
	"testing"
)

// What an idle socket keeps in memory, apart from its session, is bounded: ours and
// what the library has of it.
func TestAnIdleSocketKeepsLittle(t *testing.T) {
	s, err := NewServer(&Settings{Namespaces: namespaces("/", silent)})
	if err != nil {
		t.Fatal(err)
	}
	const sockets, bound = 2000, 2220
	heap := func() int {
		for range 2 { // the second collection empties pools
			runtime.GC()
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	var all []*conn
	connect := func() {
		for range sockets {
			c := s.accept(&scriptedSession{})
			if err := c.Receive([]byte("0"), false); err != nil {
				t.Fatal(err)
			}
			all = append(all, c)
			one, _ := c.find("/")
			for one.phase.Load() != phaseConnected {
				runtime.Gosched()
			}
		}
	}
	connect() // workers are there then
	before := heap()
	connect()
	each := (heap() - before) / sockets
	if t.Logf("%d bytes each", each); each > bound {
		t.Errorf("more than %d", bound)
	}
	for _, c := range all {
		c.Closed("transport close")
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}
