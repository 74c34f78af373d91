package soak

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/load"
)

// tally is what well-behaved clients have seen. It may be used concurrently.
type tally struct {
	clients, visits                  atomic.Int64
	sent, delivered                  atomic.Int64
	lost, unanswered, doubled, wrong atomic.Int64
	dropped, refused, retries        atomic.Int64

	mu        sync.Mutex
	latencies map[string][]time.Duration // by the way of connecting
	problems  []string                   // the first few, in words
}

func newTally() *tally { return &tally{latencies: map[string][]time.Duration{}} }

func (t *tally) latency(how string, d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.latencies[how] = append(t.latencies[how], d)
}

// problem keeps the words for some of what has gone wrong.
func (t *tally) problem(err error) {
	const most = 10
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.problems) < most {
		t.problems = append(t.problems, err.Error())
	}
}

// percentiles are in milliseconds.
func (t *tally) percentiles() map[string]Latency {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := map[string]Latency{}
	for how, all := range t.latencies {
		slices.Sort(all)
		ms := func(p float64) float64 { return float64(load.Percentile(all, p).Microseconds()) / 1000 }
		out[how] = Latency{Acks: len(all), P50: ms(50), P99: ms(99), Worst: ms(100)}
	}
	return out
}

// counts counts by name. It may be used concurrently; the zero value is ready.
type counts struct {
	mu sync.Mutex
	by map[string]int64
}

func (c *counts) add(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by == nil {
		c.by = map[string]int64{}
	}
	c.by[name]++
}
