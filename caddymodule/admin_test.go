package caddymodule_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

const admin = "http://localhost:2999/socketio/"

// call is a request to the admin API.
func call(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	p := &polls{t, admin + path}
	return p.request(method, body)
}

func TestAdminShowsServersAndSockets(t *testing.T) {
	serve(t, "socketio {\nname shown\n}")
	p := open(t, engine, "Cookie", "secret=1")
	p.send(`421["join",{"room":"r"}]`)
	p.receive()
	for path, want := range map[string]string{
		"":       `"servers":[{"name":"shown","uptime_seconds":`,
		"?":      `,"versions":{"caddy":"`,
		"health": `{"status":"ok"}`,
		"shown/namespaces": `{"name":"/","configured":"/","sockets":1,"rooms":1,` +
			`"gateways":{"webrtc":{"sockets":1,"rooms":1,"peers":1,"away":0,"timers":0}}}`,
		"shown/rooms":                         `{"name":"webrtc:r","sockets":1}`,
		"shown/sockets":                       `{"sockets":[{"id":"`,
		"shown/sockets?room=webrtc:r&limit=1": `"client_ip":"`,
		"shown/sockets?user=alice":            `{"sockets":[],"total":0}`,
	} {
		status, body := call(t, http.MethodGet, path, "")
		if status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s, want %s", path, status, body, want)
		}
		if strings.Contains(body, "secret") || strings.Contains(body, p.base[strings.LastIndex(p.base, "=")+1:]) {
			t.Errorf("%s tells a secret: %s", path, body)
		}
	}
}

// Users are found by their id, and counted.
func TestAdminAndMetricsKnowUsers(t *testing.T) {
	serve(t, "metrics /metrics\nsocketio {\nname users\nauth jwt {\nsecret "+tokenSecret+"\n}\nnamespace /\nnamespace /open {\nauth nobody\n}\n}")
	var ids []string
	for _, connect := range []string{
		`40{"token":"` + token(t, tokenSecret, "ada") + `"}`, `40{"token":"` + token(t, tokenSecret, "ada") + `"}`,
		`40{"token":"` + token(t, tokenSecret, "bob") + `"}`, "40/open,",
	} {
		p := session(t)
		p.send(connect)
		_, rest, _ := strings.Cut(p.receive(), `"sid":"`)
		id, _, _ := strings.Cut(rest, `"`)
		ids = append(ids, id)
	}
	for query, want := range map[string][]string{
		"?user=ada": ids[:2], "?user=bob": ids[2:3], "?user=eve": {}, "?namespace=/open": ids[3:], "?namespace=/open&user=ada": {},
	} {
		_, body := call(t, http.MethodGet, "users/sockets"+query, "")
		if strings.Count(body, `"id":"`) != len(want) || !strings.Contains(body, `"total":`+strconv.Itoa(len(want))) {
			t.Errorf("%s: %s, want %d sockets", query, body, len(want))
		}
		for _, id := range want {
			if !strings.Contains(body, `"id":"`+id+`"`) {
				t.Errorf("%s: %s lacks %s", query, body, id)
			}
		}
	}
	metric(t, `caddy_socketio_sockets_authenticated{namespace="/",server="users"} 3`)
	metric(t, `caddy_socketio_sockets_authenticated{namespace="/open",server="users"} 0`)
	metric(t, `caddy_socketio_sessions_unauthenticated{server="users"} 0`)
}

// nobody is an authenticator as another author would write it, who knows nobody.
type nobody struct{}

func init() { caddy.RegisterModule(nobody{}) }

func (nobody) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.socketio.auth.nobody", New: func() caddy.Module { return new(nobody) }}
}

func (nobody) Authenticate(context.Context, string, *gateway.Handshake, *gateway.Identity) (*gateway.Identity, error) {
	return nil, nil
}

func TestAdminActsOnSockets(t *testing.T) {
	serve(t, "socketio {\nname steered\n}")
	p := open(t, engine)
	for _, step := range []struct{ action, body, want string }{
		{"join", `{"targets":["vip"]}`, ""},
		{"emit", `{"rooms":["nobody"],"event":"lost"}`, ""},
		{"emit", `{"rooms":["vip"],"event":"news","args":[{"a":1},"b"]}`, `42["news",{"a":1},"b"]`},
		{"leave", `{"targets":["vip"]}`, ""},
		{"emit", `{"rooms":["vip"],"event":"lost"}`, ""},
		{"disconnect", `{}`, "41"},
	} {
		if status, body := call(t, http.MethodPost, "steered/"+step.action, step.body); status != http.StatusNoContent {
			t.Fatalf("%s: %d %s", step.action, status, body)
		}
		if step.want != "" {
			if got := p.receive(); got != step.want {
				t.Fatalf("%s: the client got %q, want %q", step.action, got, step.want)
			}
		}
	}
}

// ids are the sockets that a query finds, and how many there are on all pages.
func ids(t *testing.T, query string) (found []string, total int) {
	t.Helper()
	_, body := call(t, http.MethodGet, "paged/sockets"+query, "")
	var page struct {
		Sockets []struct{ ID string }
		Total   int
	}
	if err := json.Unmarshal([]byte(body), &page); err != nil {
		t.Fatal(err)
	}
	for _, one := range page.Sockets {
		found = append(found, one.ID)
	}
	return found, page.Total
}

func TestAdminChoosesSockets(t *testing.T) {
	serve(t, "socketio {\nname paged\n}")
	act := func(action, body string) {
		t.Helper()
		if status, text := call(t, http.MethodPost, "paged/"+action, body); status != http.StatusNoContent {
			t.Fatalf("%s: %d %s", action, status, text)
		}
	}
	clients := map[string]*polls{}
	var vip, other string
	for range 3 {
		p := open(t, engine)
		all, _ := ids(t, "")
		for _, id := range all {
			if clients[id] == nil {
				clients[id], other, vip = p, vip, id
			}
		}
	}
	first, total := ids(t, "?limit=2")
	second, again := ids(t, "?limit=2&offset=2")
	beyond, _ := ids(t, "?offset=3")
	if all := append(slices.Clone(first), second...); len(first) != 2 || len(second) != 1 || len(beyond) != 0 || total != 3 || again != 3 ||
		slices.ContainsFunc(all, func(id string) bool { return clients[id] == nil }) || slices.Contains(first, second[0]) {
		t.Errorf("pages %v and %v, then %v, of %d and %d", first, second, beyond, total, again)
	}
	act("join", `{"rooms":["`+vip+`"],"targets":["vip"]}`)
	if found, total := ids(t, "?room=vip"); total != 1 || !slices.Equal(found, []string{vip}) {
		t.Errorf("in the room: %v, %d", found, total)
	}
	act("emit", `{"except":["vip"],"event":"others"}`)
	act("emit", `{"event":"all"}`)
	if got := clients[other].receive(); !strings.HasPrefix(got, `42["others"]`) {
		t.Errorf("the others got %q", got)
	}
	if got := clients[vip].receive(); got != `42["all"]` {
		t.Errorf("the excepted got %q", got)
	}
	act("disconnect", `{"except":["vip"],"close":true}`)
	for got := ""; !strings.HasSuffix(got, "\x1e1") && got != "1"; {
		got = clients[other].receive()
	}
	if left, _ := ids(t, ""); !slices.Equal(left, []string{vip}) {
		t.Errorf("left are %v", left)
	}
}

func TestAdminErrors(t *testing.T) {
	serve(t, "socketio {\nname strict\n}")
	for name, tc := range map[string]struct {
		method, path, body string
		status             int
		want               string
	}{
		"unknown server":    {"GET", "nobody/rooms", "", 404, `there is no server \"nobody\"`},
		"unknown list":      {"GET", "strict/peers", "", 404, `a server has no \"peers\"`},
		"unknown namespace": {"GET", "strict/rooms?namespace=/x", "", 404, `there is no live namespace \"/x\"`},
		"bad page":          {"GET", "strict/sockets?limit=-1", "", 400, `\"-1\" is not a number`},
		"wrong method":      {"GET", "strict/emit", "", 405, "use POST here, not GET"},
		"misspelt field":    {"POST", "strict/emit", `{"room":["r"],"event":"e"}`, 400, `unknown field \"room\"`},
		"no event":          {"POST", "strict/emit", `{}`, 400, "event is missing"},
		"reserved event":    {"POST", "strict/emit", `{"event":"disconnect"}`, 400, "emitting: "},
		"no targets":        {"POST", "strict/join", `{}`, 400, "targets is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := call(t, tc.method, tc.path, tc.body)
			if status != tc.status || !strings.Contains(body, tc.want) {
				t.Errorf("%d %s, want %d %s", status, body, tc.status, tc.want)
			}
		})
	}
}

func TestHealthHandler(t *testing.T) {
	serve(t, "socketio {\nname healthy\n}\nsocketio_health /health\nrespond other")
	if status, body := get(t, "http://localhost:9080/health"); status != http.StatusOK || body != `{"status":"ok"}` {
		t.Errorf("%d %q", status, body)
	}
	res, err := http.Get("http://localhost:9080/health")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	for key, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
		if got := res.Header.Get(key); got != want {
			t.Errorf("%s is %q", key, got)
		}
	}
}
