package redis

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
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

// Commands that are being executed stay; of the others the newest do.
func TestWhatWaitsForRedisIsBounded(t *testing.T) {
	o, err := (&Cluster{URL: "redis://127.0.0.1:1", QueueSize: 100_000}).build()
	if err != nil {
		t.Fatal(err)
	}
	c := newConnection(o)
	t.Cleanup(func() { _ = c.client.Close() })
	const body, total = 1000, 1000
	ends := make([]error, total)
	send := func(i int) {
		ends[i] = errAway
		c.sender.send(command{args: []any{"PUBLISH", "channel", strings.Repeat("x", body)}, done: func(_ any, err error) { ends[i] = err }})
		if c.sender.bytes > o.maxQueue() {
			t.Fatalf("%d bytes wait, %d may", c.sender.bytes, o.maxQueue())
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
	waiting := len(c.sender.queue)
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

// What waited when Redis is back comes in order, and it is the newest.
func TestALongOutageCostsTheOldest(t *testing.T) {
	s := startServer(t)
	eachAdapter(t, Cluster{URL: "redis://" + s.address, QueueSize: 600_000}, func(t *testing.T, config *Cluster) {
		a, b := pair(t, config)
		a.publish(0, 1)
		b.hears("n0")
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
