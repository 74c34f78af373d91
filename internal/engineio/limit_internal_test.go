package engineio

import (
	"net/http"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-socketio/caddy-socketio/internal/incidents"
)

func TestLimits(t *testing.T) {
	handshake := "EIO=4&transport=polling"
	ip := func(st *site, s string) {
		st.client = func(*http.Request) Client { return Client{IP: netip.MustParseAddr(s)} }
	}
	t.Run("connections", func(t *testing.T) {
		s := settings()
		s.Limits.Connections = 2
		st := newSite(t, s)
		query, r := st.open()
		st.open()
		if a := st.get(handshake); a.status != 429 || a.header.Get("Retry-After") == "" {
			t.Fatalf("%+v", a)
		}
		if _, res := st.tryWebSocket("EIO=4&transport=websocket"); res.status != 429 {
			t.Fatal(res.status)
		}
		if a := st.do("POST", query, "1"); a.status != 200 {
			t.Fatalf("%+v", a)
		}
		receive(t, r.closed)
		st.open()
	})
	t.Run("per address", func(t *testing.T) {
		s := settings()
		s.Limits.ConnectionsPerIP = 1
		s.Limits.Exempt = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		st := newSite(t, s)
		for _, c := range []struct {
			ip     string
			status int
		}{
			{"192.0.2.1", 200}, {"192.0.2.1", 429}, {"::ffff:192.0.2.1", 429}, {"192.0.2.2", 200},
			{"2001:db8::1", 200}, {"2001:db8::2", 429}, {"2001:db8:0:1::1", 200},
			{"10.0.0.1", 200}, {"10.0.0.1", 200},
		} {
			ip(st, c.ip)
			if a := st.get(handshake); a.status != c.status {
				t.Fatalf("%s: %+v", c.ip, a)
			}
		}
	})
	t.Run("rate", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := settings()
			s.Limits.HandshakeRate, s.Limits.HandshakeBurst = 0.5, 2
			st := newPipeSite(t, s)
			st.open()
			st.open()
			if a := st.get(handshake); a.status != 429 || a.header.Get("Retry-After") != "2" {
				t.Fatalf("%+v", a)
			}
			time.Sleep(2 * time.Second)
			st.open()
			if got := st.srv.Stats().Refusals["handshakes_per_ip"]; got != 1 {
				t.Fatal(got)
			}
		})
	})
	t.Run("addresses are forgotten", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var l limiter
			limits := &Limits{HandshakeRate: 1, HandshakeBurst: 5}
			for i := range 1000 {
				addr := netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)})
				l.acquire(limits, addr)
				l.release(&Session{client: Client{IP: addr}, fresh: true})
			}
			time.Sleep(sweepEvery)
			l.acquire(limits, netip.MustParseAddr("192.0.2.1"))
			if len(l.ips) != 1 {
				t.Fatalf("%d addresses kept", len(l.ips))
			}
		})
	})
}

func TestUnauthenticatedSessionsAreBounded(t *testing.T) {
	s := settings()
	s.Limits.Unauthenticated, s.Limits.UnauthenticatedPerIP = 3, 2
	s.Limits.Exempt = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	st := newSite(t, s)
	_, first := st.open()
	st.open()
	refused := func(reason string) {
		t.Helper()
		before := st.srv.Stats().Refusals[reason]
		if a := st.get("EIO=4&transport=polling"); a.status != 429 || a.header.Get("Retry-After") != "1" {
			t.Fatalf("%+v", a)
		}
		if st.srv.Stats().Refusals[reason] != before+1 || st.srv.incidents().Counts()[incidents.Limit(reason)] != before+1 {
			t.Fatalf("not counted as %s", reason)
		}
	}
	refused("unauthenticated_per_ip")
	// Who has entered makes room for another, and only for one.
	first.session.Entered()
	first.session.Entered()
	query, third := st.open()
	refused("unauthenticated_per_ip")
	// So does who has gone.
	if a := st.do("POST", query, "1"); a.status != 200 {
		t.Fatalf("%+v", a)
	}
	receive(t, third.closed)
	st.open()
	// The bound of all holds for the exempt as well.
	st.client = func(*http.Request) Client { return Client{IP: netip.MustParseAddr("10.0.0.1")} }
	st.open()
	refused("unauthenticated")
}
