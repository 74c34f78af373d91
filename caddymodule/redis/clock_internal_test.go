package redis

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestTimesAreTheClusters: nodes whose clocks are hours apart agree on the time, and
// on versions, since both are Redis's.
func TestTimesAreTheClusters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, skew := range []time.Duration{0, 3 * time.Hour, -3 * time.Hour} {
			p := newPulse(nil, "nodes", func(string, error) {})
			clock := time.Now().Add(skew) // as Redis tells it
			p.learn(time.Now(), time.Now(), map[string]string{"other": "1"}, clock)
			if got := p.now(); !got.Equal(clock) {
				t.Errorf("%v apart: got %v, want %v", skew, got, clock)
			}
			// A later beat over a slow way does not spoil it.
			began := time.Now()
			time.Sleep(time.Second)
			p.learn(began, time.Now(), map[string]string{"other": "2"}, clock.Add(time.Second))
			if got := p.now(); !got.Equal(clock.Add(time.Second)) {
				t.Errorf("%v apart, later: got %v, want %v", skew, got, clock.Add(time.Second))
			}
			// Nor is a node gone because of the difference.
			if p.isGone("other") {
				t.Errorf("%v apart: the other node is gone", skew)
			}
		}
	})
}
