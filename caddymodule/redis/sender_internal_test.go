package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/redis/go-redis/v9"
)

func count(t *testing.T, one prometheus.Counter) int {
	t.Helper()
	var m dto.Metric
	if err := one.Write(&m); err != nil {
		t.Fatal(err)
	}
	return int(m.GetCounter().GetValue())
}

func dropped(t *testing.T, c *connection) int {
	t.Helper()
	return count(t, c.metrics.dropped)
}

// lonely is a connection that is never started.
func lonely(t *testing.T, queueSize int64) *connection {
	t.Helper()
	o, err := (&Cluster{URL: "redis://127.0.0.1:1", QueueSize: queueSize}).build()
	if err != nil {
		t.Fatal(err)
	}
	c := newConnection(o)
	t.Cleanup(func() { _ = c.client.Close() })
	return c
}

// Commands that are being executed stay; of the others the newest do.
func TestWhatWaitsForRedisIsBounded(t *testing.T) {
	c := lonely(t, 100_000)
	const body, total = 1000, 1000
	ends := make([]error, total)
	send := func(i int) {
		ends[i] = errAway
		c.sender.send(command{args: []any{"PUBLISH", "channel", strings.Repeat("x", body)}, done: func(_ any, err error) { ends[i] = err }})
		if c.sender.bytes > c.options.maxQueue() {
			t.Fatalf("%d bytes wait, %d may", c.sender.bytes, c.options.maxQueue())
		}
	}
	send(0)
	send(1)
	if n := len(c.sender.take()); n != 2 {
		t.Fatalf("took %d", n)
	}
	for i := range total - 2 {
		send(i + 2)
	}
	waiting := 2 + len(c.sender.queue)
	for i, err := range ends {
		want := errDropped
		if i < 2 || i >= total-(waiting-2) {
			want = errAway // waits still
		}
		if !errors.Is(err, want) {
			t.Fatalf("command %d of %d, of which %d wait: got %v, want %v", i, total, waiting, err, want)
		}
	}
	if waiting < 80 || dropped(t, c) != total-waiting {
		t.Errorf("%d wait, %d were dropped", waiting, dropped(t, c))
	}
	c.sender.abandon()
	if !errors.Is(ends[total-1], errEnded) || c.sender.bytes != 0 {
		t.Errorf("at the end: %v, %d bytes", ends[total-1], c.sender.bytes)
	}
}

// While Redis is away the queue takes about the memory that it may, and sending
// takes no longer than before, however short the messages are.
func TestAFullQueueIsCheap(t *testing.T) {
	c := lonely(t, defaultQueue)
	l := newLink(c, "/", nowhere{})
	defer func() {
		l.cancel()
		<-l.ended
	}()
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before, began := heap(), time.Now()
	for range 400_000 {
		l.Publish(event("x"))
	}
	took, grown := time.Since(began), heap()-before
	if dropped(t, c) < 300_000 {
		t.Fatalf("only %d were dropped", dropped(t, c))
	}
	t.Logf("%v, %d bytes of heap, %d may wait", took, grown, c.options.maxQueue())
	if took > patience || grown > defaultQueue*5/4 {
		t.Error("that is too much")
	}
	c.sender.abandon()
}

// A batch that cannot get through within the timeout never would.
func TestBatchesAreBoundedInBytes(t *testing.T) {
	c := lonely(t, defaultQueue)
	for _, size := range []int{400_000, 400_000, 400_000, 3_000_000, 400_000} {
		c.sender.send(command{args: []any{"PUBLISH", "channel", strings.Repeat("x", size)}})
	}
	for _, want := range []int{2, 1, 1, 0} {
		batch := c.sender.take()
		if len(batch) != want {
			t.Errorf("took %d, want %d", len(batch), want)
		}
		if len(batch) == 2 { // what comes again is first
			c.sender.settle(batch[1:], nil)
			if batch = c.sender.take(); len(batch) != 2 {
				t.Errorf("took %d again", len(batch))
			}
		}
		c.sender.settle(nil, nil)
	}
	for range 20 { // an outage
		c.sender.settle(nil, errAway)
	}
	for range 300 {
		c.sender.send(command{args: []any{"PUBLISH", "channel", strings.Repeat("x", 800)}})
	}
	var took []int
	for batch := c.sender.take(); len(batch) > 0; batch = c.sender.take() {
		took = append(took, len(batch))
		c.sender.settle(nil, nil)
	}
	if !slices.Equal(took, []int{15, 31, 63, 126, 65}) {
		t.Errorf("after an outage: took %v", took)
	}
	if c.sender.bytes != 0 {
		t.Errorf("%d bytes wait", c.sender.bytes)
	}
}

// A session is not taken out of Redis for somebody who waits no more.
func TestWhatNobodyWaitsForIsNotSent(t *testing.T) {
	s := startServer(t)
	a := join(t, "a", &Cluster{URL: "redis://" + s.address, Timeout: 60e9})
	gather(t, a)
	s.do("SET", "session", "kept")
	ctx, cancel := context.WithCancel(t.Context())
	together(t, s, a, func() {
		time.AfterFunc(0, cancel)
		if _, err := a.c.sender.do(ctx, "GETDEL", "session"); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	if _, err := a.c.sender.do(t.Context(), "PING"); err != nil {
		t.Error(err)
	}
	if got := s.do("GET", "session"); got != "kept" {
		t.Errorf("got %v", got)
	}
}

// Neither Redis nor what waits for it holds a stop up.
func TestAStopIsQuick(t *testing.T) {
	const quick = readBlock / 2
	s := startServer(t)
	best := time.Hour
	for range 3 {
		a := join(t, "a", &Cluster{URL: "redis://" + s.address})
		gather(t, a)
		began := time.Now()
		a.stop()
		best = min(best, time.Since(began))
	}
	if best > quick {
		t.Errorf("while the stream is read: %v", best)
	}
	c := lonely(t, defaultQueue)
	ended := make(chan error, 1)
	c.sender.send(command{args: []any{"PUBLISH", "channel", "x"}, done: func(_ any, err error) { ended <- err }})
	began := time.Now()
	if err := c.Destruct(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > quick || !errors.Is(<-ended, errEnded) {
		t.Errorf("never started: %v", took)
	}
}

// gate is a way to Redis that can be closed. It holds who would connect.
type gate struct{ open chan struct{} }

func (g *gate) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		select {
		case <-g.open:
			return next(ctx, network, address)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (*gate) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (*gate) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// Pub/sub keeps nothing for who has not subscribed again.
func TestWhatWaitedIsSentOnceTheOthersListenAgain(t *testing.T) {
	s := startServer(t)
	a, b := pair(t, &Cluster{URL: "redis://" + s.address, Adapter: adapterPubSub})
	a.counts(2)
	way := &gate{open: make(chan struct{})}
	b.c.client.AddHook(way)
	s.kill()
	eventually(t, "the node notices", a.c.away)
	sent := a.publish(0, 100)
	s.start("eady to accept connections")
	eventually(t, "a looks for b", func() bool {
		stats := fmt.Sprint(s.do("INFO", "commandstats"))
		if strings.Contains(stats, "cmdstat_publish:") {
			t.Fatal("a published before b was there")
		}
		return strings.Contains(stats, "cmdstat_pubsub")
	})
	close(way.open)
	b.hears(sent...)
	converse(t, a, b)
}

// Who does not come back is not waited for without end.
func TestWhoStaysAwayHoldsNobodyUp(t *testing.T) {
	s := startServer(t)
	a, b := pair(t, &Cluster{URL: "redis://" + s.address, Adapter: adapterPubSub})
	gone := join(t, "gone", &Cluster{URL: "redis://" + s.address, Adapter: adapterPubSub})
	gather(t, a, b, gone)
	a.counts(3)
	gone.c.client.AddHook(&gate{open: make(chan struct{})})
	s.kill()
	eventually(t, "the node notices", a.c.away)
	sent := a.publish(0, 100)
	s.start("eady to accept connections")
	b.hears(sent...)
	converse(t, a, b)
}

// counts waits until a node knows how many listen.
func (m *member) counts(nodes int) {
	m.t.Helper()
	eventually(m.t, m.name+" has counted", func() bool {
		m.c.audience.mu.Lock()
		defer m.c.audience.mu.Unlock()
		return m.c.audience.counts[m.l.format.(*classicFormat).requests] == nodes
	})
}

// What waited when Redis is back comes in order, and it is the newest.
func TestALongOutageCostsTheOldest(t *testing.T) {
	s := startServer(t)
	eachAdapter(t, Cluster{URL: "redis://" + s.address, QueueSize: 600_000}, func(t *testing.T, config *Cluster) {
		a, b := pair(t, config)
		a.publish(0, 1)
		b.hears("n0")
		if a.c.audience != nil {
			a.counts(2)
		}
		s.kill()
		eventually(t, "the node notices", a.c.away)
		pad := strings.Repeat("x", 1000)
		var sent []string
		for i := range 2000 {
			name := fmt.Sprint(i, pad)
			a.l.Publish(event(name))
			sent = append(sent, name)
		}
		lost := dropped(t, a.c)
		if lost < 1000 {
			t.Errorf("%d of %d were dropped", lost, len(sent))
		}
		s.start("eady to accept connections")
		heard := b.last(sent[len(sent)-1])
		if len(heard) < len(sent)-lost || len(heard) > len(sent)/2 { // other commands may have been dropped too
			t.Errorf("of %d, of which %d were dropped, %d came", len(sent), lost, len(heard))
		}
		inOrder := slices.IsSortedFunc(heard, func(x, y string) int { return slices.Index(sent, x) - slices.Index(sent, y) })
		if !inOrder || len(slices.Compact(heard)) != len(heard) {
			t.Error("they came in disorder, or twice")
		}
		// All but those that were on their way are the newest.
		if newest := max(0, len(heard)-maxBatch); !slices.Equal(heard[len(heard)-newest:], sent[len(sent)-newest:]) {
			t.Error("it was not the oldest that were dropped")
		}
		gather(t, a, b)
		converse(t, a, b)
	})
}
