package signaling

import (
	"testing"
	"testing/synctest"
	"time"
)

// renew gives the socket an identity with these claims.
func (s *socket) renew(claims map[string]any) {
	s.mu.Lock()
	s.user = &User{ID: s.user.ID, Claims: claims}
	s.mu.Unlock()
	s.client.service.Renewed(s.id)
	s.world.settle()
}

var hostClaims = map[string]any{"role": "host"}

// claimRoom is a room in which claims make hosts, with one who has none, and others.
func claimRoom(t *testing.T) (w *world, s *socket, others []*socket, told string) {
	w = newWorld(t, func(o *Options) { o.Host = HostRule{HostClaim, "role", "host"} })
	s, others = w.socket("s", "u"), []*socket{w.socket("other", "v"), w.socket("third", "")}
	told = `moderation {"room":"r","action":"promote","by":null,"peer":"` + s.join().Self.ID + `"}`
	for _, o := range others {
		o.join()
	}
	for _, o := range append(others, s) {
		o.take()
	}
	return w, s, others, told
}

func TestARoleByARenewedTokenIsTold(t *testing.T) {
	w, s, others, told := claimRoom(t)
	outside := w.socket("outside", "x")
	for range 2 { // it may come and go
		s.renew(hostClaims)
		s.renew(hostClaims)
		for _, o := range append(others, s) {
			o.got(told)
		}
		if got := others[0].join().Peers[0].Role; got != "host" {
			t.Fatalf("got %s", got)
		}
		s.renew(nil)
		if got := others[0].join().Peers[0].Role; got != "member" {
			t.Fatalf("got %s", got)
		}
		others[0].take()
	}
	outside.renew(hostClaims)
	if got := outside.join().Self.Role; got != "host" {
		t.Fatalf("got %s", got)
	}
	if got := s.names(); got != "peer-joined" { // which says it
		t.Fatalf("got %s", got)
	}
}

func TestARenewalTellsNothingThatIsKnown(t *testing.T) {
	_, s, others, _ := claimRoom(t)
	s.renew(hostClaims)
	id := s.join().Peers[0].ID
	s.do("moderate", order("promote", id, ""))
	s.take()
	others[0].take()
	others[0].renew(hostClaims)
	others[0].got()
	s.got()
}

func TestARoleByAResumeIsTold(t *testing.T) {
	w, s, others, told := claimRoom(t)
	before := s.join()
	s.lose()
	back := w.socket("back", "u")
	back.user.Claims = hostClaims
	if got := back.join(`,"resume":"` + before.Resume + `"`); !got.Resumed || got.Self.Role != "host" {
		t.Fatalf("got %+v", got)
	}
	if got := back.names(); got != "ack join" {
		t.Fatalf("got %s", got)
	}
	about := `{"room":"r","id":"` + before.Self.ID + `"}`
	for _, o := range others {
		o.got("peer-away "+about, told, "peer-back "+about)
	}
}

func TestARoleByANewRuleIsTold(t *testing.T) {
	for name, tc := range map[string]struct {
		rule HostRule
		told bool
	}{
		"another value": {HostRule{HostClaim, "role", "chair"}, true},
		"another claim": {HostRule{HostClaim, "job", "host"}, true},
		"age":           {HostRule{Mode: HostFirst}, true},
		"nobody":        {HostRule{Mode: HostNone}, false},
		"the same":      {HostRule{HostClaim, "role", "host"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, s, others, told := claimRoom(t)
				s.renew(map[string]any{"role": "chair", "job": "host"})
				w.set(func(o *Options) { o.Host = tc.rule })
				time.Sleep(time.Second) // in a cluster nodes look after their rooms in time
				synctest.Wait()
				var want []string
				if tc.told {
					want = []string{told}
				}
				for _, o := range append(others, s) {
					o.got(want...)
				}
			})
		})
	}
}

// What cannot be written is told once it can be.
func TestARoleByARenewedTokenIsToldOnceTheClusterIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clustered = 2
		defer func() { clustered = 0 }()
		w, s, others, told := claimRoom(t)
		w.bus.set(func() { w.bus.down = true })
		s.renew(hostClaims)
		w.bus.set(func() { w.bus.down = false })
		time.Sleep(time.Second)
		synctest.Wait()
		for _, o := range append(others, s) {
			o.got(told)
		}
	})
}
