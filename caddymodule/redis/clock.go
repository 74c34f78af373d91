package redis

import "time"

// clockSamples is how many beats tell the time: those of some seconds, in which
// no two clocks drift apart.
const clockSamples = 16

// clock tells the time of the cluster, which is Redis's: by the quickest of the last
// answers, and by what has passed here since, whoever sets this machine's clock.
// The zero value tells this node's own time. It is not safe for concurrent use.
type clock struct{ samples []sample }

// sample is an answer of Redis: it was told the time somewhen between two moments
// of this node.
type sample struct {
	began time.Time
	rtt   time.Duration
	told  time.Time
}

// at is the time of the cluster at a moment of this node.
func (s *sample) at(now time.Time) time.Time { return s.told.Add(now.Sub(s.began) - s.rtt/2) }

// learn takes in what Redis has told. If that cannot be true together with what it
// told before, it is another Redis, or its clock was set.
func (c *clock) learn(began, now, told time.Time) {
	next := sample{began, now.Sub(began), told}
	if best := c.best(); best != nil {
		const drift = time.Millisecond
		if off := next.at(now).Sub(best.at(now)).Abs(); off > (next.rtt+best.rtt)/2+drift {
			c.samples = nil
		}
	}
	if c.samples = append(c.samples, next); len(c.samples) > clockSamples {
		c.samples = c.samples[1:]
	}
}

// best is nil if there is none.
func (c *clock) best() (best *sample) {
	for i := range c.samples {
		if one := &c.samples[i]; best == nil || one.rtt <= best.rtt {
			best = one
		}
	}
	return best
}

func (c *clock) now() time.Time {
	now := time.Now()
	if best := c.best(); best != nil {
		return best.at(now)
	}
	return now
}
