package redis

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// together runs queue while Redis stands still, so that what it sends is executed
// in one go.
func together(t *testing.T, s *server, m *member, queue func()) {
	t.Helper()
	s.signal(syscall.SIGSTOP)
	m.c.sender.send(ping())
	eventually(t, "the ping is under way", func() bool {
		m.c.sender.mu.Lock()
		defer m.c.sender.mu.Unlock()
		return m.c.sender.inFlight > 0
	})
	queue()
	s.signal(syscall.SIGCONT)
}

// Redis refuses a message for a while and would take the next one: neither is lost,
// and they keep their order.
func TestWhatIsRefusedForAWhileKeepsItsPlace(t *testing.T) {
	s := startServer(t)
	a, b := pair(t, &Cluster{URL: "redis://" + s.address, Timeout: 60e9})
	s.do("CONFIG", "SET", "maxmemory", "1")
	together(t, s, a, func() {
		a.l.Publish(event("first"))
		a.c.sender.send(command{args: []any{"CONFIG", "SET", "maxmemory", "0"}})
		a.l.Publish(event("second"))
	})
	eventually(t, "Redis counts as away", a.c.down.Load)
	a.l.Publish(event("third"))
	s.do("CONFIG", "SET", "maxmemory", "0")
	b.hears("first", "second", "third")
}

// What Redis refuses for good costs nothing but itself.
func TestWhatIsRefusedForGoodHoldsNothingUp(t *testing.T) {
	s := startServer(t)
	a, b := pair(t, &Cluster{URL: "redis://" + s.address, Timeout: 60e9})
	refused := make(chan error, 1)
	together(t, s, a, func() {
		a.l.Publish(event("first"))
		a.c.sender.send(command{args: []any{"NONSENSE", "x"}, done: func(_ any, err error) { refused <- err }})
		a.l.Publish(event("second"))
	})
	b.hears("first", "second")
	if err := <-refused; err == nil || errors.Is(err, errEnded) {
		t.Error(err)
	}
	if n := count(t, a.c.metrics.outages); n != 0 {
		t.Errorf("%d outages", n)
	}
}

// A Redis that has no room for a batch may have some for its beginning.
func TestANearlyFullRedisTakesWhatFits(t *testing.T) {
	s := startServer(t)
	a, b := pair(t, &Cluster{URL: "redis://" + s.address, Timeout: 60e9})
	used, _ := strings.CutPrefix(regexp.MustCompile(`used_memory:\d+`).FindString(s.do("INFO", "memory").(string)), "used_memory:")
	n, err := strconv.Atoi(used)
	if err != nil {
		t.Fatal(err)
	}
	s.do("CONFIG", "SET", "maxmemory", n+600_000)
	pad := strings.Repeat("x", 10_000)
	var sent []string
	together(t, s, a, func() {
		for i := range 100 {
			sent = append(sent, fmt.Sprint(i, pad))
			a.l.Publish(event(sent[i]))
		}
	})
	b.hears(sent[0])
	s.do("CONFIG", "SET", "maxmemory", "0")
	b.hears(sent[1:]...)
}
