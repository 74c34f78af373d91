package signaling

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestICEServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(o *Options) {
			o.ICE = []ICEServer{{URLs: []string{"stun:s:3478"}}, {URLs: []string{"turn:t:1"}, Username: "u", Credential: `p"`}}
			o.TURN = []TURNServer{
				{URLs: []string{"turn:a:1", "turns:a:2"}, Secret: "one", TTL: time.Hour},
				{URLs: []string{"turn:b:1"}, Secret: "two", TTL: time.Minute},
			}
		})
		a, guest := w.socket("a", "ann"), w.socket("g", "")
		got := a.join()
		if len(got.Servers) != 4 || !slices.Equal(got.Servers[2].URLs, []string{"turn:a:1", "turns:a:2"}) ||
			got.Servers[0].Username != "" || got.Servers[1].Credential != `p"` {
			t.Fatalf("got %+v", got.Servers)
		}
		for i, secret := range map[int]string{2: "one", 3: "two"} {
			s := got.Servers[i]
			mac := hmac.New(sha1.New, []byte(secret))
			mac.Write([]byte(s.Username))
			if s.Credential != base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
				t.Errorf("credential %s for %s", s.Credential, s.Username)
			}
		}
		soon := time.Now().Add(time.Minute)
		if want := fmt.Sprintf("%d:ann", soon.Unix()); got.Servers[3].Username != want || got.Expires != soon.Unix()*1000 {
			t.Fatalf("got %s and %d, want %s", got.Servers[3].Username, got.Expires, want)
		}
		if g := guest.join(); !strings.HasSuffix(g.Servers[3].Username, ":"+g.Self.ID) {
			t.Fatalf("got %s", g.Servers[3].Username)
		}
		time.Sleep(50 * time.Second)
		if again := decode[joined](t, a.do("ice-servers", `{"room":"r"}`)); again.Expires != got.Expires+50_000 {
			t.Fatalf("got %d after %d", again.Expires, got.Expires)
		}
	})
}

func TestWithoutTURNNothingExpires(t *testing.T) {
	w := newWorld(t, nil)
	a := w.socket("a", "")
	a.join()
	if got := a.do("ice-servers", `{"room":"r"}`); got != `{"ok":true,"iceServers":[]}` {
		t.Fatalf("got %s", got)
	}
}

func TestALongUserIDDoesNotBreakTURN(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.TURN = []TURNServer{{URLs: []string{"turn:a"}, Secret: "s", TTL: time.Hour}} })
	if got := w.socket("a", strings.Repeat("x", 600)).join().Servers[0].Username; len(got) > 508 {
		t.Fatalf("a username of %d bytes", len(got))
	}
}
