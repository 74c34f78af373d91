package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// outlet is how an adapter sends what a change of the state has to tell: as the
// arguments of a Redis command, which the change's script calls. What it
// publishes comes to every node of the namespace, this one included, in the order
// of the commands.
type outlet interface {
	emission(e *gateway.Emission) ([]any, error)
	note(text []byte) []any
}

// state is what the nodes share in a namespace: a hash for each entry, with the
// fields v, its version, d, its value, and w, the name of the write. It is changed by a script that compares
// the version and publishes in the same step. All methods may be called
// concurrently.
type state struct {
	id     string // of this state among all
	client redis.UniversalClient
	pulse  *pulse
	do     func(ctx context.Context, args ...any) (any, error)
	outlet outlet
	prefix string // of keys
	writes atomic.Uint64

	mu sync.Mutex // guards the following fields
	// tokens number this node's notes; open are those that have not come back.
	tokens   uint64
	open     map[uint64]*openNote
	watchers map[*watcher]struct{}
}

var _ gateway.State = (*state)(nil)

// newState makes the state of a namespace for a node, whose pulse that is. Its
// adapter calls noted for each note.
func newState(c *connection, p *pulse, o outlet, prefix string) *state {
	return &state{
		id: rand.Text(), client: c.client, pulse: p, do: c.sender.do, outlet: o, prefix: prefix,
		open: make(map[uint64]*openNote), watchers: make(map[*watcher]struct{}),
	}
}

// Node implements [gateway.State], as the methods below do.
func (s *state) Node() string { return s.pulse.node }

func (s *state) Gone(node string) bool { return s.pulse.isGone(node) }

func (s *state) Now() time.Time { return s.pulse.now() }

func (s *state) Get(ctx context.Context, key string) (gateway.Entry, error) {
	values, err := s.client.HMGet(ctx, s.prefix+key, "v", "d").Result()
	if err != nil {
		return gateway.Entry{}, fmt.Errorf("reading an entry: %w", err)
	}
	return entryOf(values[0], values[1])
}

// entryOf reads the fields of a hash, nil where there is none.
func entryOf(v, d any) (e gateway.Entry, err error) {
	if v == nil {
		return e, nil
	}
	version, isText := v.(string)
	value, hasValue := d.(string)
	if !isText || !hasValue {
		return e, errors.New("reading an entry: it is not one")
	}
	if e.Version, err = strconv.ParseUint(version, 10, 64); err != nil {
		return e, fmt.Errorf("reading an entry's version: %w", err)
	}
	e.Value = []byte(value)
	return e, nil
}

func (s *state) Touch(ctx context.Context, ttl time.Duration, keys ...string) error {
	_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, key := range keys {
			p.PExpire(ctx, s.prefix+key, ttl)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("keeping entries: %w", err)
	}
	return nil
}

func (s *state) Keys(ctx context.Context, prefix string) ([]string, error) {
	client, err := masterOf(ctx, s.client, s.prefix)
	if err != nil {
		return nil, err
	}
	found := map[string]struct{}{} // a scan can find a key twice
	all := client.Scan(ctx, 0, literal.Replace(s.prefix+prefix)+"*", 1000).Iterator()
	for all.Next(ctx) {
		found[strings.TrimPrefix(all.Val(), s.prefix)] = struct{}{}
	}
	if err := all.Err(); err != nil {
		return nil, fmt.Errorf("listing entries: %w", err)
	}
	keys := make([]string, 0, len(found))
	for key := range found {
		keys = append(keys, key)
	}
	return keys, nil
}

// literal escapes what means something in a pattern.
var literal = strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`, "]", `\]`)

// watcher is a registered one. While its functions run, its mu is held for
// reading.
type watcher struct {
	gateway.Watcher
	mu      sync.RWMutex
	stopped bool
}

// tell calls f unless the watcher has been removed.
func (w *watcher) tell(f func(gateway.Watcher)) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if !w.stopped {
		f(w.Watcher)
	}
}

// aside runs functions one after the other on a goroutine of its own. All methods
// may be called concurrently.
type aside struct {
	running sync.WaitGroup
	mu      sync.Mutex
	calls   []func() // guarded by mu; the first one runs
}

func (a *aside) do(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.calls = append(a.calls, f); len(a.calls) == 1 {
		a.running.Go(a.run)
	}
}

func (a *aside) run() {
	for more := true; more; {
		a.mu.Lock()
		f := a.calls[0]
		a.mu.Unlock()
		f()
		a.mu.Lock()
		a.calls = a.calls[1:]
		more = len(a.calls) > 0
		a.mu.Unlock()
	}
}

// missed is called when notes may have been lost: whoever goes by them has to look
// anew.
func (s *state) missed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.watchers {
		if w.Back != nil {
			w.Back() // on a goroutine of its own
		}
	}
}

// Watch implements [gateway.State]. Gone and Back may use the State, and so wait for
// Redis; the signs of life must go on meanwhile.
func (s *state) Watch(w gateway.Watcher) (stop func()) {
	one, calls := &watcher{Watcher: w}, new(aside)
	if w.Gone != nil {
		one.Gone = func(node string) { calls.do(func() { one.tell(func(gateway.Watcher) { w.Gone(node) }) }) }
	}
	if w.Back != nil {
		one.Back = func() { calls.do(func() { one.tell(func(gateway.Watcher) { w.Back() }) }) }
	}
	s.mu.Lock()
	s.watchers[one] = struct{}{}
	s.mu.Unlock()
	unlink := s.pulse.watch(one)
	return func() {
		unlink()
		s.mu.Lock()
		delete(s.watchers, one)
		s.mu.Unlock()
		one.mu.Lock()
		one.stopped = true
		one.mu.Unlock()
		calls.running.Wait()
	}
}
