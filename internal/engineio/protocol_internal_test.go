package engineio

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

func TestHandshakeAnswers(t *testing.T) {
	st := newSite(t, settings())
	a := st.get("EIO=4&transport=polling")
	if a.status != 200 {
		t.Fatalf("%+v", a)
	}
	var open struct {
		SID                       string
		Upgrades                  []string
		PingInterval, PingTimeout int
		MaxPayload                int
	}
	if err := json.Unmarshal([]byte(a.body[1:]), &open); err != nil {
		t.Fatal(err)
	}
	if len(open.SID) < 27 || len(open.Upgrades) != 1 || open.Upgrades[0] != "websocket" ||
		open.PingInterval != 25000 || open.PingTimeout != 20000 || open.MaxPayload != 1e6 {
		t.Fatalf("OPEN: %+v", open)
	}
	for k, want := range map[string]string{
		"Content-Type": pollType, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
	} {
		if got := a.header.Get(k); got != want {
			t.Errorf("%s: %q, want %q", k, got, want)
		}
	}
	// Caddy's templates run on the first three, clients take the last for bytes.
	for _, dangerous := range []string{"text/plain", "text/html", "text/markdown", "application/octet-stream"} {
		if strings.Contains(pollType, dangerous) {
			t.Errorf("polls are answered as %s", pollType)
		}
	}
	c := st.websocket("EIO=4&transport=websocket")
	if f, err := c.read(); err != nil || !strings.Contains(f.payload, `"upgrades":[]`) {
		t.Fatalf("OPEN on websocket: %v %v", f, err)
	}
}

func TestRefusals(t *testing.T) {
	st := newSite(t, settings())
	query, _ := st.open()
	for name, c := range map[string]struct {
		method, query string
		status        int
		body          string
	}{
		"no transport":        {"GET", "EIO=4", 400, `{"code":0,"message":"Transport unknown"}`},
		"unknown transport":   {"GET", "EIO=4&transport=abc", 400, `{"code":0,"message":"Transport unknown"}`},
		"prototype transport": {"GET", "EIO=4&transport=constructor", 400, `{"code":0,"message":"Transport unknown"}`},
		"unknown sid":         {"GET", "EIO=4&transport=polling&sid=abc", 400, `{"code":1,"message":"Session ID unknown"}`},
		"sid __proto__":       {"GET", "EIO=4&transport=polling&sid=__proto__", 400, `{"code":1,"message":"Session ID unknown"}`},
		"handshake by POST":   {"POST", "EIO=4&transport=polling", 400, `{"code":2,"message":"Bad handshake method"}`},
		"handshake by PUT":    {"PUT", "EIO=4&transport=polling", 400, `{"code":2,"message":"Bad handshake method"}`},
		"no upgrade":          {"GET", "EIO=4&transport=websocket", 400, `{"code":3,"message":"Bad request"}`},
		"DELETE":              {"DELETE", query, 400, `{"code":3,"message":"Bad request"}`},
		"other protocol":      {"GET", strings.Replace(query, "EIO=4", "EIO=3", 1), 400, `{"code":3,"message":"Bad request"}`},
		"websocket mismatch":  {"GET", strings.Replace(query, "polling", "websocket", 1), 400, `{"code":3,"message":"Bad request"}`},
		"protocol 3":          {"GET", "EIO=3&transport=polling", 400, `{"code":5,"message":"Unsupported protocol version"}`},
		"no protocol":         {"GET", "transport=polling", 400, `{"code":5,"message":"Unsupported protocol version"}`},
		"protocol abc":        {"GET", "EIO=abc&transport=polling", 400, `{"code":5,"message":"Unsupported protocol version"}`},
		"JSONP":               {"GET", "EIO=4&transport=polling&j=0", 400, `{"code":3,"message":"JSONP polling is not supported"}`},
	} {
		t.Run(name, func(t *testing.T) {
			a := st.do(c.method, c.query, "")
			if a.status != c.status || a.body != c.body || a.header.Get("Content-Type") != "application/json" {
				t.Fatalf("got %d %s (%v)", a.status, a.body, a.err)
			}
		})
	}
	if a := st.do("POST", query, "4still here"); a.status != 200 {
		t.Fatalf("the session did not survive the refusals: %+v", a)
	}
}

func TestWebSocketRefusals(t *testing.T) {
	st := newSite(t, settings())
	for name, c := range map[string]struct {
		query string
		lines []string
	}{
		"unknown sid":    {"EIO=4&transport=websocket&sid=abc", nil},
		"no transport":   {"EIO=4", nil},
		"as polling":     {"EIO=4&transport=polling", nil},
		"no EIO":         {"transport=websocket", nil},
		"other origin":   {"EIO=4&transport=websocket", []string{"Origin: https://evil.example"}},
		"malformed host": {"EIO=4&transport=websocket", []string{"Origin: http://[::1"}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, res := st.tryWebSocket(c.query, c.lines...); res.status == 101 {
				t.Fatal("accepted")
			}
		})
	}
	if n := st.srv.Len(); n != 0 {
		t.Fatalf("%d sessions left", n)
	}
}

func TestPollingMessages(t *testing.T) {
	st := newSite(t, settings())
	query, r := st.open()
	if a := st.do("POST", query, "4hello\x1e4wörld\x1ebAQIDBA=="); a.status != 200 || a.body != "ok" {
		t.Fatalf("POST: %+v", a)
	}
	for _, want := range []message{{"hello", false}, {"wörld", false}, {"\x01\x02\x03\x04", true}} {
		if got := receive(t, r.got); got != want {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
	r.session.Send(Text([]byte("a"), []byte("b")), Binary([]byte{1, 2, 3, 4}))
	if a := st.get(query); a.body != "4ab\x1ebAQIDBA==" {
		t.Fatalf("poll: %+v", a)
	}
	waiting := st.later("GET", query, "")
	r.session.Send(Text([]byte("c")))
	if a := receive(t, waiting); a.body != "4c" {
		t.Fatalf("waiting poll: %+v", a)
	}
}

func TestWebSocketMessages(t *testing.T) {
	st := newSite(t, settings())
	c := st.websocket("EIO=4&transport=websocket")
	c.wantOpen()
	r := st.next()
	c.text("4hello")
	c.send(ws.OpBinary, "\x01\x02")
	c.text("bAQID")
	c.frame(ws.NewFrame(ws.OpText, false, []byte("4frag")))
	c.send(ws.OpPing, "between")
	c.want(ws.OpPong, "between")
	c.frame(ws.NewFrame(ws.OpContinuation, false, []byte("men")))
	c.frame(ws.NewFrame(ws.OpContinuation, true, []byte("ted")))
	large := strings.Repeat("x", 100_000)
	c.text("4" + large)
	for _, want := range []message{{"hello", false}, {"\x01\x02", true}, {"\x01\x02\x03", true}, {"fragmented", false}, {large, false}} {
		if got := receive(t, r.got); got != want {
			t.Fatalf("got %.50v, want %.50v", got, want)
		}
	}
	r.session.Send(Text([]byte("a")), Binary([]byte{1}), Text([]byte(large)))
	c.wantText("4a")
	c.want(ws.OpBinary, "\x01")
	c.wantText("4" + large)
}

func TestFramesArriveByteByByte(t *testing.T) {
	st := newSite(t, settings())
	c := st.websocket("EIO=4&transport=websocket")
	c.wantOpen()
	r := st.next()
	b := ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte("4slow"))))
	b = append(b, ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte("4"+strings.Repeat("y", 300)))))...)
	for i := range b {
		if _, err := c.rw.Write(b[i : i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if got := receive(t, r.got); got.data != "slow" {
		t.Fatal(got)
	}
	if got := receive(t, r.got); len(got.data) != 300 {
		t.Fatal(got)
	}
}
