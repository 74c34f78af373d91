package redis

import (
	"context"
	"crypto/rand"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// Times of the nodes' signs of life.
const (
	// beatEvery is the time between two signs.
	beatEvery = 750 * time.Millisecond
	// goneAfter is how long a node must have given none, while this node heard
	// of the others, to be taken for gone.
	goneAfter = 3 * time.Second
	// breakAfter is how long this node itself may be without contact before it
	// has to reckon with having been taken for gone.
	breakAfter = 2 * time.Second
	// backBeats is how many beats it takes the others to see a sign for sure.
	backBeats = 3
	// forgetAfter is how long the sign of a node that is gone is kept.
	forgetAfter = time.Minute
	// registryTTL bounds the registry's life when all nodes have ended.
	registryTTL = time.Hour
)

// left is the sign that a node gives when it leaves.
const left = "left"

// pulse tells the nodes of a cluster that this one lives, and finds out which
// others do: each counts up its own field of one hash. A node is judged by how its
// count changes in this node's own time, so that no two clocks are compared. All
// methods may be called concurrently.
type pulse struct {
	client   redis.UniversalClient
	key      string
	node     string
	troubled func(command string, err error)

	mu sync.Mutex // guards the following fields
	// since is when the present contact began, seen when the last sign got
	// through; since is zero without contact.
	since, seen time.Time
	// count is the last sign of this node itself.
	count int64
	// again counts the beats until the watchers are told once more that this node
	// is back: until the others have seen it, they go on taking it for gone.
	again    int
	nodes    map[string]*life
	clock    clock
	watchers map[*watcher]struct{}
}

// life is what is known of another node.
type life struct {
	sign    string
	changed time.Time // in this node's time
	gone    bool
}

// newPulse makes one that has given no sign yet.
func newPulse(client redis.UniversalClient, key string, troubled func(command string, err error)) *pulse {
	return &pulse{
		client: client, key: key, node: rand.Text(), troubled: troubled,
		nodes: make(map[string]*life), watchers: make(map[*watcher]struct{}),
	}
}

// leave tells the others that this node is gone, so that they need not wait to
// see it.
func (p *pulse) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	// Without it the others find out by themselves.
	_ = p.client.HSet(ctx, p.key, p.node, left).Err()
}

// run gives signs of life until ctx ends, and then leaves.
func (p *pulse) run(ctx context.Context) {
	defer p.leave()
	ticker := time.NewTicker(beatEvery)
	defer ticker.Stop()
	for {
		p.beat(ctx)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// beat gives a sign and reads those of the others.
func (p *pulse) beat(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, breakAfter)
	defer cancel()
	var signs *redis.MapStringStringCmd
	var clock *redis.TimeCmd
	client, err := masterOf(ctx, p.client, p.key) // whose time all nodes go by
	if err != nil {
		p.troubled("CLUSTER", err)
		return
	}
	began := time.Now()
	_, err = client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.HIncrBy(ctx, p.key, p.node, 1)
		pipe.PExpire(ctx, p.key, registryTTL)
		signs = pipe.HGetAll(ctx, p.key)
		clock = pipe.Time(ctx)
		return nil
	})
	now := time.Now()
	if err != nil {
		p.troubled("HINCRBY", err)
		return // the next one follows soon
	}
	tells, old := p.learn(began, now, signs.Val(), clock.Val())
	for _, tell := range tells {
		tell()
	}
	if len(old) > 0 {
		// Whoever is first does it; if nobody can, the next minute will do.
		_ = p.client.HDel(ctx, p.key, old...).Err()
	}
}

// learn takes in what a beat has brought. It returns what watchers are to be told,
// and the nodes to be forgotten.
func (p *pulse) learn(began, now time.Time, signs map[string]string, told time.Time) (tells []func(), old []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken(now, signs[p.node]) {
		p.since, p.again = now, backBeats+1
		tells = append(tells, p.tellAll(func(w *watcher) func() { return w.Back }))
	}
	if p.again--; p.again == 0 {
		tells = append(tells, p.tellAll(func(w *watcher) func() { return w.Back }))
	}
	p.seen = now
	p.clock.learn(began, now, told)
	for node, sign := range signs {
		if one := p.nodes[node]; node == p.node {
			continue
		} else if one == nil {
			p.nodes[node] = &life{sign: sign, changed: now}
		} else if one.sign != sign {
			one.sign, one.changed = sign, now
		}
	}
	for node, one := range p.nodes {
		gone := p.silent(one, now)
		if gone && !one.gone {
			tells = append(tells, p.tellAll(func(w *watcher) func() {
				return func() {
					if w.Gone != nil {
						w.Gone(node)
					}
				}
			}))
		}
		one.gone = gone
		if _, there := signs[node]; gone && now.Sub(one.changed) > forgetAfter {
			if there {
				old = append(old, node)
			} else {
				delete(p.nodes, node)
			}
		}
	}
	return tells, old
}

// broken reports whether contact begins anew with a sign of this node. One that does
// not go on from the last tells of a Redis that has lost its memory, in however short a
// time. It must be called with mu held.
func (p *pulse) broken(now time.Time, sign string) bool {
	last := p.count
	p.count, _ = strconv.ParseInt(sign, 10, 64) // Redis has just counted it up
	return p.since.IsZero() || now.Sub(p.seen) > breakAfter || p.count <= last
}

// silent judges a node. Without contact of some time, nobody is silent. It must
// be called with mu held.
func (p *pulse) silent(one *life, now time.Time) bool {
	if one.sign == left {
		return true
	}
	return now.Sub(one.changed) >= goneAfter && now.Sub(p.since) >= goneAfter
}

// tellAll makes a function that tells all watchers. It must be called with mu
// held.
func (p *pulse) tellAll(of func(w *watcher) func()) func() {
	all := make([]*watcher, 0, len(p.watchers))
	for w := range p.watchers {
		all = append(all, w)
	}
	return func() {
		for _, w := range all {
			if f := of(w); f != nil {
				w.tell(func(gateway.Watcher) { f() })
			}
		}
	}
}

// isGone implements [gateway.State.Gone]. Whoever is asked about is watched.
func (p *pulse) isGone(node string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if node == p.node {
		return false
	}
	one := p.nodes[node]
	if one == nil {
		one = &life{changed: time.Now()}
		p.nodes[node] = one
	}
	return one.gone
}

// now is the time by the clock of the cluster, or by this node's own until that
// was heard.
func (p *pulse) now() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.clock.now()
}

// watch registers a watcher; the function that it returns removes it.
func (p *pulse) watch(w *watcher) (stop func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watchers[w] = struct{}{}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.watchers, w)
	}
}
