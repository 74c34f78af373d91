package socketio

import (
	"time"

	"golang.org/x/time/rate"

	"github.com/caddy-socketio/caddy-socketio/internal/incidents"
)

// abuseAfter is how long a client may keep sending over its rate, and abuseGap
// the pause after which it counts anew.
const (
	abuseAfter = 10 * time.Second
	abuseGap   = 2 * time.Second
)

// Packets that are no events have a rate for each session: a client enters all
// the namespaces it may at once, and then seldom any.
const (
	controlRate  = 10
	controlBurst = 128
)

type verdict int

const (
	rateOK verdict = iota
	rateOver
	rateAbuse
)

// meter measures what a client sends, by two token buckets that take a third of
// the memory of rate.Limiter, since each socket has one. Owned by one goroutine at
// a time.
type meter struct {
	events, bytes float64 // tokens taken and not refilled yet
	last          time.Time
	excess        *excess // nil until something is refused
}

// excess is when a client began to be over its rate, and the last time that
// something was refused.
type excess struct{ began, last time.Time }

// event takes an event, or says which limit it is over.
func (m *meter) event(now time.Time, s *Settings, size int) (incidents.Limit, verdict) {
	m.refill(now, s.EventRate, s.ByteRate)
	limit := incidents.Limit("")
	switch {
	case s.EventRate > 0 && m.events+1 > float64(s.EventBurst):
		limit = incidents.EventsPerSocket
	// An event larger than the whole burst could never be sent if it had to fit:
	// one passes while there is room for a byte, and those after it wait longer.
	case s.ByteRate > 0 && m.bytes >= float64(s.ByteBurst):
		limit = incidents.BytesPerSocket
	default:
		m.events++
		m.bytes += float64(size)
		return "", rateOK
	}
	return limit, m.refuse(now)
}

// answer takes an ack that the server has asked for: it always passes, but its
// bytes count.
func (m *meter) answer(size int) { m.bytes += float64(size) }

// control takes a packet that is no event.
func (m *meter) control(now time.Time) verdict {
	m.refill(now, controlRate, 0)
	if m.events+1 > controlBurst {
		return m.refuse(now)
	}
	m.events++
	return rateOK
}

func (m *meter) refill(now time.Time, events, bytes rate.Limit) {
	passed := now.Sub(m.last).Seconds()
	m.events = max(0, m.events-passed*float64(events))
	m.bytes = max(0, m.bytes-passed*float64(bytes))
	m.last = now
}

// refuse tells a client that is over its rate from one that stays over it.
func (m *meter) refuse(now time.Time) verdict {
	if m.excess == nil || now.Sub(m.excess.last) > abuseGap {
		m.excess = &excess{began: now}
	}
	m.excess.last = now
	if now.Sub(m.excess.began) >= abuseAfter {
		return rateAbuse
	}
	return rateOver
}
