package engineio

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
)

// open3 opens a session of protocol version 3.
func (st *site) open3() (query string, r *recorder) {
	st.t.Helper()
	a := st.get("EIO=3&transport=polling&b64=1")
	length, rest, ok := cutLength([]byte(a.body))
	if !ok || length != len(rest) || !strings.HasPrefix(string(rest), `0{"sid":"`) {
		st.t.Fatalf("handshake: %+v", a)
	}
	r = st.next()
	return "EIO=3&transport=polling&sid=" + r.session.ID(), r
}

func settings3() *Settings {
	s := settings()
	s.AllowEIO3 = true
	return s
}

func TestVersion3Polling(t *testing.T) {
	st := newSite(t, settings3())
	query, r := st.open3()
	if a := st.do("POST", query, "6:4héllo3:4😀10:b4AQIDBA=="); a.status != 200 {
		t.Fatalf("%+v", a)
	}
	binary := "\x00\x07\xff4h\xc3\xa9llo\x01\x05\xff\x04\x01\x02\x03\x04"
	if a := st.do("POST", query, binary, header("Content-Type", "application/octet-stream")); a.status != 200 {
		t.Fatalf("%+v", a)
	}
	for _, want := range []message{
		{"héllo", false}, {"😀", false}, {"\x01\x02\x03\x04", true}, {"héllo", false}, {"\x01\x02\x03\x04", true},
	} {
		if got := receive(t, r.got); got != want {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
	r.session.Send(Text([]byte("😀")), Binary([]byte{1, 2, 3, 4}))
	if a := st.get(query); a.body != "3:4😀10:b4AQIDBA==" {
		t.Fatalf("%+v", a)
	}
	if a := st.do("POST", query, "1:2"); a.status != 200 {
		t.Fatalf("%+v", a)
	}
	if a := st.get(query); a.body != "1:3" {
		t.Fatalf("%+v", a)
	}
}

func TestVersion3InvalidPosts(t *testing.T) {
	st := newSite(t, settings3())
	for _, body := range []string{"4hello", "9:4short", "1:x", "-1:4", "99999999999999:4", ":4", "2:4😀", "3", "0:9"} {
		query, r := st.open3()
		if a := st.do("POST", query, body); a.status != 400 {
			t.Fatalf("%q: %+v", body, a)
		}
		r.wantClosed(t, "parse error")
		st.wantGone(query)
	}
}

func TestVersion3WebSocket(t *testing.T) {
	st := newSite(t, settings3())
	c := st.websocket("EIO=3&transport=websocket")
	c.wantOpen()
	r := st.next()
	c.text("2")
	c.wantText("3")
	c.send(ws.OpBinary, "\x04\x01\x02")
	if got := receive(t, r.got); got != (message{"\x01\x02", true}) {
		t.Fatal(got)
	}
	r.session.Send(Binary([]byte{1, 2, 3, 4}))
	c.want(ws.OpBinary, "\x04\x01\x02\x03\x04")

	c = st.websocket("EIO=3&transport=websocket&b64=1")
	c.wantOpen()
	st.next().session.Send(Binary([]byte{1, 2, 3, 4}))
	c.wantText("b4AQIDBA==")
}

func TestVersion3Upgrade(t *testing.T) {
	st := newSite(t, settings3())
	query, r := st.open3()
	c := st.probed(query)
	c.text("5")
	r.session.Send(Text([]byte("a")))
	c.wantText("4a")
}

// TestVersion3Heartbeat: the client pings.
func TestVersion3Heartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newPipeSite(t, settings3())
		c := st.websocket("EIO=3&transport=websocket")
		c.conn = nil
		c.wantOpen()
		time.Sleep(40 * time.Second)
		c.text("2")
		c.wantText("3")
		start := time.Now()
		c.wantClose(1000, "ping timeout")
		if at := time.Since(start); at != 45*time.Second {
			t.Fatalf("closed after %v", at)
		}
	})
}
