package caddymodule_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestOtherPathsGoToTheNextHandler(t *testing.T) {
	serve(t, "socketio {\nname paths\n}\nrespond next")
	for _, path := range []string{"", "socket.io", "socket.io/x", "socket.io/socket.io.js", "socket.iox"} {
		status, body := get(t, "http://localhost:9080/"+path)
		if served := path == "socket.io"; served == (body == "next") {
			t.Errorf("/%s: %d %q", path, status, body)
		}
	}
}

func TestMounts(t *testing.T) {
	for name, directives := range map[string]string{
		"handle":      "handle /socket.io/* {\nsocketio {\nname mount\n}\n}",
		"route":       "route {\nsocketio {\nname mount\n}\n}",
		"matcher":     "@io path /socket.io/*\nsocketio @io {\nname mount\n}",
		"encode":      "encode\nsocketio {\nname mount\n}",
		"templates":   "route {\ntemplates\nsocketio {\nname mount\n}\n}",
		"body limit":  "request_body {\nmax_size 1MB\n}\nsocketio {\nname mount\n}",
		"access logs": "log\nsocketio {\nname mount\n}",
	} {
		t.Run(name, func(t *testing.T) {
			serve(t, directives)
			p := open(t, engine)
			p.send(`421["ping"]`)
			if got := p.receive(); !strings.HasPrefix(got, "431[") {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestHandlePathStripsThePrefix(t *testing.T) {
	serve(t, "handle_path /inner/* {\nsocketio {\nname inner\n}\n}\nrespond next")
	open(t, "http://localhost:9080/inner/socket.io/")
	if _, body := get(t, engine); body != "next" {
		t.Errorf("served outside its prefix: %q", body)
	}
}

// A client could otherwise read the server's environment.
func TestPayloadsAreNeverTemplates(t *testing.T) {
	serve(t, "route {\ntemplates\nsocketio {\nname injected\n}\n}")
	p := open(t, engine)
	p.send(`421["nothing {{env \"PATH\"}}"]`)
	p.send(`422["join",{"room":"{{env \"PATH\"}}"}]`)
	got := p.receive()
	for !strings.Contains(got, "432[") {
		got += p.receive()
	}
	if strings.Contains(got, "/bin") {
		t.Fatalf("a template ran: %q", got)
	}
}

func TestOriginsOfPolls(t *testing.T) {
	serve(t, "socketio {\nname origins\ncors {\norigins https://app.example.com\ncredentials\n}\n}")
	for origin, want := range map[string]int{
		"https://app.example.com":  http.StatusOK,
		"http://localhost:9080":    http.StatusOK,
		"https://evil.example.com": http.StatusForbidden,
		"null":                     http.StatusForbidden,
	} {
		p := &polls{t, engine + "?EIO=4&transport=polling"}
		if status, body := p.request(http.MethodGet, "", "Origin", origin); status != want {
			t.Errorf("%s: %d %q, want %d", origin, status, body, want)
		}
	}
}

// What a client writes into a forwarding header stays in front of the line that a
// trusted proxy adds, and does not count.
func TestForwardedByTheProxyNotByTheClient(t *testing.T) {
	serveText(t, strings.Replace(site("socketio {\nname forwarded\n}"), "{\n", "{\nservers {\ntrusted_proxies static private_ranges\n}\n", 1))
	for origin, want := range map[string]int{
		"https://proxy.example.com": http.StatusOK, "https://client.example.com": http.StatusForbidden,
		"http://proxy.example.com": http.StatusForbidden,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, engine+"?EIO=4&transport=polling", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = http.Header{
			"Origin":            {origin},
			"X-Forwarded-Host":  {"client.example.com", "proxy.example.com, inner.example.com"},
			"X-Forwarded-Proto": {"http", "https"},
		}
		if status, body := (&polls{t, ""}).do(req); status != want {
			t.Errorf("%s: %d %q, want %d", origin, status, body, want)
		}
	}
}

// The options of cors reach the wire.
func TestCORSOptions(t *testing.T) {
	serve(t, `socketio {
	name cors-options
	cors {
		origins         https://app.example.com
		methods         GET POST PATCH
		allowed_headers X-Request-Id Authorization
		exposed_headers X-Served-By X-Trace
		max_age         10m
	}
}`)
	for method, want := range map[string]map[string]string{
		http.MethodOptions: {
			"Access-Control-Allow-Methods": "GET, POST, PATCH", "Access-Control-Allow-Headers": "X-Request-Id, Authorization",
			"Access-Control-Max-Age": "600", "Access-Control-Allow-Origin": "https://app.example.com",
			"Access-Control-Allow-Credentials": "",
		},
		http.MethodGet: {
			"Access-Control-Expose-Headers": "X-Served-By, X-Trace", "Access-Control-Allow-Origin": "https://app.example.com",
			"Access-Control-Allow-Methods": "",
		},
	} {
		req, err := http.NewRequestWithContext(t.Context(), method, engine+"?EIO=4&transport=polling", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", "https://app.example.com")
		if method == http.MethodOptions {
			req.Header.Set("Access-Control-Request-Method", "PATCH")
			req.Header.Set("Access-Control-Request-Headers", "x-other")
		}
		req.Close = true
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		for header, value := range want {
			if got := strings.Join(res.Header.Values(header), "|"); got != value {
				t.Errorf("%s: %s is %q, want %q", method, header, got, value)
			}
		}
	}
}
