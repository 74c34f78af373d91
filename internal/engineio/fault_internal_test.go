package engineio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
)

func (r *recorder) wantClosed(t *testing.T, reason string) {
	t.Helper()
	if got := receive(t, r.closed); got != reason {
		t.Fatalf("closed with %q, want %q", got, reason)
	}
	if r.session.Send(Text([]byte("late"))) || !r.session.Closed() {
		t.Fatal("a closed session takes messages")
	}
}

// wantGone expects that nothing is left of a session.
func (st *site) wantGone(query string) {
	st.t.Helper()
	if a := st.get(query); a.status != 400 || !strings.Contains(a.body, `"code":1`) {
		st.t.Fatalf("the session lives on: %+v", a)
	}
}

func TestInvalidPost(t *testing.T) {
	for name, c := range map[string]struct {
		body   string
		edit   func(*http.Request)
		status int
		reason string
	}{
		"unknown type":     {"abc", nil, 400, "parse error"},
		"empty":            {"", header("Content-Type", "text/plain"), 400, "parse error"},
		"empty packet":     {"4a\x1e\x1e4b", nil, 400, "parse error"},
		"base64":           {"b$$$", nil, 400, "parse error"},
		"invalid UTF-8":    {"4\xff", nil, 400, "parse error"},
		"binary body":      {"\x04abc", header("Content-Type", "application/octet-stream"), 400, "parse error"},
		"ping by client":   {"2", nil, 400, "transport error"},
		"too large":        {"4" + strings.Repeat("x", 1000), nil, 413, "transport error"},
		"too large chunks": {"4" + strings.Repeat("x", 1000), func(r *http.Request) { r.ContentLength = -1 }, 413, "transport error"},
	} {
		t.Run(name, func(t *testing.T) {
			s := settings()
			s.MaxPayload = 1000
			st := newSite(t, s)
			query, r := st.open()
			if c.edit == nil {
				c.edit = func(*http.Request) {}
			}
			waiting := st.later("GET", query, "")
			if a := st.do("POST", query, c.body, c.edit); a.status != c.status {
				t.Fatalf("%+v", a)
			}
			r.wantClosed(t, c.reason)
			st.wantGone(query)
			if a := receive(t, waiting); a.status == 200 && a.body != "1" {
				t.Fatalf("the waiting poll got %q", a.body)
			}
		})
	}
}

func TestInvalidWebSocket(t *testing.T) {
	frame := func(edit func(*ws.Frame)) ws.Frame {
		f := ws.NewTextFrame([]byte("4x"))
		edit(&f)
		return f
	}
	for name, c := range map[string]struct {
		frame  ws.Frame
		code   ws.StatusCode
		reason string
	}{
		"unknown type":       {ws.NewTextFrame([]byte("abc")), 1002, "parse error"},
		"empty packet":       {ws.NewTextFrame(nil), 1002, "parse error"},
		"ping by client":     {ws.NewTextFrame([]byte("2")), 1002, "transport error"},
		"close packet":       {ws.NewTextFrame([]byte("1")), 1000, "transport close"},
		"reserved bits":      {frame(func(f *ws.Frame) { f.Header.Rsv = ws.Rsv(false, true, false) }), 1002, "transport error"},
		"compressed":         {frame(func(f *ws.Frame) { f.Header.Rsv = rsv1 }), 1002, "transport error"},
		"reserved op":        {frame(func(f *ws.Frame) { f.Header.OpCode = 3 }), 1002, "transport error"},
		"stray continuation": {frame(func(f *ws.Frame) { f.Header.OpCode = ws.OpContinuation }), 1002, "transport error"},
		"fragmented control": {frame(func(f *ws.Frame) { f.Header.OpCode, f.Header.Fin = ws.OpPing, false }), 1002, "transport error"},
		"long control":       {ws.NewPingFrame(make([]byte, 126)), 1002, "transport error"},
		"too big":            {ws.NewTextFrame(append([]byte{'4'}, make([]byte, 1000)...)), 1009, "transport error"},
		"invalid UTF-8":      {ws.NewTextFrame([]byte("4\xff")), 1007, "transport error"},
		"close code":         {ws.NewCloseFrame([]byte{3, 0xed}), 1002, "transport error"}, // 1005
		"half a close code":  {ws.NewCloseFrame([]byte{3}), 1002, "transport error"},
	} {
		t.Run(name, func(t *testing.T) {
			s := settings()
			s.MaxPayload = 1000
			st := newSite(t, s)
			wsc := st.websocket("EIO=4&transport=websocket")
			wsc.wantOpen()
			r := st.next()
			wsc.frame(c.frame)
			wsc.wantClose(c.code, "")
			r.wantClosed(t, c.reason)
		})
	}
}

func TestUnmaskedFrame(t *testing.T) {
	st := newSite(t, settings())
	c := st.websocket("EIO=4&transport=websocket")
	c.wantOpen()
	if _, err := c.rw.Write(ws.MustCompileFrame(ws.NewTextFrame([]byte("4x")))); err != nil {
		t.Fatal(err)
	}
	c.wantClose(1002, "")
	st.next().wantClosed(t, "transport error")
}

func TestFragmentsBeyondMaxPayload(t *testing.T) {
	s := settings()
	s.MaxPayload = 100
	st := newSite(t, s)
	c := st.websocket("EIO=4&transport=websocket")
	c.wantOpen()
	c.frame(ws.NewFrame(ws.OpText, false, bytes.Repeat([]byte("4"), 60)))
	c.frame(ws.NewFrame(ws.OpContinuation, true, bytes.Repeat([]byte("4"), 60)))
	c.wantClose(1009, "")
	st.next().wantClosed(t, "transport error")
}

func TestOverlappingRequests(t *testing.T) {
	t.Run("polls", func(t *testing.T) {
		st := newSite(t, settings())
		query, r := st.open()
		first, second := st.later("GET", query, ""), st.later("GET", query, "")
		a, b := receive(t, first), receive(t, second)
		if a.status != 200 {
			a, b = b, a
		}
		if a.status != 200 || a.body != "1" || b.status != 400 {
			t.Fatalf("%+v, %+v", a, b)
		}
		r.wantClosed(t, "transport error")
		st.wantGone(query)
	})
	t.Run("posts", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			st := newPipeSite(t, settings3())
			release := make(chan struct{})
			st.onOpen = func(r *recorder) {
				r.receive = func([]byte, bool) error { <-release; return nil }
			}
			query, r := st.open()
			var answers []<-chan answer
			for _, packet := range []string{"4a", "4b"} {
				answers = append(answers, st.later("POST", query, packet))
				synctest.Wait()
			}
			if a := st.do("POST", query, "4c"); a.status != 400 {
				t.Fatalf("a third beside two: %+v", a)
			}
			r.wantClosed(t, "transport error")
			close(release)
			for _, one := range answers {
				receive(t, one)
			}
		})
	})
}

// A body that comes byte by byte, so that no idle timeout ends it.
func TestABodyEndsWithItsSession(t *testing.T) {
	st := newSite(t, settings())
	query, r := st.open()
	conn, err := st.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "POST /?%s HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n42", query); err != nil {
		t.Fatal(err)
	}
	for posting := false; !posting; runtime.Gosched() {
		r.session.mu.Lock()
		posting = r.session.posting
		r.session.mu.Unlock()
	}
	r.session.fail(reasonPing)
	r.wantClosed(t, reasonPing)
	if _, err := conn.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	// The byte may come too late to be read, which resets the connection.
	rest, err := io.ReadAll(conn)
	if err != nil && !errors.Is(err, syscall.ECONNRESET) || !strings.HasPrefix(string(rest), "HTTP/1.1 400 ") {
		t.Fatalf("got %.200q, %v", rest, err)
	}
}

// net/http reads on before it answers a request whose body nobody wants.
func TestUnreadBodyHoldsNoRequest(t *testing.T) {
	for name, c := range map[string]struct{ method, query, head, status string }{
		"POST to an unknown session":  {"POST", "EIO=4&transport=polling&sid=made-up", "Content-Length: 1000", "400"},
		"POST in chunks":              {"POST", "EIO=4&transport=polling&sid=made-up", "Transfer-Encoding: chunked", "400"},
		"handshake by POST":           {"POST", handshakeQuery, "Content-Length: 1000", "400"},
		"POST of a foreign page":      {"POST", handshakeQuery, "Origin: https://evil.test\r\nContent-Length: 1000", "403"},
		"handshake with a body":       {"GET", handshakeQuery, "Content-Length: 1000", "200"},
		"preflight with a body":       {"OPTIONS", handshakeQuery, "Content-Length: 1000", "204"},
		"DELETE with a body":          {"DELETE", handshakeQuery, "Content-Length: 1000", "400"},
		"POST of more than it begins": {"POST", "EIO=4&transport=polling&sid=made-up", "Content-Length: 200000", "400"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st := newPipeSite(t, settings())
				conn, err := st.dial()
				if err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				var sending sync.WaitGroup
				sending.Go(func() { // the body, until the server has closed the connection
					_, err := fmt.Fprintf(conn, "%s /?%s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", c.method, c.query, c.head)
					for ; err == nil; time.Sleep(time.Second) {
						_, err = io.WriteString(conn, "1\r\nx\r\n")
					}
				})
				answer, _ := io.ReadAll(conn)
				if !strings.HasPrefix(string(answer), "HTTP/1.1 "+c.status+" ") {
					t.Errorf("got %q", answer)
				}
				// A half-closed connection lingers for half a second.
				if took := time.Since(start); took < unreadGrace || took > unreadGrace+time.Second {
					t.Errorf("took %v", took)
				}
				_ = conn.Close()
				sending.Wait()
			})
		})
	}
}

// TestUnreadBodyOfGoodWill is one that is complete: its connection is used again.
func TestUnreadBodyOfGoodWill(t *testing.T) {
	st := newSite(t, settings())
	dials, dial := 0, st.http.Transport.(*http.Transport).DialContext
	st.http.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		dials++
		return dial(ctx, network, address)
	}
	for range 5 {
		if a := st.do("POST", "EIO=4&transport=polling&sid=made-up", strings.Repeat("x", 100_000)); a.status != 400 {
			t.Fatalf("%+v", a)
		}
	}
	if dials != 1 {
		t.Errorf("%d connections", dials)
	}
}

func TestCloseByClient(t *testing.T) {
	t.Run("polling", func(t *testing.T) {
		st := newSite(t, settings())
		query, r := st.open()
		waiting := st.later("GET", query, "")
		r.waitPolled()
		if a := st.do("POST", query, "1"); a.status != 200 || a.body != "ok" {
			t.Fatalf("%+v", a)
		}
		if a := receive(t, waiting); a.body != "6" {
			t.Fatalf("the waiting poll got %q", a.body)
		}
		r.wantClosed(t, "transport close")
		st.wantGone(query)
	})
	t.Run("close frame", func(t *testing.T) {
		st := newSite(t, settings())
		c := st.websocket("EIO=4&transport=websocket")
		c.wantOpen()
		c.frame(ws.NewCloseFrame(ws.NewCloseFrameBody(1001, "bye")))
		c.want(ws.OpClose, string(ws.NewCloseFrameBody(1001, "")))
		c.wantEnd()
		st.next().wantClosed(t, "transport close")
	})
	t.Run("cut", func(t *testing.T) {
		st := newSite(t, settings())
		c := st.websocket("EIO=4&transport=websocket")
		c.wantOpen()
		if err := c.conn.Close(); err != nil {
			t.Fatal(err)
		}
		st.next().wantClosed(t, "transport close")
	})
}

func TestReceiverFailures(t *testing.T) {
	for name, f := range map[string]func([]byte, bool) error{
		"error": func([]byte, bool) error { return errors.New("no") },
		"panic": func([]byte, bool) error { panic("no") },
	} {
		t.Run(name, func(t *testing.T) {
			st := newSite(t, settings())
			st.onOpen = func(r *recorder) { r.receive = f }
			c := st.websocket("EIO=4&transport=websocket")
			c.wantOpen()
			c.text("4x")
			c.wantClose(1002, "")
			st.next().wantClosed(t, "parse error")
		})
	}
}

func TestOtherUser(t *testing.T) {
	st := newSite(t, settings())
	st.client = func(r *http.Request) Client { return Client{UserKey: r.Header.Get("User")} }
	a := st.get("EIO=4&transport=polling", header("User", "ann"))
	if a.status != 200 {
		t.Fatalf("%+v", a)
	}
	query := "EIO=4&transport=polling&sid=" + st.next().session.ID()
	for _, user := range []string{"bob", ""} {
		if a := st.do("POST", query, "4x", header("User", user)); a.status != 403 || a.body != `{"code":4,"message":"Forbidden"}` {
			t.Fatalf("%q: %+v", user, a)
		}
	}
	if a := st.do("POST", query, "4x", header("User", "ann")); a.status != 200 {
		t.Fatalf("%+v", a)
	}
}

// What the front reads of a request's user may change while sessions live.
func TestOtherUserByOtherKeys(t *testing.T) {
	st := newSite(t, settings())
	in := "User"
	st.client = func(r *http.Request) Client {
		name := in
		keyOf := func(user any, h http.Header) string { return user.(string) + h.Get(name) }
		return Client{User: "x", UserKey: keyOf("x", r.Header), KeyOf: keyOf}
	}
	a := st.get("EIO=4&transport=polling", header("User", "ann"), header("Mail", "a@b"))
	if a.status != 200 {
		t.Fatalf("%+v", a)
	}
	query := "EIO=4&transport=polling&sid=" + st.next().session.ID()
	for _, in = range []string{"User", "Mail", "None", "User"} {
		if a := st.do("POST", query, "4x", header("User", "ann"), header("Mail", "a@b")); a.status != 200 {
			t.Errorf("by %s: %+v", in, a)
		}
		if a := st.do("POST", query, "4x", header("User", "bob"), header("Mail", "b@b")); (a.status == 403) == (in == "None") {
			t.Errorf("another user by %s: %+v", in, a)
		}
	}
}
