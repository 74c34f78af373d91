package redis

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// Links of one namespace and connection are those of two servers in this process.
func TestTwoServersOfOneConnectionAreTwoNodes(t *testing.T) {
	s := startServer(t)
	for _, adapter := range []string{adapterStreams, adapterPubSub} {
		t.Run(adapter, func(t *testing.T) {
			config := &Cluster{URL: "redis://" + s.address, Adapter: adapter, Prefix: adapter}
			a, far := pair(t, config)
			b := &member{t: t, name: "b", c: a.c, more: make(chan struct{}, 1)}
			enter := func(ns string) *link {
				if _, err := acquire(a.c.options); err != nil { // for the link's Close to give back
					t.Fatal(err)
				}
				return newLink(a.c, ns, b)
			}
			b.l = enter("/")
			gather(t, a, b, far)
			other, third := enter("/other"), enter("/other")
			if b.l.state.Node() == a.l.state.Node() || third.state.Node() == other.state.Node() {
				t.Fatal("two servers are one node")
			}
			if other.state.Node() != a.l.state.Node() || third.state.Node() != b.l.state.Node() {
				t.Error("there are more nodes than servers")
			}
			gone := make(chan string, 2)
			defer far.l.State().Watch(gateway.Watcher{Gone: func(node string) { gone <- node }})()
			share(t.Context(), t, a, b)
			share(t.Context(), t, b, a)

			// Writes of the same number do not pass for each other's.
			if _, err := a.l.State().Swap(t.Context(), "k", write(0, "a")); err != nil {
				t.Fatal(err)
			}
			if _, err := b.l.State().Swap(t.Context(), "k", write(0, "b")); !errors.Is(err, gateway.ErrConflict) {
				t.Fatalf("got %v", err)
			}
			eventually(t, "the other node knows both", func() bool {
				far.c.pulse.mu.Lock()
				defer far.c.pulse.mu.Unlock()
				return far.c.pulse.nodes[a.l.state.Node()] != nil && far.c.pulse.nodes[b.l.state.Node()] != nil
			})
			for _, l := range []*link{b.l, third} {
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if got := <-gone; got != third.state.Node() {
				t.Errorf("%s is gone", got)
			}
			again := enter("/other")
			if err := other.Close(); err != nil {
				t.Fatal(err)
			}
			if err := again.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// A namespace that is closed and opened again hears what the earlier one still
// sends, and takes none of it for its own.
func TestAReopenedNamespaceRunsNoNoteOfTheEarlierOne(t *testing.T) {
	s := startServer(t)
	a := join(t, "a", &Cluster{URL: "redis://" + s.address})
	early := newState(a.c, a.c.pulse, a.l, "early:")
	early.expect(nil)
	a.l.state.expect(func() { t.Error("a note has run that is not its own") })
	text, err := json.Marshal(wireNote{From: early.id, Token: 1, Key: "k", Version: 7, Text: "x"})
	if err != nil {
		t.Fatal(err)
	}
	told := false
	defer a.l.state.Watch(gateway.Watcher{Noted: func(string, uint64, []byte) { told = true }})()
	if err := a.l.state.noted(text); err != nil || !told {
		t.Fatalf("told: %v, %v", told, err)
	}
}

// says emits an event and waits for what answers it.
func (v *visitor) says(event, answer string) {
	v.t.Helper()
	ask(v.t, http.MethodPost, v.url, "42"+event)
	v.receives(answer)
}

// next is the next packet that is no ping.
func (v *visitor) next() string {
	v.t.Helper()
	for {
		packet := ask(v.t, http.MethodGet, v.url, "")
		if packet != "2" {
			return packet
		}
		ask(v.t, http.MethodPost, v.url, "3")
	}
}

func TestTwoServersOfOneCaddyShareRooms(t *testing.T) {
	s := startServer(t)
	for _, adapter := range []string{adapterStreams, adapterPubSub} {
		t.Run(adapter, func(t *testing.T) {
			site := newSite(t)
			server := func(name string) string {
				return fmt.Sprintf("socketio {\nname %s-%s\npath /%s/\ncluster redis redis://%s {\nadapter %s\nprefix rooms-%s\n}\n}\n",
					name, adapter, name, s.address, adapter, adapter)
			}
			site.serve(server("one") + server("two"))
			watcher := join(t, "watcher", &Cluster{URL: "redis://" + s.address, Adapter: adapter, Prefix: "rooms-" + adapter})
			eventually(t, "three nodes are there", func() bool {
				n, err := watcher.l.Nodes(t.Context())
				return err == nil && n == 3 && !watcher.c.away() && !connections()[0].away()
			})
			one, two := site.visitAt("/one/"), site.visitAt("/two/")
			enter := func(v *visitor) string {
				ask(t, http.MethodPost, v.url, `420["join",{"room":"r"}]`)
				var answer []struct{ Self struct{ ID string } }
				if text, ok := strings.CutPrefix(v.next(), "430"); !ok || json.Unmarshal([]byte(text), &answer) != nil || answer[0].Self.ID == "" {
					t.Fatalf("got %s", text)
				}
				return answer[0].Self.ID
			}
			ada := enter(one)
			bob := enter(two)
			one.receives(`42["peer-joined",`)
			for range 3 { // copies of the room are fresh by now
				one.says(`0["offer",{"room":"r","to":"`+bob+`","description":{}}]`, `430[{"ok":true}]`)
				two.receives(`42["offer",{"room":"r","from":"` + ada + `"`)
				two.says(`0["state",{"room":"r","state":{}}]`, `430[{"ok":true}]`)
				one.receives(`42["peer-state",`)
			}
			for _, c := range connections() {
				for _, l := range c.all() {
					for _, tell := range watchersOf(l.state) {
						tell.Back() // has each look after its rooms
					}
				}
			}
			ask(t, http.MethodPost, two.url, `420["peers",{"room":"r"}]`)
			if all := two.next(); !strings.HasSuffix(all, `"count":2}]`) || strings.Contains(all, "away") {
				t.Errorf("got %s", all)
			}
			one.says(`0["message",{"room":"r","data":1}]`, `430[{"ok":true,"delivered":1}]`)
			two.receives(`42["message",`)
		})
	}
}

func watchersOf(s *state) (all []*watcher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.watchers {
		all = append(all, w)
	}
	return all
}

// Another timeout is another connection, and so another node: rooms do not move.
func TestChangedSettingsCloseRooms(t *testing.T) {
	s := startServer(t)
	site := newSite(t)
	serve := func(timeout string) {
		site.serve(fmt.Sprintf("socketio {\nname changed\ncluster redis redis://%s {\ntimeout %s\n}\n}\n", s.address, timeout))
	}
	serve("3s")
	eventually(t, "it is there", func() bool { return !connections()[0].away() })
	client := site.visit()
	client.says(`0["join",{"room":"r"}]`, `430[{"ok":true,`)
	serve("2s")
	if got := client.next(); !strings.HasPrefix(got, `42["peer-left",{"room":"r",`) || !strings.HasSuffix(got, `"reason":"closed"}]`) {
		t.Errorf("got %s", got)
	}
	client.says(`1["join",{"room":"r"}]`, `431[{"ok":true,`)
}

func TestAWatcherThatWaitsKeepsNoSignBack(t *testing.T) {
	s := &state{pulse: newPulse(nil, "", nil), watchers: map[*watcher]struct{}{}}
	may, heard := make(chan struct{}), make(chan string, 2)
	stop := s.Watch(gateway.Watcher{
		Gone: func(node string) { <-may; heard <- node },
		Back: func() { heard <- "back" },
	})
	s.pulse.mu.Lock()
	gone := s.pulse.tellAll(func(w *watcher) func() { return func() { w.Gone("n") } })
	back := s.pulse.tellAll(func(w *watcher) func() { return w.Back })
	s.pulse.mu.Unlock()
	gone() // returns
	back()
	close(may)
	if first, second := <-heard, <-heard; first != "n" || second != "back" {
		t.Errorf("got %s, %s", first, second)
	}
	stop()
}
