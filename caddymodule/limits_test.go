package caddymodule_test

import (
	"net/http"
	"strings"
	"testing"
)

// metric fails the test unless the metrics have a line.
func metric(t *testing.T, line string) {
	t.Helper()
	if _, text := get(t, "http://localhost:9080/metrics"); !strings.Contains(text, line+"\n") {
		t.Errorf("no %s", line)
	}
}

func TestLimitsAreAnsweredAndCounted(t *testing.T) {
	serve(t, `metrics /metrics
socketio {
	name limited
	namespace / {
		gateway shout
	}
	limits {
		bytes_per_socket 1KB/h 1KB
		unauthenticated_per_ip 2
	}
}`)
	p := open(t, engine)
	p.send(`421["say","` + strings.Repeat("a", 5000) + `"]`)
	if got := p.receive(); !strings.HasPrefix(got, `431["AAA`) {
		t.Fatalf("the first event, larger than the burst: %.80q", got)
	}
	p.send(`422["say","b"]`)
	if got := p.receive(); got != `432[{"error":{"code":"rate-limited","message":"too many bytes"},"ok":false}]` {
		t.Fatalf("over the rate: %q", got)
	}
	metric(t, `caddy_socketio_limits_reached_total{limit="bytes_per_socket",server="limited"} 1`)

	const handshake = engine + "?EIO=4&transport=polling"
	for range 2 {
		if status, _ := get(t, handshake); status != http.StatusOK {
			t.Fatalf("handshake: %d", status)
		}
	}
	metric(t, `caddy_socketio_sessions_unauthenticated{server="limited"} 2`)
	if status, body := get(t, handshake); status != http.StatusTooManyRequests || body != `{"code":3,"message":"Too many connections"}` {
		t.Fatalf("over the bound of those that have not entered: %d %s", status, body)
	}
	metric(t, `caddy_socketio_limits_reached_total{limit="unauthenticated_per_ip",server="limited"} 1`)
	metric(t, `caddy_socketio_limits_reached_total{limit="nesting",server="limited"} 0`)
}
