package redis

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// member is a node with one socket in the namespace "/", whose id is its name.
type member struct {
	t    *testing.T
	name string
	c    *connection
	l    *link
	stop func()

	mu    sync.Mutex
	heard []string // in order, what nobody has waited for; guarded by mu
	at    string   // the offset of the last event; guarded by mu
	more  chan struct{}
}

// join makes a node of a cluster.
func join(t *testing.T, name string, config *Cluster) *member {
	t.Helper()
	m := prepare(t, name, config)
	m.c.start()
	return m
}

// prepare makes a node that does not use the network yet.
func prepare(t *testing.T, name string, config *Cluster) *member {
	t.Helper()
	o, err := config.build()
	if err != nil {
		t.Fatal(err)
	}
	m := &member{t: t, name: name, c: newConnection(o), more: make(chan struct{}, 1)}
	m.l = newLink(m.c, "/", m)
	m.stop = sync.OnceFunc(func() {
		if err := m.l.Close(); err != nil {
			t.Error(err)
		}
		if err := m.c.Destruct(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(m.stop)
	return m
}

// pair makes two nodes that have found each other.
func pair(t *testing.T, config *Cluster) (a, b *member) {
	t.Helper()
	a, b = join(t, "a", config), join(t, "b", config)
	gather(t, a, b)
	return a, b
}

// gather waits until all members know of each other and read.
func gather(t *testing.T, all ...*member) {
	t.Helper()
	for _, m := range all {
		eventually(t, m.name+" sees the others", func() bool {
			n, err := m.l.Nodes(t.Context())
			return err == nil && n == len(all) && !m.c.away()
		})
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("it never came so far: %s", what)
		}
	}
}

func (m *member) hear(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.heard = append(m.heard, fmt.Sprintf(format, args...))
	select {
	case m.more <- struct{}{}:
	default:
	}
}

// hears waits for what is to come next, and nothing else.
func (m *member) hears(want ...string) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		m.mu.Lock()
		heard := slices.Clone(m.heard)
		if n := len(want); len(heard) >= n && slices.Equal(heard[:n], want) {
			m.heard = m.heard[n:]
			m.mu.Unlock()
			return
		}
		m.mu.Unlock()
		if n := min(len(heard), len(want)); !slices.Equal(heard[:n], want[:n]) {
			m.t.Fatalf("%s heard %q, want %q", m.name, heard, want)
		}
		select {
		case <-m.more:
		case <-ctx.Done():
			m.t.Fatalf("%s heard %q, want %q", m.name, heard, want)
		}
	}
}

// event makes a message.
func event(name string, rooms ...string) *gateway.Message {
	data, _ := json.Marshal([]string{name})
	return &gateway.Message{Set: gateway.Set{Rooms: rooms}, Data: data}
}

func (m *member) Encode(set gateway.Set, name string, _ ...any) (*gateway.Message, error) {
	e := event(name)
	e.Set = set
	return e, nil
}

func (m *member) Has(string) bool { return true }

func (m *member) Deliver(e *gateway.Message) {
	var parts []any
	if err := json.Unmarshal(e.Data, &parts); err != nil {
		m.t.Error(err)
	}
	m.mu.Lock()
	m.at = e.Offset
	m.mu.Unlock()
	m.hear("%v", strings.TrimSpace(fmt.Sprint(parts[0], " ", strings.Join(e.Rooms, ","))))
}

func (m *member) Gap() { m.hear("gap") }

func (m *member) Missed() { m.hear("missed") }

func (m *member) Ask(_ context.Context, e *gateway.Message, asked func(int), ack func(gateway.Args)) {
	asked(1)
	ack(answer(m.name + " to " + string(e.Data)))
}

func answer(text string) gateway.Args {
	raw, _ := json.Marshal(text)
	return gateway.NewArgs([]json.RawMessage{raw}, nil)
}

func (m *member) Join(set gateway.Set, rooms []string)  { m.hear("join %v %v", set.Rooms, rooms) }
func (m *member) Leave(set gateway.Set, rooms []string) { m.hear("leave %v %v", set.Rooms, rooms) }
func (m *member) Disconnect(set gateway.Set, c bool)    { m.hear("disconnect %v %v", set.Rooms, c) }

func (m *member) Sockets(gateway.Set) []gateway.SocketInfo {
	return []gateway.SocketInfo{{ID: m.name, Rooms: []string{m.name}}}
}

func (m *member) ServerSide(e *gateway.Message, ack func(gateway.Args)) {
	m.hear("server %s", e.Data)
	if ack != nil {
		ack(answer(m.name))
	}
}

// converse does all that a node can do, from a to b.
func converse(t *testing.T, a, b *member) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for i := range 50 { // rooms make channels, whose order counts as well
		a.l.Publish(event(fmt.Sprint(i), fmt.Sprint("room", i%7)))
	}
	for i := range 50 {
		b.hears(fmt.Sprintf("%d room%d", i, i%7))
	}
	a.l.Join(gateway.Set{Rooms: []string{"r"}}, []string{"x"})
	a.l.Leave(gateway.Set{Rooms: []string{"r"}}, []string{"x", "y"})
	a.l.Disconnect(gateway.Set{Rooms: []string{"r"}}, true)
	b.hears("join [r] [x]", "leave [r] [x y]", "disconnect [r] true")

	var answers []string
	took := func(args gateway.Args) { answers = append(answers, string(args.Raw(0))) }
	if err := a.l.Ask(ctx, event("poll"), took); err != nil || !slices.Equal(answers, []string{`"` + b.name + ` to [\"poll\"]"`}) {
		t.Fatalf("%s asked: %q, %v", a.name, answers, err)
	}
	answers = nil
	if err := a.l.ServerSide(ctx, event("question"), took); err != nil || !slices.Equal(answers, []string{`"` + b.name + `"`}) {
		t.Fatalf("asked the server: %q, %v", answers, err)
	}
	b.hears(`server ["question"]`)
	sockets, err := a.l.Sockets(ctx, gateway.Set{})
	if err != nil || len(sockets) != 1 || sockets[0].ID != b.name {
		t.Fatalf("fetched: %+v, %v", sockets, err)
	}
	share(ctx, t, a, b)
	if a.l.sessions != nil {
		hand(ctx, t, a, b)
	}
}

// share changes what the nodes share, and hears what that publishes.
func share(ctx context.Context, t *testing.T, a, b *member) {
	t.Helper()
	defer b.l.State().Watch(gateway.Watcher{Noted: func(key string, _ uint64, text []byte) { b.hear("note %s %s", key, text) }})()
	w := write(0, "v",
		gateway.Step{Emit: &gateway.Emission{Event: "entered", Rooms: []string{"a", "b"}}},
		gateway.Step{Note: &gateway.Note{Text: []byte("text"), Run: func() { a.hear("run") }}},
	)
	a.l.Publish(event("before", "x"))
	e, err := a.l.State().Swap(ctx, "room/1", w)
	if err != nil {
		t.Fatal(err)
	}
	a.l.Publish(event("after", "y"))
	a.hears("entered a,b", "run")
	b.hears("before x", "entered a,b", "note room/1 text", "after y")
	if got, err := b.l.State().Get(ctx, "room/1"); err != nil || string(got.Value) != "v" || got.Version != e.Version {
		t.Fatal(got, err)
	}
	if keys, err := b.l.State().Keys(ctx, "room/"); err != nil || !slices.Equal(keys, []string{"room/1"}) {
		t.Fatal(keys, err)
	}
	if err := b.l.State().Touch(ctx, time.Minute, "room/1"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.l.State().Swap(ctx, "room/1", gateway.Write{Version: e.Version, TTL: time.Minute}); err != nil {
		t.Fatal(err)
	}
}

// hand hands a session over, with what was missed.
func hand(ctx context.Context, t *testing.T, a, b *member) {
	t.Helper()
	a.l.Publish(event("seen"))
	b.hears("seen")
	b.mu.Lock()
	at := b.at // the position follows once all of this node have got it
	b.mu.Unlock()
	a.l.Sessions().Keep(&gateway.Session{PID: "pid-" + a.name, ID: "sid", Rooms: []string{"r"}, Kept: at}, time.Minute)
	a.l.Publish(event("missed"))
	b.hears("missed")
	s, err := b.l.Sessions().Take(ctx, "pid-"+a.name)
	if err != nil || s == nil || s.ID != "sid" || s.Kept != at {
		t.Fatalf("took %+v, %v", s, err)
	}
	var missed []string
	known, err := b.l.Sessions().Since(ctx, at, func(m *gateway.Message, _ string) bool {
		if m != nil {
			missed = append(missed, string(m.Data))
		}
		return true
	})
	if err != nil || !known || !slices.Equal(missed, []string{`["missed"]`}) {
		t.Fatalf("missed %q, %v, %v", missed, known, err)
	}
	if s, err := a.l.Sessions().Take(ctx, "pid-"+a.name); s != nil || err != nil {
		t.Fatalf("took it twice: %+v, %v", s, err)
	}
}
