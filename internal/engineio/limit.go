package engineio

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// sweepEvery is how often addresses without sessions are forgotten.
const sweepEvery = time.Minute

// limiter counts sessions and handshakes by address. It may be used concurrently.
// Only handshakes and ends of sessions come here, never a packet, so one lock for
// all addresses is enough.
type limiter struct {
	mu    sync.Mutex
	total int
	fresh int // of the total, those that have entered no namespace
	ips   map[netip.Addr]*usage
	swept time.Time
}

// usage is what one address, or one /64 of IPv6, uses.
type usage struct {
	sessions int
	fresh    int
	bucket   *rate.Limiter // nil without a rate
}

// limitKey is the address that limits apply to. An IPv6 customer has a whole /64,
// whose addresses would otherwise each count as one.
func limitKey(ip netip.Addr) netip.Addr {
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		p, _ := ip.Prefix(64) // the length is valid
		return p.Addr()
	}
	return ip
}

// acquire takes a session's place, or says what refuses it and when to come back.
func (l *limiter) acquire(limits *Limits, ip netip.Addr) (*refusal, time.Duration) {
	// Who is about to enter a namespace has done so in a moment.
	const later, soon = 5 * time.Second, time.Second
	// A mapped IPv4 address is the same client as the plain one, for the exempt
	// as for the counts.
	exempt := slices.ContainsFunc(limits.Exempt, func(p netip.Prefix) bool { return p.Contains(ip.Unmap()) })
	l.mu.Lock()
	defer l.mu.Unlock()
	u := l.usage(limitKey(ip))
	// The token is taken even if a count refuses the handshake, so that a client
	// that keeps trying is slowed down too.
	if wait := u.take(limits); !exempt && wait > 0 {
		return errRate, wait
	}
	switch {
	case limits.Connections > 0 && l.total >= limits.Connections:
		return errFull, later
	case !exempt && limits.ConnectionsPerIP > 0 && u.sessions >= limits.ConnectionsPerIP:
		return errFullIP, later
	case limits.Unauthenticated > 0 && l.fresh >= limits.Unauthenticated:
		return errFresh, soon
	case !exempt && limits.UnauthenticatedPerIP > 0 && u.fresh >= limits.UnauthenticatedPerIP:
		return errFreshIP, soon
	}
	l.total++
	l.fresh++
	u.sessions++
	u.fresh++
	return nil, 0
}

// usage must be called with mu held.
func (l *limiter) usage(ip netip.Addr) *usage {
	now := time.Now()
	if l.ips == nil {
		l.ips, l.swept = map[netip.Addr]*usage{}, now
	}
	// Swept on the way, without a goroutine: an attacker with many addresses
	// makes the sweeps it is paid for.
	if now.Sub(l.swept) >= sweepEvery {
		l.swept = now
		for k, u := range l.ips {
			if u.idle() {
				delete(l.ips, k)
			}
		}
	}
	u := l.ips[ip]
	if u == nil {
		u = &usage{}
		l.ips[ip] = u
	}
	return u
}

// take counts a handshake, and returns how long it would have to wait: that much
// the client is told in Retry-After.
func (u *usage) take(limits *Limits) time.Duration {
	if limits.HandshakeRate <= 0 {
		u.bucket = nil
		return 0
	}
	// A reload may have changed the rate; the new bucket starts full.
	if u.bucket == nil || u.bucket.Limit() != limits.HandshakeRate || u.bucket.Burst() != limits.HandshakeBurst {
		u.bucket = rate.NewLimiter(limits.HandshakeRate, max(1, limits.HandshakeBurst))
	}
	if u.bucket.Allow() {
		return 0
	}
	missing := 1 - u.bucket.Tokens()
	return time.Duration(missing / float64(limits.HandshakeRate) * float64(time.Second))
}

// idle reports whether forgetting the address changes nothing.
func (u *usage) idle() bool {
	return u.sessions == 0 && (u.bucket == nil || u.bucket.Tokens() >= float64(u.bucket.Burst()))
}

// entered takes a session off those that have entered no namespace.
func (l *limiter) entered(s *Session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.age(s)
}

// unauthenticated is how many sessions have entered no namespace.
func (l *limiter) unauthenticated() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fresh
}

// age must be called with mu held.
func (l *limiter) age(s *Session) {
	if !s.fresh {
		return
	}
	s.fresh = false
	l.fresh--
	if u := l.ips[limitKey(s.client.IP)]; u != nil {
		u.fresh--
	}
}

// release gives a session's place back.
func (l *limiter) release(s *Session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.age(s)
	l.total--
	if u := l.ips[limitKey(s.client.IP)]; u != nil {
		u.sessions--
	}
}
