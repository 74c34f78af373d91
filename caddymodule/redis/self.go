package redis

import (
	"context"
	"sync"

	"github.com/redis/go-redis/v9"
)

// self is who a link is among the nodes of its namespace. The links of a connection
// are one node, unless two servers of one process serve the same namespace: then
// their links are two, who answer requests one by one, and what they share has to
// tell whose peers are whose.
type self struct {
	*pulse
	links []*link // guarded by joining
	// The rest is nil for the connection's own, whose signs and subscriptions are
	// the connection's.
	wake chan struct{}
	end  func()
}

// joining lets one link at a time find or leave its node.
var joining sync.Mutex

// join gives a link its node, and makes it known to the readers.
func (l *link) join() {
	joining.Lock()
	defer joining.Unlock()
	l.self = l.c.selfFor(l.ns)
	l.self.links = append(l.self.links, l)
	l.self.changed()
	l.state = newState(l.c, l.self.pulse, l, l.c.options.stateKeys(l.ns))
	l.c.add(l)
}

// leave is join's opposite. Others learn at once of a node that has no link any
// more.
func (l *link) leave() {
	joining.Lock()
	l.c.remove(l)
	var rest []*link
	for _, one := range l.self.links {
		if one != l {
			rest = append(rest, one)
		}
	}
	l.self.links = rest
	l.self.changed()
	joining.Unlock()
	if len(rest) == 0 && l.self.end != nil {
		l.self.end()
	}
}

// selfFor returns a node that no link of a namespace is yet. It must be called
// with joining held.
func (c *connection) selfFor(ns string) *self {
	taken := map[*pulse]bool{}
	for _, l := range c.of(ns) {
		taken[l.self.pulse] = true
	}
	if !taken[c.pulse] {
		return &self{pulse: c.pulse}
	}
	for _, l := range c.all() {
		if !taken[l.self.pulse] {
			return l.self
		}
	}
	s := &self{pulse: newPulse(c.client, c.pulse.key, c.troubled), wake: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(c.ctx)
	var running sync.WaitGroup
	running.Go(func() { s.run(ctx) })
	running.Go(func() { s.attend(ctx, c) })
	s.end = func() {
		cancel()
		running.Wait()
	}
	return s
}

func (s *self) changed() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// attend subscribes for each link to the channel by whose subscribers nodes are
// counted, until ctx ends. What comes is taken by the connection's own
// subscription.
func (s *self) attend(ctx context.Context, c *connection) {
	pubsub := c.client.Subscribe(ctx)
	var received sync.WaitGroup
	received.Go(func() {
		for range pubsub.Channel(redis.WithChannelSize(1)) {
			continue // only that somebody listens counts
		}
	})
	now := map[string]bool{}
	for ctx.Err() == nil {
		next := map[string]bool{}
		joining.Lock()
		for _, l := range s.links {
			channels, _ := l.format.topics()
			next[channels[0]] = true
		}
		joining.Unlock()
		// An error is the connection's: when it is back, so are the subscriptions.
		_ = c.apply(ctx, now, next, pubsub.Subscribe, pubsub.Unsubscribe)
		now = next
		select {
		case <-s.wake:
		case <-ctx.Done():
		}
	}
	_ = pubsub.Close()
	received.Wait()
}
