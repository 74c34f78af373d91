package caddymodule_test

import (
	"strings"
	"testing"

	"github.com/gobwas/ws/wsutil"
)

// timeouts of Caddy that a websocket would not live for long with.
var timeouts = map[string]string{
	"of an idle body":             "read_body_idle 1s",
	"of slow and whole transfers": "read_body_idle 1s 1000\nwrite_idle 1s 1000\nread_body 1s\nwrite 1s",
	"of whole transfers alone":    "read_body_idle -1s\nwrite_idle -1s\nread_body 1s\nwrite 1s",
}

func timedSite(timeout string) string {
	text := strings.Replace(site("socketio {\nname timeouts\nping_interval 1500ms\n}"), "http://localhost:9080 {", "https://localhost:9443 {\ntls internal {\non_demand\n}", 1)
	return strings.Replace(text, "grace_period", "servers {\ntimeouts {\n"+timeout+"\n}\n}\ngrace_period", 1)
}

// wantLive lets a websocket rest for longer than the timeouts, by the server's
// heartbeat, before both sides use it again.
func (f frames) wantLive() {
	f.t.Helper()
	f.want("0{")
	f.send("40")
	f.want("40{")
	for range 2 {
		if got, err := wsutil.ReadServerText(f); err != nil || string(got) != "2" {
			f.t.Fatalf("got %q, %v, want a heartbeat", got, err)
		}
		f.send("3")
	}
	f.send(`421["ping"]`)
	f.want("431[")
}

func TestHTTP2WebsocketOutlivesTimeouts(t *testing.T) {
	if inOwnProcess(t) {
		return
	}
	for name, timeout := range timeouts {
		t.Run(name, func(t *testing.T) {
			loadBeside(t, timedSite(timeout))
			streamedHTTP2(t).wantLive()
		})
	}
}

func TestHTTP3WebsocketOutlivesTimeouts(t *testing.T) {
	for name, timeout := range timeouts {
		t.Run(name, func(t *testing.T) {
			serveText(t, timedSite(timeout))
			t.Cleanup(func() { serve(t, "respond ok") })
			streamedHTTP3(t).wantLive()
		})
	}
}
