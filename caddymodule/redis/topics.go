package redis

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// topics are the subscriptions of a connection, all over one link to Redis, which
// keeps what comes in order. All methods may be called concurrently.
type topics struct {
	c    *connection
	ctx  context.Context // the connection's, with which subscriptions are tapped
	wake chan struct{}

	mu        sync.Mutex // guards the following fields
	listeners map[string][]*link
	present   map[string]bool // subscriptions that Redis has confirmed
	news      chan struct{}   // closed and replaced when there is another one
}

// idleTime is after how long without a message the connection is tried.
const idleTime = 2 * time.Second

func newTopics(c *connection) *topics {
	t := &topics{c: c, wake: make(chan struct{}, 1), listeners: map[string][]*link{}, present: map[string]bool{}, news: make(chan struct{})}
	t.ctx = context.WithValue(c.ctx, tapKey{}, taker(t.published))
	return t
}

// change is called when links have come or gone.
func (t *topics) change() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

func (t *topics) confirmed(topic string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.present[topic]
}

// await waits until Redis has confirmed a subscription. It fails when the connection
// ends.
func (t *topics) await(ctx context.Context, topic string) error {
	for {
		t.mu.Lock()
		present, news := t.present[topic], t.news
		t.mu.Unlock()
		if present {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-t.c.ctx.Done():
			return errEnded
		}
	}
}

// wanted lists the topics of all links, and notes who listens.
func (t *topics) wanted() (channels, patterns map[string]bool) {
	channels, patterns = map[string]bool{}, map[string]bool{}
	listeners := map[string][]*link{}
	for _, l := range t.c.all() {
		plain, globs := l.format.topics()
		for _, name := range plain {
			channels[name] = true
			listeners[name] = append(listeners[name], l)
		}
		for _, name := range globs {
			patterns[name] = true
			listeners[name] = append(listeners[name], l)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.listeners = listeners
	return channels, patterns
}

// run keeps the subscriptions as they are wanted, and receives.
func (t *topics) run() {
	pubsub := t.c.client.Subscribe(t.ctx)
	received := make(chan struct{})
	go func() {
		defer close(received)
		t.receive(pubsub)
	}()
	channels, patterns := map[string]bool{}, map[string]bool{}
	for t.c.ctx.Err() == nil {
		nextChannels, nextPatterns := t.wanted()
		// An error is the connection's: when it is back, so are the subscriptions.
		// Nodes are counted by a channel: one that counts hears broadcasts already.
		_ = t.c.apply(t.ctx, patterns, nextPatterns, pubsub.PSubscribe, pubsub.PUnsubscribe)
		_ = t.c.apply(t.ctx, channels, nextChannels, pubsub.Subscribe, pubsub.Unsubscribe)
		channels, patterns = nextChannels, nextPatterns
		select {
		case <-t.wake:
		case <-t.c.ctx.Done():
		}
	}
	_ = pubsub.Close()
	<-received
}

type subscribe func(ctx context.Context, names ...string) error

// apply makes a subscription one of next instead of now.
func (c *connection) apply(ctx context.Context, now, next map[string]bool, add, remove subscribe) error {
	ctx, cancel := context.WithTimeout(ctx, c.options.timeout())
	defer cancel()
	var missing, extra []string
	for name := range next {
		if !now[name] {
			missing = append(missing, name)
		}
	}
	for name := range now {
		if !next[name] {
			extra = append(extra, name)
		}
	}
	var err error
	if len(missing) > 0 {
		err = add(ctx, missing...)
	}
	if len(extra) > 0 {
		err = errors.Join(err, remove(ctx, extra...))
	}
	return err
}

// receive hands on what comes, until the connection ends.
func (t *topics) receive(pubsub *redis.PubSub) {
	asked := false
	for t.c.ctx.Err() == nil {
		msg, err := t.next(pubsub, asked)
		var timeout net.Error
		switch {
		case err == nil:
			asked = false
			t.take(msg)
		case errors.As(err, &timeout) && timeout.Timeout() && !asked:
			asked = true
			_ = pubsub.Ping(t.ctx) // the next receive tells
		case errors.Is(err, redis.ErrClosed):
			return
		default:
			asked = false
			t.lost()
			t.c.troubled("SUBSCRIBE", err)
			t.c.renew()
			select {
			case <-time.After(retryWait):
			case <-t.c.ctx.Done():
			}
		}
	}
}

// next waits for a message. Once Redis was asked and says nothing, the connection
// must go: the library keeps one whose time has run out, and Redis may know nothing
// of it any more. It does not keep one whose context's time has.
func (t *topics) next(pubsub *redis.PubSub, asked bool) (any, error) {
	if !asked {
		return pubsub.ReceiveTimeout(t.ctx, idleTime)
	}
	ctx, cancel := context.WithTimeout(t.ctx, idleTime)
	defer cancel()
	return pubsub.ReceiveTimeout(ctx, 0)
}

// lost notes that nothing is subscribed to until Redis says so again.
func (t *topics) lost() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.present)
}

// take notes what Redis has confirmed.
func (t *topics) take(msg any) {
	sub, ok := msg.(*redis.Subscription)
	if !ok {
		return
	}
	t.mu.Lock()
	subscribed := sub.Kind == "subscribe" || sub.Kind == "psubscribe"
	if subscribed {
		t.present[sub.Channel] = true
		close(t.news)
		t.news = make(chan struct{})
	} else {
		delete(t.present, sub.Channel)
	}
	listeners := t.listeners[sub.Channel]
	t.mu.Unlock()
	for _, l := range listeners {
		if f, ok := l.format.(*classicFormat); ok && subscribed && sub.Channel == f.stateful {
			l.state.missed() // what was published before
		}
	}
}

// published hands on a message, which is valid until it returns.
func (t *topics) published(topic, channel, payload []byte) {
	t.mu.Lock()
	listeners := t.listeners[string(topic)]
	t.mu.Unlock()
	for _, l := range listeners {
		if err := l.format.receive(string(channel), payload); err != nil {
			t.c.malformed("a published message", err)
		}
	}
}
