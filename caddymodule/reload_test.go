package caddymodule_test

import (
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
)

const engine = "http://localhost:9080/socket.io/"

func TestReloadKeepsTheSession(t *testing.T) {
	serve(t, "socketio {\nname reload\n}")
	p := open(t, engine)
	for _, directives := range []string{
		"socketio {\nname reload\nmax_payload 2MB\n}",
		"header X-Changed 1\nsocketio {\nname reload\n}",
	} {
		serve(t, directives)
		p.send(`421["ping"]`)
		if got := p.receive(); !strings.HasPrefix(got, "431[") {
			t.Fatalf("after the reload: %q", got)
		}
	}
}

func TestFailedConfigLeavesTheRunningOne(t *testing.T) {
	serve(t, "socketio {\nname steady\n}")
	p := open(t, engine)
	bad, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(site("socketio {\nname steady\nserve_client /nowhere\n}")), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(bad, true); err == nil || !strings.Contains(err.Error(), "serve_client: /nowhere holds none") {
		t.Fatalf("a config that cannot be: %v", err)
	}
	p.send(`421["ping"]`)
	if got := p.receive(); !strings.HasPrefix(got, "431[") {
		t.Fatalf("after the failure: %q", got)
	}
}

func TestRemovedDirectiveDisconnectsItsSockets(t *testing.T) {
	serve(t, "socketio {\nname removed\n}")
	p := open(t, engine)
	sent, last := make(chan struct{}), make(chan string, 1)
	go func() {
		trace := &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { close(sent) }}
		req, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodGet, p.base, nil)
		if err != nil {
			t.Error(err)
		}
		_, body := p.do(req)
		last <- body
	}()
	<-sent
	serve(t, "respond gone")
	if got := <-last; !strings.HasPrefix(got, "41") {
		t.Errorf("the waiting poll ended with %q, want the namespace's disconnect", got)
	}
	if status, body := get(t, engine); status != http.StatusOK || body != "gone" {
		t.Errorf("the path is still served: %d %q", status, body)
	}
}

func TestConflictingSettingsUnderOneNameAreRefused(t *testing.T) {
	text := site("route /a/* {\nsocketio {\nname twice\npath /a/\n}\n}\nroute /b/* {\nsocketio {\nname twice\npath /b/\nmax_payload 2KB\n}\n}")
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, "respond ok")
	err = caddy.Load(config, true)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"path /a/ in server srv0", "path /b/ in server srv0"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %q", err, want)
		}
	}
}

func TestOneNameInTwoSitesIsOneServer(t *testing.T) {
	const directive = "socketio {\nname both\n}"
	serveText(t, site(directive)+"http://localhost:9081 {\n"+directive+"\n}\n")
	clients := []*polls{open(t, engine), open(t, "http://localhost:9081/socket.io/")}
	if status, body := call(t, http.MethodPost, "both/emit", `{"event":"news"}`); status != http.StatusNoContent {
		t.Fatalf("%d %s", status, body)
	}
	for i, p := range clients {
		if got := p.receive(); got != `42["news"]` {
			t.Errorf("client of site %d: %q", i, got)
		}
	}
}

func TestMetricsSurviveReloads(t *testing.T) {
	serve(t, "metrics /metrics\nsocketio {\nname counted\n}")
	open(t, engine)
	serve(t, "metrics /metrics\nheader X-Changed 1\nsocketio {\nname counted\n}")
	_, text := get(t, "http://localhost:9080/metrics")
	for _, want := range []string{
		`caddy_socketio_handshakes_total{server="counted"} 1`,
		`caddy_socketio_reloads_total{server="counted"} 1`,
		`caddy_socketio_sockets{namespace="/",server="counted",transport="polling"} 1`,
		`caddy_socketio_sessions{server="counted",transport="polling"} 1`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
}
