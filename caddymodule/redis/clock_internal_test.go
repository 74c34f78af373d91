package redis

import (
	"context"
	"fmt"
	"sync/atomic"
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

// TestTheTimeIsKeptOverSlowWays: far from Redis as well, the first answer is not the
// last word, and a node follows a Redis whose clock is set.
func TestTheTimeIsKeptOverSlowWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var skew, back atomic.Int64 // of Redis's clock; what an answer takes on its way
		skew.Store(int64(3 * time.Hour))
		back.Store(int64(400 * time.Millisecond))
		redisNow := func() time.Time { return time.Now().Add(time.Duration(skew.Load())) }
		client := fakeRedis(t, func(args []string) string {
			switch args[0] {
			case "hgetall":
				return "*0\r\n"
			case "time":
				now := redisNow()
				time.Sleep(time.Duration(back.Load()))
				return "*2\r\n" + bulk(fmt.Sprint(now.Unix())) + bulk(fmt.Sprint(now.Nanosecond()/1000))
			}
			return ":1\r\n"
		})
		p := newPulse(client, "nodes", func(command string, err error) { t.Errorf("%s: %v", command, err) })
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go p.run(ctx)
		within := func(when string, most time.Duration) {
			t.Helper()
			if off := p.now().Sub(redisNow()).Abs(); off > most {
				t.Errorf("%s: it is %v wrong", when, off)
			}
		}
		time.Sleep(beatEvery - time.Millisecond)
		within("after a slow answer", 200*time.Millisecond)
		back.Store(int64(50 * time.Millisecond))
		time.Sleep(2 * beatEvery)
		within("after a quicker one", 25*time.Millisecond)
		back.Store(int64(400 * time.Millisecond))
		time.Sleep(2 * beatEvery)
		within("after another slow one", 25*time.Millisecond)
		skew.Store(int64(-2 * time.Hour))
		time.Sleep(2 * beatEvery)
		within("after Redis's clock was set", 200*time.Millisecond)
		back.Store(int64(50 * time.Millisecond))
		// A clock that is slower than Redis's, by more than any is.
		for range 100 {
			time.Sleep(beatEvery)
			skew.Add(int64(time.Millisecond / 2))
		}
		within("after a while", 35*time.Millisecond)
		cancel()
		synctest.Wait()
		time.Sleep(time.Second)
	})
}
