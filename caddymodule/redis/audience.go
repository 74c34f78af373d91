package redis

import (
	"context"
	"sync"
	"time"
)

const (
	// countEvery is the time between two counts of who listens.
	countEvery = time.Second
	// gatherMost is how long those who listened before an outage are waited for: as
	// long as it takes to notice that Redis is silent, and a moment to come back.
	gatherMost = 2*idleTime + time.Second
)

// audience is who listens to what a node publishes. Pub/sub keeps nothing for those
// who have not subscribed again when Redis is back, so what waited for Redis waits
// for them too. Its methods may be called concurrently; gather is for the sender alone.
type audience struct {
	c *connection

	mu     sync.Mutex     // guards the following field
	counts map[string]int // subscribers by channel, when they were last counted; not to be changed
}

func newAudience(c *connection) *audience { return &audience{c: c} }

// run counts until ctx ends.
func (a *audience) run(ctx context.Context) {
	ticker := time.NewTicker(countEvery)
	defer ticker.Stop()
	for {
		a.learn(ctx)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// channels are those by whose subscribers nodes are counted. None is among them before
// this node has subscribed, maybe again: the others have had as much time.
func (a *audience) channels() (all []string) {
	for _, l := range a.c.all() {
		plain, _ := l.format.topics()
		if a.c.topics.confirmed(plain[0]) {
			all = append(all, plain[0])
		}
	}
	return all
}

func (a *audience) learn(ctx context.Context) {
	counts := map[string]int{}
	for _, channel := range a.channels() {
		n, err := a.count(ctx, channel)
		if err != nil {
			return // the sender finds out whether Redis is away
		}
		counts[channel] = n
	}
	if a.c.down.Load() {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.counts = counts
}

func (a *audience) count(ctx context.Context, channel string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, a.c.options.timeout())
	defer cancel()
	return a.c.servers.subscribers(ctx, a.c.client, channel)
}

// gather waits until as many listen as did before Redis was away. Those who do not
// come in time are not waited for again. An error says that Redis is away.
func (a *audience) gather(ctx context.Context) error {
	timeout := time.NewTimer(gatherMost)
	defer timeout.Stop()
	for {
		missing, err := a.missing(ctx)
		if err != nil || !missing {
			return err
		}
		again := time.NewTimer(retryWait / 4)
		select {
		case <-again.C:
		case <-timeout.C:
			again.Stop()
			a.mu.Lock()
			defer a.mu.Unlock()
			a.counts = nil
			return nil
		case <-ctx.Done():
			again.Stop()
			return ctx.Err()
		}
	}
}

func (a *audience) missing(ctx context.Context) (bool, error) {
	a.mu.Lock()
	counts := a.counts
	a.mu.Unlock()
	for channel, before := range counts {
		n, err := a.count(ctx, channel)
		switch {
		case isReply(err) && !passing(err):
			return false, nil // it cannot be counted
		case err != nil || n < before:
			return true, err
		}
	}
	return false, nil
}
