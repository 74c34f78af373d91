package socketio

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// fakeCluster is a cluster in memory, of one namespace. With a log it keeps
// messages; they come back when the test says so.
type fakeCluster struct {
	mu        sync.Mutex
	locals    []gateway.Local
	published []*gateway.Message
	log       []*gateway.Message
	pending   []func()
	sessions  map[string]*gateway.Session
	keeps     bool
	forgotten int // of log
	// away makes messages come back without a place; late gives them one.
	away  bool
	late  []func()
	ahead int64 // of the clock
	// unreached is a cluster that has not been reached yet.
	unreached bool
}

// fakeLink is a node's link.
type fakeLink struct {
	gateway.Link // methods that no test uses
	*fakeCluster
	local gateway.Local
}

func (c *fakeCluster) Key() string { return "fake" }

func (c *fakeCluster) Join(_ string, local gateway.Local) (gateway.Link, error) {
	c.locals = append(c.locals, local)
	return &fakeLink{nil, c, local}, nil
}

func (l *fakeLink) others(f func(gateway.Local)) {
	for _, one := range l.locals {
		if one != l.local {
			f(one)
		}
	}
}

func (l *fakeLink) Publish(m *gateway.Message) {
	l.published = append(l.published, m)
	l.others(func(o gateway.Local) { o.Deliver(m) })
}

func (l *fakeLink) Echo(m *gateway.Message, own uint64) {
	placed := *m
	if l.away {
		plain := *m
		plain.Own = own
		l.pending = append(l.pending, func() { l.local.Deliver(&plain) })
		l.late = append(l.late, func() {
			l.place(&placed)
			l.local.Gap()
			l.others(func(o gateway.Local) { o.Deliver(&placed) })
		})
		return
	}
	l.place(&placed)
	l.pending = append(l.pending, func() {
		back := placed
		back.Own = own
		l.local.Deliver(&back)
		l.others(func(o gateway.Local) { o.Deliver(&placed) })
	})
}

func (c *fakeCluster) place(m *gateway.Message) {
	m.Offset = fmt.Sprintf("%d-0", positionEpoch+int64(len(c.log))+1+c.ahead)
	c.log = append(c.log, m)
}

// return to the cluster what waits.
func (c *fakeCluster) returns() {
	c.away = false
	for _, f := range c.late {
		f()
	}
	c.late = nil
}

// settle lets everything come back.
func (c *fakeCluster) settle() {
	for len(c.pending) > 0 {
		f := c.pending[0]
		c.pending = c.pending[1:]
		f()
	}
}

func (l *fakeLink) Close() error { return nil }

func (l *fakeLink) Join(gateway.Set, []string) {}

func (l *fakeLink) Sessions() gateway.Sessions {
	if !l.keeps {
		return nil
	}
	return l
}

func (l *fakeLink) Position() string {
	if l.unreached {
		return ""
	}
	if n := len(l.log) - len(l.pending); n > 0 {
		return l.log[n-1].Offset
	}
	return "0-0"
}

func (l *fakeLink) Keep(s *gateway.Session, _ time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sessions[s.PID] = s
}

func (l *fakeLink) Take(_ context.Context, pid string) (*gateway.Session, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away {
		return nil, errors.New("away")
	}
	s := l.sessions[pid]
	delete(l.sessions, pid)
	return s, nil
}

func (l *fakeLink) Since(_ context.Context, offset string, each func(*gateway.Message, string) bool) (bool, error) {
	from, _ := parsePosition(offset)
	if l.away {
		return false, errors.New("away")
	}
	if first, _ := parsePosition(l.log[l.forgotten].Offset); l.forgotten > 0 && from < first {
		return false, nil
	}
	for _, m := range l.log {
		if n, _ := parsePosition(m.Offset); n > from && !each(m, m.Offset) {
			break
		}
	}
	return true, nil
}

func TestOnlyWhatOthersNeedIsPublished(t *testing.T) {
	c := &fakeCluster{}
	settings := Settings{Namespaces: namespaces("/", silent), Cluster: c}
	inBubble(t, settings, func(t *testing.T, w *world) {
		other := newWorld(t, settings)
		here, there := w.dial(), other.dial()
		id := here.enter("/")
		there.enter("/")
		synctest.Wait()
		ns := w.server.Namespace("/")
		for _, target := range []gateway.Target{ns.To(id), ns.Local(), ns.To()} {
			if err := target.Emit("a"); err != nil {
				t.Fatal(err)
			}
		}
		if len(c.published) != 0 {
			t.Errorf("%d messages went to nodes that have no use for them", len(c.published))
		}
		if err := ns.Emit("b", []byte{1}); err != nil {
			t.Fatal(err)
		}
		here.want(`2["a"]`, `2["a"]`, `51-["b",{"_placeholder":true,"num":0}]`, "binary \x01")
		there.want(`51-["b",{"_placeholder":true,"num":0}]`, "binary \x01")
	})
}

func TestWhatANodeSendsKeepsItsOrder(t *testing.T) {
	c := &fakeCluster{keeps: true, sessions: map[string]*gateway.Session{}}
	settings := Settings{Namespaces: namespaces("/", silent), Cluster: c, Recovery: time.Minute}
	inBubble(t, settings, func(t *testing.T, w *world) {
		one := w.dial()
		id := one.enter("/")
		synctest.Wait()
		ns := w.server.Namespace("/")
		s := ns.Socket(id)
		if err := s.Emit("first"); err != nil {
			t.Fatal(err)
		}
		if err := ns.Volatile().Emit("second"); err != nil {
			t.Fatal(err)
		}
		s.Disconnect(false)
		synctest.Wait()
		if !s.Connected() {
			t.Error("the disconnect has overtaken an event")
		}
		c.settle()
		one.want(`2["first","`+fmt.Sprint(positionEpoch+1)+`-0"]`, `2["second"]`, "1")
	})
}

func TestAClientComesBackToAnotherNode(t *testing.T) {
	c := &fakeCluster{keeps: true, sessions: map[string]*gateway.Session{}}
	settings := Settings{Namespaces: namespaces("/", silent), Cluster: c, Recovery: time.Minute}
	inBubble(t, settings, func(t *testing.T, w *world) {
		one := w.dial()
		before := one.connect("")
		s := w.server.Namespace("/").Socket(before.Sid)
		s.SetData(map[string]any{"n": 1})
		if err := s.Join("room"); err != nil {
			t.Fatal(err)
		}
		emit := func(server *Server, room, event string) {
			t.Helper()
			if err := server.Namespace("/").To(room).Emit(event); err != nil {
				t.Fatal(err)
			}
			c.settle()
		}
		emit(w.server, "room", "seen")
		one.want(`2["seen",*`)
		one.cut()
		synctest.Wait()
		emit(w.server, "room", "missed")
		emit(w.server, "other", "not ours")
		fresh := newWorld(t, settings) // a node that has heard of nothing
		one = fresh.dial()
		after := one.connect(`{"pid":"` + before.Pid + `","offset":"` + c.log[0].Offset + `"}`)
		if after != before {
			t.Fatalf("got %v, want %v", after, before)
		}
		one.want(`2["missed",*`)
		emit(w.server, "room", "live")
		one.want(`2["live",*`)
		s = fresh.server.Namespace("/").Socket(before.Sid)
		if rooms := s.Rooms(); !s.Recovered() || !slices.Contains(rooms, "room") || fmt.Sprint(s.Data()) != "map[n:1]" {
			t.Errorf("recovered %v, rooms %v, data %v", s.Recovered(), rooms, s.Data())
		}
	})
}

// What is for none of a node's sockets is kept as it came; who comes to that node is
// sent it like anything else.
func TestWhatIsForNobodyHereIsKeptAsItCame(t *testing.T) {
	recovering(t, func(t *testing.T, c *fakeCluster, w *world, emit func(string)) {
		other := newWorld(t, Settings{Namespaces: namespaces("/", silent), Cluster: c, Recovery: time.Minute})
		one := w.dial()
		id := one.connect("")
		emit("seen")
		one.want(`2["seen",*`)
		one.cut()
		synctest.Wait()
		if err := w.server.Namespace("/").To(id.Sid).Emit("missed", []byte{1}); err != nil {
			t.Fatal(err)
		}
		c.settle()
		h := other.server.namespace("/").log()
		for i := range h.entries {
			if e := &h.entries[i]; e.message != nil || e.payload == nil {
				t.Errorf("it keeps %+v", e)
			}
		}
		one = other.dial()
		if after := one.connect(back(id, c.log[0].Offset)); after != id {
			t.Fatal("not recovered")
		}
		one.want(`51-["missed",{"_placeholder":true,"num":0},"`+c.log[1].Offset+`"]`, "binary \x01")
		var size int64
		for i := range h.entries {
			size += h.entries[i].bytes()
		}
		if len(h.entries) != 2 || h.size.Load() != size {
			t.Errorf("%d entries of %d bytes count as %d", len(h.entries), size, h.size.Load())
		}
	})
}

// What a node keeps of the time before it lost messages recovers nobody.
func TestNoRecoveryOverAGap(t *testing.T) {
	c := &fakeCluster{keeps: true, sessions: map[string]*gateway.Session{}}
	settings := Settings{Namespaces: namespaces("/", silent), Cluster: c, Recovery: time.Minute}
	inBubble(t, settings, func(t *testing.T, w *world) {
		emit := func(event string) {
			t.Helper()
			if err := w.server.Namespace("/").Emit(event); err != nil {
				t.Fatal(err)
			}
			c.settle()
		}
		first, second := w.dial(), w.dial()
		before, later := first.connect(""), second.connect("")
		emit("seen")
		first.want(`2["seen",*`)
		first.cut()
		synctest.Wait()
		emit("missed")
		c.locals[0].Gap()
		c.forgotten = 2
		emit("after")
		second.want(`2["seen",*`, `2["missed",*`, `2["after",*`)
		second.cut()
		synctest.Wait()
		emit("missed too")
		first = w.dial()
		if after := first.connect(`{"pid":"` + before.Pid + `","offset":"` + c.log[0].Offset + `"}`); after.Sid == before.Sid {
			t.Error("it was recovered over the gap")
		}
		second = w.dial()
		if after := second.connect(`{"pid":"` + later.Pid + `","offset":"` + c.log[2].Offset + `"}`); after != later {
			t.Errorf("after the gap: got %v, want %v", after, later)
		}
		second.want(`2["missed too",*`)
	})
}

// A socket that was connected while its node lost messages has a hole in what it
// got, of which it may learn by coming back as a new one.
func TestNoSocketWithAHoleIsRecovered(t *testing.T) {
	recovering(t, func(t *testing.T, c *fakeCluster, w *world, emit func(string)) {
		one := w.dial()
		holed := one.connect("")
		emit("before")
		c.locals[0].Missed()
		two := w.dial()
		whole := two.connect("")
		emit("after")
		one.want(`2["before",*`, `2["after",*`) // it stays
		two.want(`2["after",*`)
		one.cut()
		two.cut()
		synctest.Wait()
		emit("away")
		last := c.log[1].Offset
		other := newWorld(t, Settings{Namespaces: namespaces("/", silent), Cluster: c, Recovery: time.Minute})
		for name, world := range map[string]*world{"this node": w, "another": other} {
			one = world.dial()
			if after := one.connect(back(holed, last)); after.Sid == holed.Sid {
				t.Errorf("it was recovered on %s", name)
			}
		}
		two = w.dial()
		if after := two.connect(back(whole, last)); after != whole {
			t.Error("who has come since was not recovered")
		}
		two.want(`2["away",*`)
	})
}

func TestPositions(t *testing.T) {
	for _, offset := range []string{"0-0", "1764086400000-0", "1764086400000-16777215"} {
		if n, ok := parsePosition(offset); !ok || formatPosition(n) != offset {
			t.Errorf("%s became %s", offset, formatPosition(n))
		}
	}
	for _, offset := range []string{"", "1", "1-1", "1764086400000-16777216", "9999999999999999-0", "-", "x-1"} {
		if n, ok := parsePosition(offset); ok {
			t.Errorf("%q is %d", offset, n)
		}
	}
}
