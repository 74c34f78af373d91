package signaling

import "testing"

func hostRoom(t *testing.T) (w *world, a, b, c *socket, ids []string) {
	w = newWorld(t, func(o *Options) { o.Host.Mode = HostFirst })
	a, b, c = w.socket("a", ""), w.socket("b", ""), w.socket("c", "")
	for _, s := range []*socket{a, b, c} {
		ids = append(ids, s.join().Self.ID)
	}
	for _, s := range []*socket{a, b, c} {
		s.take()
	}
	return w, a, b, c, ids
}

func order(action, peer, more string) string {
	return `{"room":"r","action":"` + action + `","peer":"` + peer + `"` + more + `}`
}

func TestOnlyHostsModerate(t *testing.T) {
	_, _, b, _, ids := hostRoom(t)
	for _, action := range []string{"kick", "promote", "lock-room", "unlock-room", "close-room"} {
		b.fails("moderate", order(action, ids[2], ""), CodeForbidden)
	}
	// A member learns nothing about ids this way.
	b.fails("moderate", order("kick", "nobody", ""), CodeForbidden)
}

func TestKick(t *testing.T) {
	w, a, b, c, ids := hostRoom(t)
	token := b.join().Resume
	b.take()
	a.fails("moderate", order("kick", "nobody", ""), CodePeerUnavailable)
	a.do("moderate", order("kick", ids[1], ""))
	told := `moderation {"room":"r","action":"kick","by":"` + ids[0] + `","peer":"` + ids[1] + `"}`
	left := `peer-left {"room":"r","id":"` + ids[1] + `","reason":"kicked"}`
	a.got(`ack moderate {"ok":true}`, told, left)
	b.got(told, left)
	c.got(told, left)
	b.fails("message", `{"room":"r","data":1}`, CodeNotInRoom)
	a.do("message", `{"room":"r","data":1}`)
	b.got()
	if again := b.join(`,"resume":"` + token + `"`); again.Resumed || again.Self.ID == ids[1] {
		t.Fatalf("the token of a kicked peer resumed: %+v", again)
	}
	if st := w.stats(); st.Peers != 3 {
		t.Fatalf("got %+v", st)
	}
}

func TestMuteIsTold(t *testing.T) {
	_, a, b, c, ids := hostRoom(t)
	a.do("moderate", order("mute", ids[1], `,"value":{"audio": true}`))
	told := `moderation {"room":"r","action":"mute","by":"` + ids[0] + `","peer":"` + ids[1] + `","value":{"audio": true}}`
	b.got(told)
	c.got(told)
}

func TestPromote(t *testing.T) {
	_, a, b, c, ids := hostRoom(t)
	a.do("moderate", order("promote", ids[1], ""))
	c.got(`moderation {"room":"r","action":"promote","by":"` + ids[0] + `","peer":"` + ids[1] + `"}`)
	b.do("moderate", order("kick", ids[0], ""))
	c.take()
	if got := c.join(); got.Peers[0].Role != "host" || got.Count != 2 {
		t.Fatalf("got %+v", got)
	}
}

func TestLockedRoom(t *testing.T) {
	w, a, _, _, _ := hostRoom(t)
	a.do("moderate", order("lock-room", "", ""))
	late := w.socket("late", "")
	late.fails("join", `{"room":"r"}`, CodeRoomLocked)
	a.do("moderate", order("unlock-room", "", ""))
	late.join()
}

func TestAnEmptyLockedRoomEnds(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Host.Mode = HostFirst })
	a := w.socket("a", "")
	a.join()
	a.do("metadata", `{"room":"r","set":{"secret":1}}`)
	a.do("moderate", order("lock-room", "", ""))
	a.do("leave", `{"room":"r"}`)
	if got := a.join(); got.Locked || got.Revision != 0 {
		t.Fatalf("got %+v", got)
	}
}

func TestCloseRoom(t *testing.T) {
	w, a, b, c, ids := hostRoom(t)
	c.lose()
	a.take()
	b.take()
	a.do("moderate", order("close-room", "", ""))
	told := `moderation {"room":"r","action":"close-room","by":"` + ids[0] + `"}`
	a.got(`ack moderate {"ok":true}`, told, `peer-left {"room":"r","id":"`+ids[0]+`","reason":"closed"}`)
	b.got(told, `peer-left {"room":"r","id":"`+ids[1]+`","reason":"closed"}`)
	if st := w.stats(); st != (Stats{Sockets: 2}) {
		t.Fatalf("got %+v", st)
	}
	if got := b.join(); got.Count != 1 || got.Self.Role != "host" {
		t.Fatalf("got %+v", got)
	}
}

func TestTheNextOldestSucceeds(t *testing.T) {
	_, a, b, c, ids := hostRoom(t)
	if got := a.join(); got.Self.Role != "host" {
		t.Fatalf("got %+v", got.Self)
	}
	a.lose() // keeps its role while it is away
	b.got(`peer-away {"room":"r","id":"` + ids[0] + `"}`)
	b.fails("moderate", order("lock-room", "", ""), CodeForbidden)
	c.take()
	a2 := b.world.socket("a2", "")
	if got := a2.join(); got.Self.Role != "member" {
		t.Fatalf("got %+v", got.Self)
	}
	b.take()
}

func TestAHostThatLeavesIsSucceeded(t *testing.T) {
	_, a, b, c, ids := hostRoom(t)
	a.do("leave", `{"room":"r"}`)
	for _, s := range []*socket{b, c} {
		s.got(`peer-left {"room":"r","id":"`+ids[0]+`","reason":"left"}`,
			`moderation {"room":"r","action":"promote","by":null,"peer":"`+ids[1]+`"}`)
	}
	b.do("moderate", order("kick", ids[2], ""))
}

func TestClaimsMakeHosts(t *testing.T) {
	for name, tc := range map[string]struct {
		user *User
		want string
	}{
		"guest":          {nil, "member"},
		"no claims":      {&User{ID: "u"}, "member"},
		"text":           {&User{ID: "u", Claims: map[string]any{"role": "host"}}, "host"},
		"other text":     {&User{ID: "u", Claims: map[string]any{"role": "guest"}}, "member"},
		"list":           {&User{ID: "u", Claims: map[string]any{"role": []any{"x", "host"}}}, "host"},
		"typed list":     {&User{ID: "u", Claims: map[string]any{"role": []string{"host"}}}, "host"},
		"list without":   {&User{ID: "u", Claims: map[string]any{"role": []any{1.0}}}, "member"},
		"object":         {&User{ID: "u", Claims: map[string]any{"role": map[string]any{"host": true}}}, "member"},
		"role of Caddy":  {&User{ID: "u", Role: "host"}, "host"},
		"null hides not": {&User{ID: "u", Role: "host", Claims: map[string]any{"role": nil}}, "member"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(o *Options) { o.Host = HostRule{HostClaim, "role", "host"} })
			s := w.socket("s", "")
			s.user = tc.user
			if got := s.join().Self.Role; got != tc.want {
				t.Fatalf("got %s, want %s", got, tc.want)
			}
		})
	}
	h := HostRule{HostClaim, "admin", "true"}
	admin := func(value any) *User { return &User{ID: "u", Claims: map[string]any{"admin": value}} }
	if !h.claimed(admin(true)) || h.claimed(admin(false)) {
		t.Error("a boolean claim is compared as its text")
	}
}

func TestARenewedIdentityCountsAtOnce(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Host = HostRule{HostClaim, "role", "host"} })
	s := w.socket("s", "u")
	s.user.Claims = map[string]any{"role": "host"}
	s.join()
	s.do("moderate", order("lock-room", "", ""))
	s.user = &User{ID: "u"}
	s.fails("moderate", order("unlock-room", "", ""), CodeForbidden)
}

func TestRolesAreThoseOfNow(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Host = HostRule{HostClaim, "role", "host"} })
	host := &User{ID: "u", Claims: map[string]any{"role": "host"}}
	s, other := w.socket("s", "u"), w.socket("other", "")
	token := s.join().Resume
	other.join()
	s.user = host
	s.do("state", `{"room":"r","state":{}}`)
	if got := decode[joined](t, other.do("peers", `{"room":"r"}`)).Peers[0].Role; got != "host" {
		t.Fatalf("a renewed token made %s", got)
	}
	s.lose()
	back := w.socket("back", "u")
	if got := back.join(`,"resume":"` + token + `"`); !got.Resumed || got.Self.Role != "member" {
		t.Fatalf("got %+v", got)
	}
	if got := other.join().Peers[0].Role; got != "member" {
		t.Fatalf("a resume without the claim made %s", got)
	}
	back.fails("moderate", order("lock-room", "", ""), CodeForbidden)
}

func TestTheHostRuleAppliesAtOnce(t *testing.T) {
	w, a, b, _, ids := hostRoom(t)
	a.do("moderate", order("promote", ids[1], ""))
	for _, rule := range []HostRule{{Mode: HostNone}, {Mode: ""}, {HostClaim, "role", "host"}} {
		w.set(func(o *Options) { o.Host = rule })
		for _, s := range []*socket{a, b} {
			s.fails("moderate", order("lock-room", "", ""), CodeForbidden)
			if got := s.join(); got.Self.Role != "member" || got.Peers[0].Role != "member" {
				t.Fatalf("with %+v: got %+v", rule, got)
			}
		}
	}
	w.set(func(o *Options) { o.Host = HostRule{Mode: HostFirst} })
	b.do("moderate", order("lock-room", "", ""))
}

func TestHostsByClaimDoNotStandInTheWayOfTheFirst(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Host = HostRule{HostClaim, "role", "host"} })
	a, b, c := w.socket("a", "u"), w.socket("b", ""), w.socket("c", "")
	a.user.Claims = map[string]any{"role": "host"}
	a.join()
	b.join()
	w.set(func(o *Options) { o.Host = HostRule{Mode: HostFirst} })
	c.join()
	a.do("moderate", order("lock-room", "", ""))
	b.fails("moderate", order("lock-room", "", ""), CodeForbidden)
}

func TestHostsByAgeAfterAReload(t *testing.T) {
	w := newWorld(t, nil)
	a, b := w.socket("a", ""), w.socket("b", "")
	if got := a.join().Self.Role; got != "member" {
		t.Fatalf("got %s", got)
	}
	a.take()
	w.set(func(o *Options) { o.Host.Mode = HostFirst })
	if got := b.join(); got.Self.Role != "member" || got.Peers[0].Role != "host" {
		t.Fatalf("got %+v", got)
	}
	if got := a.names(); got != "moderation, peer-joined" {
		t.Fatalf("got %s", got)
	}
}
