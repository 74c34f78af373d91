package redis

import (
	"fmt"
	"testing"
)

// alone makes a node whose messages come back when the test says so.
func alone(t *testing.T, config *Cluster) *member {
	t.Helper()
	o, err := config.build()
	if err != nil {
		t.Fatal(err)
	}
	m := &member{t: t, name: "a", c: newConnection(o), more: make(chan struct{}, 1)}
	m.c.down.Store(true) // nothing is sent at the end
	if _, err := acquire(o); err != nil {
		t.Fatal(err)
	}
	m.l = newLink(m.c, "/", m)
	m.c.down.Store(false)
	t.Cleanup(func() {
		if err := m.l.Close(); err != nil {
			t.Error(err)
		}
		m.c.down.Store(true)
		if err := m.c.Destruct(); err != nil {
			t.Error(err)
		}
	})
	return m
}

func (m *member) waiting() int {
	m.l.mu.Lock()
	defer m.l.mu.Unlock()
	return len(m.l.echoes) + len(m.l.ready)
}

// What is trimmed from the stream before it was read never comes back.
func TestAMessageThatComesBackTakesEarlierOnesWithIt(t *testing.T) {
	a := alone(t, &Cluster{URL: "redis://127.0.0.1:1"})
	for i := range 4 {
		a.l.Echo(event(fmt.Sprint(i)), uint64(i+1))
	}
	a.l.back(3, "7-0")
	a.hears("0", "1", "2")
	a.l.back(1, "8-0") // late, and delivered already
	a.hears("gap")
	a.l.back(4, "9-0")
	a.hears("3")
	if n := a.waiting(); n != 0 {
		t.Fatalf("%d messages are kept", n)
	}
}

func TestWhatWaitsForItsReturnIsBounded(t *testing.T) {
	const size, all = 100_000, 4000
	a := alone(t, &Cluster{URL: "redis://127.0.0.1:1", QueueSize: size})
	for i := range all {
		a.l.Echo(event(fmt.Sprint(i)), uint64(i+1))
		a.c.sender.take() // it is sent
		a.c.sender.settle(nil, nil)
		a.l.mu.Lock()
		waiting := len(a.l.echoes)
		a.l.mu.Unlock()
		if waiting > size/64 {
			t.Fatalf("%d messages wait", waiting)
		}
	}
	a.l.back(all, "7-0")
	for i := range all {
		a.hears(fmt.Sprint(i))
	}
}

// While Redis is away messages are delivered at once. When they get their place
// there is a gap in what the node has kept.
func TestAMessageThatWasDeliveredComesLate(t *testing.T) {
	s := startServer(t)
	a := join(t, "a", &Cluster{URL: "redis://" + s.address})
	gather(t, a)
	a.l.Publish(event("nobody waits"))
	a.l.Echo(event("in time"), 1)
	a.hears("in time")
	s.kill()
	eventually(t, "the outage is noticed", a.c.away)
	a.l.Echo(event("without"), 2)
	a.hears("without")
	s.start("eady to accept connections")
	a.hears("gap")
	a.l.Echo(event("with"), 3)
	a.hears("with")
}
