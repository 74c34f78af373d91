package redis

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"
)

// connection is what all namespaces of one cluster have in common: the client,
// the order of what this node sends, and the readers of what others do. It starts
// to use the network when the first config that holds it is live. All methods may
// be called concurrently.
type connection struct {
	options *options
	client  redis.UniversalClient
	servers *census
	sender  *sender
	logs    limiter
	metrics *metrics
	unshare func() error // nil for a connection outside of the pool

	ctx    context.Context // ends with the connection
	cancel context.CancelFunc
	begin  sync.Once
	ended  sync.WaitGroup
	read   sync.WaitGroup // of the stream
	topics *topics
	stream *stream // nil with the adapter pubsub
	// audience is nil with the adapter streams.
	audience *audience
	pulse    *pulse
	down     atomic.Bool   // commands fail
	ranges   chan struct{} // holds a place for each range of the stream that is being read

	mu    sync.RWMutex // guards the following field
	links map[string][]*link
}

// newConnection makes a connection that does nothing yet.
func newConnection(o *options) *connection {
	c := &connection{
		options: o, links: map[string][]*link{}, metrics: newMetrics(o), servers: newCensus(),
		ranges: make(chan struct{}, maxRanges),
	}
	c.client = newClient(o, c.servers)
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.sender = newSender(c)
	c.topics = newTopics(c)
	c.pulse = newPulse(c.client, o.Prefix+":nodes", c.troubled)
	if o.Adapter == adapterStreams {
		c.stream = newStream(c)
	} else {
		c.audience = newAudience(c)
	}
	return c
}

// start begins to use the network. Further calls do nothing.
func (c *connection) start() {
	c.begin.Do(func() {
		c.ended.Go(func() { c.awaitStream(); c.sender.run() })
		c.ended.Go(func() { c.awaitStream(); c.topics.run() })
		c.ended.Go(func() { c.pulse.run(c.ctx) })
		if c.stream != nil {
			c.read.Go(c.stream.run)
		} else {
			c.ended.Go(func() { c.audience.run(c.ctx) })
		}
	})
}

// awaitStream waits until the stream is read, if Redis can be reached: what is sent
// before would not come back, and by its subscriptions a node counts as one that
// hears what all are asked.
func (c *connection) awaitStream() {
	if c.stream == nil {
		return
	}
	select {
	case <-c.stream.started:
	case <-c.ctx.Done():
	}
}

// Destruct implements caddy.Destructor: it ends the connection with its last
// holder. What was to be sent is sent, if Redis takes it at once.
func (c *connection) Destruct() error {
	c.begin.Do(c.sender.abandon) // it was never started
	c.sender.finish()
	c.cancel()
	c.ended.Wait()
	// It ends the stream's reader, though that waits. What it meets in connections to
	// a Redis that is gone, or refuses them, is no fault of this end.
	_ = c.client.Close()
	c.read.Wait()
	if c.unshare != nil {
		return c.unshare()
	}
	return nil
}

// add and remove make a link known to the readers.
func (c *connection) add(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.links[l.ns] = append(c.links[l.ns], l)
}

func (c *connection) remove(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var rest []*link
	for _, one := range c.links[l.ns] {
		if one != l {
			rest = append(rest, one)
		}
	}
	if c.links[l.ns] = rest; len(rest) == 0 {
		delete(c.links, l.ns)
	}
}

// of returns the links of a namespace. It is not to be changed.
func (c *connection) of(ns string) []*link {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.links[ns]
}

func (c *connection) all() (all []*link) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, list := range c.links {
		all = append(all, list...)
	}
	return all
}

// setDown notes whether Redis can be used. While it cannot, nothing waits for it.
func (c *connection) setDown(down bool, why error) {
	if c.down.Swap(down) == down {
		return
	}
	if !down {
		logger().Info("redis is back", zap.String("address", c.options.display()))
		return
	}
	c.metrics.outages.Inc()
	logger().Warn("redis is away; the nodes go on by themselves, and send what they can keep once it is back",
		zap.String("address", c.options.display()), zap.Error(why))
	for _, l := range c.all() {
		l.release()
	}
}

// troubled is called when a command beside the sender's has failed. The sender finds
// out whether Redis is away, also while there is nothing to send. What Redis
// refuses for good is logged.
func (c *connection) troubled(command string, err error) {
	if isReply(err) && !passing(err) {
		c.sender.failed(command, err)
	}
	if !c.down.Load() {
		c.sender.send(ping())
	}
}

// logger is the process's; the connection outlives configs.
func logger() *zap.Logger { return caddy.Log().Named("http.handlers.socketio.cluster.redis") }

// malformed logs, not too often, what cannot be read. It is not shown: it may hold
// what users say to each other.
func (c *connection) malformed(what string, err error) {
	c.metrics.malformed.Inc()
	if skipped, ok := c.logs.allow(time.Now()); ok {
		logger().Warn("skipped what cannot be read", zap.String("what", what), zap.Error(err), zap.Int("skipped_before", skipped))
	}
}

// limiter lets one line a second through.
type limiter struct {
	mu      sync.Mutex
	last    time.Time
	skipped int
}

func (l *limiter) allow(now time.Time) (skipped int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.last) < time.Second {
		l.skipped++
		return 0, false
	}
	skipped, l.skipped, l.last = l.skipped, 0, now
	return skipped, true
}
