package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// plain is an adapter without sockets: it publishes to a stream and reads it.
type plain struct {
	t      *testing.T
	c      *connection
	client redis.UniversalClient
	state  *state

	mu    sync.Mutex
	heard []string // in order; guarded by mu
	more  chan struct{}
}

func (p *plain) emission(e *gateway.Emission) ([]any, error) {
	if e.Event == "fail" {
		return nil, errors.New("cannot")
	}
	return []any{"XADD", "stream", "*", "event", e.Event}, nil
}

func (p *plain) note(text []byte) []any { return []any{"XADD", "stream", "*", "note", text} }

// node makes a node of a test's cluster.
func node(t *testing.T, s *server) *plain {
	o := &options{Addresses: []string{s.address}}
	o.defaults()
	p := &plain{t: t, c: newConnection(o), client: s.connect(), more: make(chan struct{}, 1)}
	p.state = newState(p.c, p.c.pulse, p, "test:state:/:")
	p.c.start()
	ctx, cancel := context.WithCancel(context.Background())
	var reading sync.WaitGroup
	reading.Go(func() { p.read(ctx) })
	t.Cleanup(func() {
		cancel()
		reading.Wait()
		_ = p.c.Destruct() // its client may have been closed already
	})
	return p
}

// read reads from the beginning of the stream.
func (p *plain) read(ctx context.Context) {
	last := "0"
	for ctx.Err() == nil {
		got, err := p.client.XRead(ctx, &redis.XReadArgs{Streams: []string{"stream", last}, Block: 200 * time.Millisecond}).Result()
		if err != nil {
			continue
		}
		for _, m := range got[0].Messages {
			last = m.ID
			if event, isEvent := m.Values["event"].(string); isEvent {
				p.hear(event)
			} else if err := p.state.noted([]byte(m.Values["note"].(string))); err != nil {
				p.t.Error(err)
			}
		}
	}
}

func (p *plain) hear(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = append(p.heard, what)
	select {
	case p.more <- struct{}{}:
	default:
	}
}

// until waits until the node has heard that many things.
func (p *plain) until(n int) []string {
	for {
		p.mu.Lock()
		heard := slices.Clone(p.heard)
		p.mu.Unlock()
		if len(heard) >= n {
			return heard
		}
		<-p.more
	}
}

func write(version uint64, value string, steps ...gateway.Step) gateway.Write {
	return gateway.Write{Version: version, Value: []byte(value), TTL: time.Minute, Steps: steps}
}

func TestSwapComparesAndSets(t *testing.T) {
	s := startServer(t)
	p := node(t, s)
	ctx := t.Context()
	first, err := p.state.Swap(ctx, "k", write(0, "one"))
	if err != nil || first.Version == 0 {
		t.Fatal(first, err)
	}
	there, err := p.state.Swap(ctx, "k", write(0, "two"))
	if !errors.Is(err, gateway.ErrConflict) || string(there.Value) != "one" || there.Version != first.Version {
		t.Fatalf("got %v %s, %v", there.Version, there.Value, err)
	}
	second, err := p.state.Swap(ctx, "k", write(there.Version, "two\x00\xff"))
	if err != nil || second.Version <= first.Version {
		t.Fatal(second, err)
	}
	if got, err := p.state.Get(ctx, "k"); err != nil || got.Version != second.Version || string(got.Value) != "two\x00\xff" {
		t.Fatalf("got %+v, %v", got, err)
	}
	if ttl := s.do("PTTL", "test:state:/:k").(int64); ttl <= 0 || ttl > 60_000 {
		t.Fatalf("it stays for %d ms", ttl)
	}
	if _, err := p.state.Swap(ctx, "k", gateway.Write{Version: second.Version, TTL: time.Minute}); err != nil {
		t.Fatal(err)
	}
	if gone, err := p.state.Get(ctx, "k"); err != nil || gone.Version != 0 {
		t.Fatal(gone, err)
	}
	// An old version stays old, also in a new entry's life.
	third, err := p.state.Swap(ctx, "k", write(0, "three"))
	if err != nil || third.Version <= second.Version {
		t.Fatal(third, err)
	}
	if _, err := p.state.Swap(ctx, "k", write(second.Version, "x")); !errors.Is(err, gateway.ErrConflict) {
		t.Fatal(err)
	}
}

func TestOneOfManyWritersWins(t *testing.T) {
	s := startServer(t)
	nodes := []*plain{node(t, s), node(t, s)}
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			for range 10 {
				err := gateway.Change(t.Context(), nodes[i%2].state, "n", time.Minute, func(old []byte) ([]byte, error) {
					n, _ := strconv.Atoi(string(old))
					return []byte(strconv.Itoa(n + 1)), nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if e, err := nodes[0].state.Get(t.Context(), "n"); err != nil || string(e.Value) != "200" {
		t.Fatalf("got %s, %v", e.Value, err)
	}
}

// Two nodes that choose the same version in the same microsecond do not both win.
func TestOneOfTwoWritersOfTheSameVersionWins(t *testing.T) {
	s := startServer(t)
	a, b := node(t, s), node(t, s)
	if _, err := a.state.swapTo(t.Context(), "k", write(0, "a"), 7); err != nil {
		t.Fatal(err)
	}
	for _, other := range []*plain{a, b} {
		there, err := other.state.swapTo(t.Context(), "k", write(0, "b"), 7)
		if !errors.Is(err, gateway.ErrConflict) || string(there.Value) != "a" {
			t.Fatalf("got %s, %v", there.Value, err)
		}
	}
}

func TestStepsComeInOneOrderToAllNodes(t *testing.T) {
	s := startServer(t)
	a, b := node(t, s), node(t, s)
	stop := b.state.Watch(gateway.Watcher{Noted: func(key string, version uint64, text []byte) {
		b.hear(fmt.Sprint(key, " ", version > 0, " ", string(text)))
	}})
	defer stop()
	step := func(p *plain, name string) []gateway.Step {
		return []gateway.Step{
			{Emit: &gateway.Emission{Event: name + "1"}},
			{Note: &gateway.Note{Text: []byte("hello"), Run: func() { p.hear("run " + name) }}},
			{Emit: &gateway.Emission{Event: name + "2"}},
			{Note: new(gateway.Note)},
		}
	}
	e, err := a.state.Swap(t.Context(), "k", write(0, "x", step(a, "a")...))
	if err != nil {
		t.Fatal(err)
	}
	if got := a.until(3); !slices.Equal(got, []string{"a1", "run a", "a2"}) {
		t.Fatalf("got %q when the change returned", got)
	}
	if _, err := b.state.Swap(t.Context(), "k", write(0, "y", step(b, "lost")...)); !errors.Is(err, gateway.ErrConflict) {
		t.Fatal(err)
	}
	if _, err := b.state.Swap(t.Context(), "k", write(e.Version, "y", step(b, "b")...)); err != nil {
		t.Fatal(err)
	}
	if got := b.until(7); !slices.Equal(got, []string{"a1", "k true hello", "a2", "k true ", "b1", "run b", "b2"}) {
		t.Fatalf("got %q", got)
	}
	if got := a.until(5); !slices.Equal(got, []string{"a1", "run a", "a2", "b1", "b2"}) {
		t.Fatalf("got %q", got)
	}
	if _, err := a.state.Swap(t.Context(), "l", write(0, "y", gateway.Step{Emit: &gateway.Emission{Event: "fail"}})); err == nil {
		t.Fatal("a change was made whose event cannot be sent")
	}
	if len(a.state.open)+len(b.state.open) != 0 {
		t.Fatal("notes are left open")
	}
}

func TestKeysAreListedByPrefix(t *testing.T) {
	s := startServer(t)
	p := node(t, s)
	for _, key := range []string{"room/a", "room/*", "user/a"} {
		if _, err := p.state.Swap(t.Context(), key, write(0, "x")); err != nil {
			t.Fatal(err)
		}
	}
	keys, err := p.state.Keys(t.Context(), "room/")
	if slices.Sort(keys); err != nil || !slices.Equal(keys, []string{"room/*", "room/a"}) {
		t.Fatal(keys, err)
	}
	if keys, err = p.state.Keys(t.Context(), "room/*"); err != nil || !slices.Equal(keys, []string{"room/*"}) {
		t.Fatal(keys, err)
	}
	if err := p.state.Touch(t.Context(), time.Hour, "room/a", "missing"); err != nil {
		t.Fatal(err)
	}
	if ttl := s.do("PTTL", "test:state:/:room/a").(int64); ttl <= 60_000 {
		t.Fatalf("it stays for %d ms", ttl)
	}
}

func TestAPausedServerIsAnErrorInTime(t *testing.T) {
	s := startServer(t)
	p := node(t, s)
	if _, err := p.state.Swap(t.Context(), "k", write(0, "x")); err != nil {
		t.Fatal(err)
	}
	s.signal(syscall.SIGSTOP)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := p.state.Get(ctx, "k"); err == nil {
		t.Fatal("a paused server has answered")
	}
	s.signal(syscall.SIGCONT)
	if e, err := p.state.Get(t.Context(), "k"); err != nil || string(e.Value) != "x" {
		t.Fatal(e, err)
	}
}

func TestAFullServerRefusesChanges(t *testing.T) {
	s := startServer(t)
	p := node(t, s)
	s.do("CONFIG", "SET", "maxmemory", "1")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := p.state.Swap(ctx, "k", write(0, "x", gateway.Step{Note: new(gateway.Note)}))
	if err == nil || errors.Is(err, gateway.ErrConflict) {
		t.Fatal(err)
	}
}

func TestANodeThatLeavesIsGoneAtOnceAndOneThatFallsSilentSoon(t *testing.T) {
	s := startServer(t)
	a, b, c := node(t, s), node(t, s), node(t, s)
	gone := make(chan string, 2)
	stop := a.state.Watch(gateway.Watcher{Gone: func(node string) { gone <- node }})
	defer stop()
	if a.state.Gone(b.state.Node()) || a.state.Gone(c.state.Node()) || a.state.Gone(a.state.Node()) {
		t.Fatal("a living node is gone")
	}
	_ = c.c.client.Close() // as if its process had been killed
	_ = b.c.Destruct()
	if got := <-gone; got != b.state.Node() {
		t.Fatal("another node is gone first")
	}
	if got := <-gone; got != c.state.Node() || !a.state.Gone(got) {
		t.Fatal("the silent node is not gone")
	}
}

// A restart can take less time than two signs of life are apart.
func TestARedisThatForgetsIsNoticedHoweverQuickItIsBack(t *testing.T) {
	s := startServer(t)
	o := &options{Addresses: []string{s.address}}
	o.defaults()
	c := newConnection(o)
	back := make(chan struct{}, 4)
	stop := newState(c, c.pulse, quiet{}, "x").Watch(gateway.Watcher{Back: func() { back <- struct{}{} }})
	defer stop()
	c.start()
	defer func() { _ = c.Destruct() }()
	for range 2 { // at the first contact, and when others have seen it for sure
		<-back
	}
	s.do("FLUSHALL")
	for range 2 {
		<-back
	}
}

// quiet is an adapter that publishes nothing.
type quiet struct{}

func (quiet) emission(*gateway.Emission) ([]any, error) { return nil, nil }
func (quiet) note([]byte) []any                         { return nil }

// A note that has come back may still be running when the change's answer comes.
func TestAChangeReturnsOnceItsNotesHaveRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun, may := make(chan struct{}), make(chan struct{})
		s := &state{id: "s", pulse: newPulse(nil, "", nil), outlet: quiet{}, open: map[uint64]*openNote{}}
		var reading sync.WaitGroup
		s.do = func(context.Context, ...any) (any, error) {
			reading.Go(func() {
				if err := s.noted([]byte(`{"node":"s","token":1,"version":"1"}`)); err != nil {
					t.Error(err)
				}
			})
			<-begun
			return []any{}, nil
		}
		returned := make(chan struct{})
		go func() {
			defer close(returned)
			step := gateway.Step{Note: &gateway.Note{Run: func() {
				close(begun)
				<-may
			}}}
			if _, err := s.Swap(t.Context(), "k", write(0, "x", step)); err != nil {
				t.Error(err)
			}
		}()
		synctest.Wait()
		select {
		case <-returned:
			t.Error("the change has returned while its note runs")
		default:
		}
		close(may)
		<-returned
		reading.Wait()
	})
}

// Redis can fall silent between what it publishes and what it answers.
func TestAChangeWhoseNoteCameBackWasMade(t *testing.T) {
	for _, back := range []int{0, 1, 2} {
		t.Run(strconv.Itoa(back), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &state{id: "s", pulse: newPulse(nil, "", nil), outlet: quiet{}, open: map[uint64]*openNote{}}
				s.do = func(context.Context, ...any) (any, error) {
					for i := range back {
						if err := s.noted(fmt.Appendf(nil, `{"node":"s","token":%d,"version":"1"}`, i+1)); err != nil {
							t.Error(err)
						}
					}
					return nil, context.DeadlineExceeded
				}
				var ran []int
				note := func(n int) gateway.Step {
					return gateway.Step{Note: &gateway.Note{Run: func() { ran = append(ran, n) }}}
				}
				e, err := s.Swap(t.Context(), "k", write(0, "x", note(1), note(2)))
				if back == 0 {
					if err == nil || len(ran) > 0 {
						t.Errorf("unheard of, it counts: %v, %v", ran, err)
					}
					return
				}
				if err != nil || string(e.Value) != "x" || e.Version == 0 || !slices.Equal(ran, []int{1, 2}) || len(s.open) > 0 {
					t.Errorf("got %+v, %v; ran %v", e, err, ran)
				}
			})
		})
	}
}
