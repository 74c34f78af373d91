package redis

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// site is a Caddy in this process.
type site struct {
	t           *testing.T
	admin, http string // addresses
	log         string // its file
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t, "localhost:" + freePort(t), "localhost:" + freePort(t), filepath.Join(t.TempDir(), "log")}
	t.Setenv("XDG_CONFIG_HOME", t.TempDir()) // for what Caddy keeps
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// text is a Caddyfile with a directive.
func (s *site) text(directive string) string {
	return fmt.Sprintf("{\nadmin %s\npersist_config off\ngrace_period 5s\nmetrics\nlog {\nlevel DEBUG\noutput file %s\n}\n}\nhttp://%s {\n%s\n}\n",
		s.admin, s.log, s.http, directive)
}

func (s *site) load(directive string) error {
	s.t.Helper()
	config, err := adapt(s.text(directive))
	if err != nil {
		s.t.Fatal(err)
	}
	return caddy.Load(config, true)
}

func (s *site) serve(directive string) {
	s.t.Helper()
	if err := s.load(directive); err != nil {
		s.t.Fatal(err)
	}
}

// ask makes a request of its own connection. Caddy ends the server of an old config a
// moment after a reload has returned: what waits in its queue is reset, and what it has
// just accepted is closed, not served in either case, and asked again.
func ask(t *testing.T, method, url, body string) string {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	var res *http.Response
	for err := error(syscall.ECONNRESET); err != nil; {
		if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		req, failed := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		if failed != nil {
			t.Fatal(failed)
		}
		res, err = client.Do(req)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %s, %v", method, res.Status, text, err)
	}
	return string(text)
}

// visitor is a client that polls.
type visitor struct {
	t   *testing.T
	url string
}

func (s *site) visit() *visitor { return s.visitAt("/socket.io/") }

func (s *site) visitAt(path string) *visitor {
	s.t.Helper()
	url := "http://" + s.http + path + "?EIO=4&transport=polling"
	var hello struct{ SID string }
	if err := json.Unmarshal([]byte(ask(s.t, http.MethodGet, url, "")[1:]), &hello); err != nil {
		s.t.Fatal(err)
	}
	v := &visitor{s.t, url + "&sid=" + hello.SID}
	ask(s.t, http.MethodPost, v.url, "40")
	v.receives("40{")
	return v
}

// receives waits for a packet, and answers pings.
func (v *visitor) receives(want string) {
	v.t.Helper()
	for {
		for _, packet := range strings.Split(ask(v.t, http.MethodGet, v.url, ""), "\x1e") {
			switch {
			case packet == "2":
				ask(v.t, http.MethodPost, v.url, "3")
			case strings.HasPrefix(packet, want):
				return
			default:
				v.t.Fatalf("got %s, want %s", packet, want)
			}
		}
	}
}

// connections are those in the pool.
func connections() (all []*connection) {
	pool.Range(func(_, c any) bool {
		all = append(all, c.(*connection))
		return true
	})
	return all
}

func TestReloads(t *testing.T) {
	s := startServer(t)
	for _, adapter := range []string{adapterStreams, adapterPubSub} {
		t.Run(adapter, func(t *testing.T) {
			site := newSite(t)
			cluster := func(prefix, more string) string {
				return fmt.Sprintf("socketio {\nname reloads-%s\ncluster redis redis://%s {\nadapter %s\nprefix %s\n}\n%s\n}", adapter, s.address, adapter, prefix, more)
			}
			site.serve(cluster("old", ""))
			first := connections()
			if len(first) != 1 {
				t.Fatalf("%d connections", len(first))
			}
			old := join(t, "old", &Cluster{URL: "redis://" + s.address, Adapter: adapter, Prefix: "old"})
			two(t, old)
			client := site.visit()
			old.l.Publish(event("one"))
			client.receives(`42["one"]`)

			site.serve(cluster("old", "ping_interval 10s"))
			if now := connections(); len(now) != 1 || now[0] != first[0] {
				t.Fatal("the reload has made another connection")
			}
			old.l.Publish(event("two"))
			client.receives(`42["two"]`)

			if err := site.load(cluster("new", "serve_client /nowhere")); err == nil {
				t.Fatal("a bad config is taken")
			}
			old.l.Publish(event("three"))
			client.receives(`42["three"]`)

			// To another cluster, and then to none.
			site.serve(cluster("new", ""))
			next := join(t, "new", &Cluster{URL: "redis://" + s.address, Adapter: adapter, Prefix: "new"})
			two(t, next)
			next.l.Publish(event("four"))
			client.receives(`42["four"]`)
			if now := connections(); len(now) != 1 || now[0] == first[0] {
				t.Fatal("the old connection stays")
			}
			site.serve("socketio {\nname reloads-" + adapter + "\n}")
			eventually(t, "it has left", func() bool { return len(connections()) == 0 })
			ask(t, http.MethodPost, client.url, `420["ping"]`)
			client.receives("430[")
		})
	}
}

// two waits until a node is one of two.
func two(t *testing.T, m *member) {
	t.Helper()
	eventually(t, "there are two nodes", func() bool {
		n, err := m.l.Nodes(t.Context())
		return err == nil && n == 2 && !m.c.away()
	})
}

func TestServersOfOneAddressShareTheClient(t *testing.T) {
	s := startServer(t)
	site := newSite(t)
	server := func(name, path string) string {
		return fmt.Sprintf("socketio {\nname %s\npath %s\ncluster redis redis://%s\n}\n", name, path, s.address)
	}
	site.serve(server("sharing-one", "/one/") + server("sharing-two", "/two/"))
	if n := len(connections()); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// Servers that use one Redis with different settings are seen in the metrics, which
// add up, and keep their counts when one of them goes.
func TestConnectionsToOneRedisCountTogether(t *testing.T) {
	s := startServer(t)
	site := newSite(t)
	server := func(name, option string) string {
		return fmt.Sprintf("socketio {\nname %s\npath /%s/\ncluster redis redis://%s {\n%s\n}\n}\n", name, name, s.address, option)
	}
	metric := func(name string) string {
		_, rest, _ := strings.Cut(ask(t, http.MethodGet, "http://"+site.admin+"/metrics", ""),
			"\ncaddy_socketio_redis_"+name+`{address="`+s.address+`",prefix="socket.io"} `)
		value, _, _ := strings.Cut(rest, "\n")
		return value
	}
	good, bad := server("together-one", "timeout 2s"), server("together-two", "user nobody\npassword wrong")
	site.serve(good + bad)
	if n := len(connections()); n != 2 {
		t.Fatalf("%d connections", n)
	}
	eventually(t, "the refused one is seen", func() bool { return metric("outages_total") == "1" && metric("up") == "0" })
	site.serve(good)
	eventually(t, "the refused one is gone", func() bool { return metric("outages_total") == "1" && metric("up") == "1" })
	site.serve("respond ok")
	eventually(t, "nothing is left", func() bool {
		_, there := measured.References(series{s.address, "socket.io"})
		return !there && len(connections()) == 0
	})
}

// Nobody listens there: nothing is dialled before the config is live.
func TestValidateNeedsNoRedis(t *testing.T) {
	site := newSite(t)
	for _, url := range []string{"redis://127.0.0.1:1", "redis+sentinel://127.0.0.1:1/main", "redis+cluster://127.0.0.1:1", "rediss://nowhere.invalid"} {
		config, err := adapt(site.text("socketio {\nname validated\ncluster redis " + url + "\n}"))
		if err != nil {
			t.Fatal(err)
		}
		var parsed caddy.Config
		if err := json.Unmarshal(config, &parsed); err != nil {
			t.Fatal(err)
		}
		if err := caddy.Validate(&parsed); err != nil {
			t.Errorf("%s: %v", url, err)
		}
		if n := len(connections()); n != 0 {
			t.Errorf("%d connections are left", n)
		}
	}
}

func TestOneServerHasOneCluster(t *testing.T) {
	site := newSite(t)
	err := site.load("route /a/* {\nsocketio {\nname contrary\npath /a/\ncluster redis redis://127.0.0.1:1\n}\n}\n" +
		"socketio {\nname contrary\npath /b/\ncluster redis redis://127.0.0.1:2\n}")
	if err == nil || !strings.Contains(err.Error(), `name: "contrary" has different settings in two places, path /`) {
		t.Errorf("got %v", err)
	}
	if n := len(connections()); n != 0 {
		t.Errorf("%d connections are left", n)
	}
}

// Redis is there, but refuses the password; the log tells all there is.
func TestSecretsStaySecret(t *testing.T) {
	s := startServer(t, "--requirepass", "right")
	site := newSite(t)
	t.Setenv("REDIS_PASSWORD", "secret-of-env")
	const secret = "secret-of"
	site.serve("socketio {\nname secrets\ncluster redis redis://" + s.address + " {\npassword {env.REDIS_PASSWORD}\n}\n}")
	client := site.visit()
	eventually(t, "the outage is logged", func() bool {
		log, err := os.ReadFile(site.log)
		return err == nil && strings.Contains(string(log), "redis is away")
	})
	ask(t, http.MethodPost, client.url, `420["ping"]`) // the node goes on by itself
	client.receives("430[")
	log, err := os.ReadFile(site.log)
	if err != nil || !strings.Contains(string(log), "WRONGPASS") {
		t.Errorf("the log does not say why: %s, %v", log, err)
	}
	for _, path := range []string{"/config/", "/socketio/", "/socketio/secrets/namespaces", "/metrics"} {
		log = append(log, ask(t, http.MethodGet, "http://"+site.admin+path, "")...)
	}
	if strings.Contains(string(log), secret) {
		t.Errorf("the password is in %s", log)
	}
}
