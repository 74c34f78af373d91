package engineio

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-socketio/caddy-socketio/internal/incidents"
)

// overfill sends to the client of the session opened next until its buffer is full.
func (st *site) overfill() {
	r := st.next()
	for r.session.Send(Text(bytes.Repeat([]byte("x"), 100))) {
	}
	r.wantClosed(st.t, reasonError)
}

// TestEachLimitIsCountedAndLogged under its name, with whose it is.
func TestEachLimitIsCountedAndLogged(t *testing.T) {
	refused := func(t *testing.T, st *site) {
		st.open()
		if a := st.get(handshakeQuery); a.status != http.StatusTooManyRequests {
			t.Fatalf("%+v", a)
		}
	}
	for name, c := range map[string]struct {
		limit     incidents.Limit
		transport string
		set       func(*Settings)
		reach     func(*testing.T, *site)
	}{
		"connections":            {incidents.Connections, "polling", func(s *Settings) { s.Limits.Connections = 1 }, refused},
		"connections_per_ip":     {incidents.ConnectionsPerIP, "polling", func(s *Settings) { s.Limits.ConnectionsPerIP = 1 }, refused},
		"unauthenticated":        {incidents.Unauthenticated, "polling", func(s *Settings) { s.Limits.Unauthenticated = 1 }, refused},
		"unauthenticated_per_ip": {incidents.UnauthenticatedPerIP, "polling", func(s *Settings) { s.Limits.UnauthenticatedPerIP = 1 }, refused},
		"handshakes_per_ip": {incidents.HandshakesPerIP, "polling", func(s *Settings) {
			s.Limits.HandshakeRate, s.Limits.HandshakeBurst = 1e-3, 1
		}, refused},
		"max_payload of a POST": {incidents.MaxPayload, "polling", func(s *Settings) { s.MaxPayload = 1000 }, func(t *testing.T, st *site) {
			query, _ := st.open()
			if a := st.do("POST", query, "4"+strings.Repeat("x", 1000)); a.status != http.StatusRequestEntityTooLarge {
				t.Fatalf("%+v", a)
			}
			time.Sleep(time.Second) // net/http lingers after such an answer
		}},
		"max_payload of a frame": {incidents.MaxPayload, "websocket", func(s *Settings) { s.MaxPayload = 1000 }, func(_ *testing.T, st *site) {
			c := st.websocket("EIO=4&transport=websocket")
			c.wantOpen()
			c.text("4" + strings.Repeat("x", 1000))
			c.wantClose(1009, "")
		}},
		"max_payload of what is unpacked": {incidents.MaxPayload, "websocket", func(s *Settings) {
			s.MaxPayload, s.PerMessageDeflate = 1000, 1
		}, func(_ *testing.T, st *site) {
			c := st.websocket("EIO=4&transport=websocket", deflateOffer)
			c.wantOpen()
			c.frame(compressed("4" + strings.Repeat("x", 1000)))
			c.wantClose(1009, "")
		}},
		"send_buffer of polls": {incidents.SendBuffer, "polling", func(s *Settings) { s.Limits.SendBuffer = 1000 }, func(t *testing.T, st *site) {
			if a := st.get(handshakeQuery); a.status != http.StatusOK {
				t.Fatalf("%+v", a)
			}
			st.overfill()
		}},
		"send_buffer of a websocket": {incidents.SendBuffer, "websocket", func(s *Settings) { s.Limits.SendBuffer = 1000 }, func(_ *testing.T, st *site) {
			c := st.websocket("EIO=4&transport=websocket")
			c.wantOpen()
			st.overfill()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				logs, observed := observer.New(zap.DebugLevel)
				s := settings()
				s.Logger = zap.New(logs)
				c.set(s)
				st := newPipeSite(t, s)
				c.reach(t, st)
				for limit, n := range st.srv.incidents().Counts() {
					if want := map[bool]uint64{true: 1}[limit == c.limit]; n != want {
						t.Errorf("%s is counted %d times, want %d", limit, n, want)
					}
				}
				lines := observed.FilterMessage("limit reached").All()
				if len(lines) != 1 {
					t.Fatalf("%d lines", len(lines))
				}
				got := lines[0].ContextMap()
				if got["limit"] != string(c.limit) || got["transport"] != c.transport || got["remote_ip"] != "192.0.2.1" {
					t.Errorf("logged %v", got)
				}
			})
		})
	}
}
