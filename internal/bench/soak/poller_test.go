package soak

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/load"
	"github.com/caddy-socketio/caddy-socketio/internal/bench/wire"
)

// engine is a server of one polling session, which cuts every third connection.
func engine(t *testing.T, polls ...string) (addr string, posts chan string) {
	t.Helper()
	var requests atomic.Int64
	posts = make(chan string, 10)
	answers := make(chan string, len(polls)+1)
	answers <- `0{"sid":"s"}`
	for _, p := range polls {
		answers <- p
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1)%3 == 0 {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_ = conn.Close() // as a listener that goes away
			return
		}
		if r.Method == http.MethodPost {
			var body strings.Builder
			if err := r.Write(&body); err != nil {
				t.Error(err)
			}
			posts <- body.String()
			return
		}
		select {
		case answer := <-answers:
			_, _ = w.Write([]byte(answer)) // a client that is gone fails by itself
		default:
			http.Error(w, "gone", http.StatusBadRequest)
		}
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://"), posts
}

func TestAPollerOutlivesCutConnections(t *testing.T) {
	addr, posts := engine(t, `40{"sid":"x"}`, "6\x1e2\x1e"+event("a", `{"shout":1}`))
	var retries atomic.Int64
	p, err := poll(t.Context(), load.Target{Addr: addr}, &retries)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	packet, kind, err := p.next()
	if err != nil || kind != wire.Event {
		t.Fatalf("got %q, %v", packet, err)
	}
	for _, want := range []string{"40", "3"} {
		if got := <-posts; !strings.HasSuffix(got, "\r\n"+want) && !strings.Contains(got, "\r\n"+want+"\r\n") {
			t.Errorf("posted %q, want %s", got, want)
		}
	}
	if _, _, err := p.next(); err == nil || !strings.Contains(err.Error(), "400") {
		t.Errorf("a session that is gone: %v", err)
	}
	if retries.Load() == 0 {
		t.Error("no request was repeated")
	}
}
