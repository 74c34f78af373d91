package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// reader is a node whose stream is read when the test says so.
func reader(t *testing.T, s *server, maxLength int64) *member {
	t.Helper()
	o, err := (&Cluster{URL: "redis://" + s.address, MaxLength: maxLength}).build()
	if err != nil {
		t.Fatal(err)
	}
	m := &member{t: t, name: "reader", c: newConnection(o), more: make(chan struct{}, 1)}
	m.l = newLink(m.c, "/", m)
	t.Cleanup(func() {
		m.l.cancel()
		<-m.l.ended
		_ = m.c.Destruct()
	})
	if err := m.c.stream.attach(); err != nil {
		t.Fatal(err)
	}
	return m
}

// reads reads until nothing has come since it last looked, and returns all.
func (m *member) reads(until string) (heard []string) {
	m.t.Helper()
	for !slices.Contains(m.heard, until) {
		if err := m.c.stream.read(); err != nil {
			m.t.Fatal(err)
		}
	}
	heard, m.heard = m.heard, nil
	return heard
}

// add has another node add n events to the stream.
func (s *server) add(from, n, maxLength int, pad string) (last string) {
	client := s.connect()
	pipe := client.Pipeline()
	for i := range n {
		last = fmt.Sprint("n", from+i)
		pipe.Do(s.t.Context(), "XADD", "socket.io", "MAXLEN", maxLength, "*", "uid", "another", "nsp", "/", "type", "3", "n", from+i+1,
			"data", `{"opts":{"rooms":[],"except":[],"flags":{}},"packet":{"type":2,"data":["`+last+`","`+pad+`"]}}`)
	}
	if _, err := pipe.Exec(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	return last
}

// A node that reads more slowly than the stream is trimmed notices it before it
// hands on what it still finds; one that keeps up notices nothing. Who goes by notes
// of the state is told, since some of them may be among what was lost.
func TestAnOverrunIsNoticed(t *testing.T) {
	s := startServer(t)
	m := reader(t, s, 100)
	again := make(chan struct{}, 9)
	defer m.l.state.Watch(gateway.Watcher{Back: func() { again <- struct{}{} }})()
	if heard := m.reads(s.add(0, 90, 100, "")); len(heard) != 90 {
		t.Errorf("heard %d of 90", len(heard))
	}
	if heard := m.reads(s.add(90, 99, 100, "")); len(heard) != 99 {
		t.Errorf("heard %d of 99", len(heard))
	}
	if n, missed := count(t, m.c.metrics.overruns), count(t, m.c.metrics.missed); n != 0 || missed != 0 {
		t.Fatalf("%d overruns, %d missed", n, missed)
	}
	heard := m.reads(s.add(1000, 300, 100, ""))
	if n := count(t, m.c.metrics.overruns); n != 1 || slices.Index(heard, "missed") < 0 || len(heard) != 101 {
		t.Errorf("%d overruns, heard %v", n, heard)
	}
	if n := count(t, m.c.metrics.missed); n < 200 || n >= 200+sureCount {
		t.Errorf("of 200, %d were missed", n)
	}
	select {
	case <-again:
	case <-time.After(patience):
		t.Error("the state's watchers are not told")
	}
	if heard := m.reads(s.add(2000, 1, 100, "")); len(heard) != 1 {
		t.Errorf("later: heard %v", heard)
	}
}

// The same over an outage, after which it is noticed at once.
func TestAnOverrunDuringAnOutageIsNoticedAtOnce(t *testing.T) {
	s := startServer(t)
	m := reader(t, s, 100)
	m.reads(s.add(0, 50, 100, ""))
	s.add(1000, 300, 100, "")
	for range 2 { // the first attempt fails
		if err := m.c.stream.attach(); err != nil {
			t.Fatal(err)
		}
	}
	if heard := m.reads("n1299"); heard[0] != "missed" || len(heard) != 101 || heard[1] != "n1200" {
		t.Errorf("heard %v", heard)
	}
	if n := count(t, m.c.metrics.missed); n != 200 {
		t.Errorf("of 200, %d were missed", n)
	}
	// An empty Redis, to which another node has come first, has trimmed nothing.
	s.do("DEL", "socket.io")
	s.add(2000, 50, 1000, "")
	if err := m.c.stream.attach(); err != nil {
		t.Fatal(err)
	}
	if heard := m.reads("n2049"); heard[0] != "n2000" {
		t.Errorf("heard %v", heard)
	}
}

// A node that has just been started is not one whose Redis is away: what it sends
// waits until the stream is read, and comes back from it.
func TestWhatANewNodeSendsComesBack(t *testing.T) {
	s := startServer(t)
	for i := range 20 {
		m := prepare(t, fmt.Sprint(i), &Cluster{URL: "redis://" + s.address})
		m.l.Echo(event("first"), 1)
		m.c.start()
		m.l.Echo(event("second"), 2)
		m.hears("first", "second")
		m.mu.Lock()
		at := m.at
		m.mu.Unlock()
		if at == "" {
			t.Fatalf("node %d: it has no place", i)
		}
		m.stop()
	}
}

// Large entries are read a few at a time, small ones many.
func TestReadsAreBounded(t *testing.T) {
	s := startServer(t)
	m := reader(t, s, 10_000)
	most := func(n int, pad string, from int) (sizes []int64) {
		last := s.add(from, n, 10_000, pad)
		for !slices.Contains(m.heard, last) {
			if err := m.c.stream.read(); err != nil {
				t.Fatal(err)
			}
			sizes = append(sizes, m.c.stream.pace.count)
		}
		m.heard = nil
		return sizes
	}
	if sizes := most(1000, "", 0); slices.Max(sizes) != readCount {
		t.Errorf("of small ones up to %d are read at once", slices.Max(sizes))
	}
	if sizes := most(40, strings.Repeat("x", 500_000), 1000); sizes[0] != 2 {
		t.Errorf("of large ones %v are read at once", sizes)
	}
}

// Only so many clients' missed events are read at a time; the next one waits.
func TestRecoveriesAreReadAFewAtATime(t *testing.T) {
	s := startServer(t)
	m := reader(t, s, 10_000)
	s.add(0, 1, 10_000, "")
	m.reads("n0")
	at := m.l.sessions.Position()
	s.add(1, 700, 10_000, "")
	for range maxRanges {
		m.c.ranges <- struct{}{}
	}
	since := func(ctx context.Context) (n int, known bool, err error) {
		known, err = m.l.sessions.Since(ctx, at, func(e *gateway.Message, _ string) bool {
			if e == nil || !strings.Contains(string(e.Data), fmt.Sprintf(`"n%d"`, n+1)) {
				t.Fatalf("entry %d: got %+v", n+1, e)
			}
			n++
			return true
		})
		return n, known, err
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := since(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("while others read: %v", err)
	}
	<-m.c.ranges
	if n, known, err := since(t.Context()); n != 700 || !known || err != nil {
		t.Errorf("read %d, %v, %v", n, known, err)
	}
	if len(m.c.ranges) != maxRanges-1 {
		t.Errorf("%d places are taken", len(m.c.ranges))
	}
}
