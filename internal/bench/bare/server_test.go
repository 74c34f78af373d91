package bare

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/wire"
)

// dial upgrades to path and returns the connection with the frames it carries.
func dial(t *testing.T, addr, path string) (net.Conn, *wire.Reader) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := conn.Write(wire.UpgradeRequest(addr, path)); err != nil {
		t.Fatal(err)
	}
	rest, err := wire.ReadUpgrade(conn)
	if err != nil {
		t.Fatal(err)
	}
	return conn, wire.NewReader(conn, rest)
}

func expect(t *testing.T, frames *wire.Reader, want string) {
	t.Helper()
	if _, got, err := frames.Next(); err != nil || string(got) != want {
		t.Fatalf("got %.80q, %v, want %.80q", got, err, want)
	}
}

func start(t *testing.T) string {
	s := httptest.NewServer(New())
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func TestEchoAnswersEachMessage(t *testing.T) {
	conn, frames := dial(t, start(t), "/echo")
	var sent []byte
	for _, n := range []int{1, 125, 126, 5000} {
		sent = wire.AppendFrame(sent, wire.Text, bytes.Repeat([]byte("x"), n))
	}
	if _, err := conn.Write(sent); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		expect(t, frames, `430[{"ok":true,"data":"pong from server"}]`)
	}
}

func TestRelayStaysInItsPair(t *testing.T) {
	addr := start(t)
	one, ofOne := dial(t, addr, "/relay?a")
	other, stranger := dial(t, addr, "/relay?b")
	two, ofTwo := dial(t, addr, "/relay?a")
	// Both ends are known once the second has had an answer to its own message.
	if _, err := two.Write(wire.TextFrame(`420["from two"]`)); err != nil {
		t.Fatal(err)
	}
	expect(t, ofOne, `42["from two"]`)
	expect(t, ofTwo, `430[{"ok":true}]`)
	long := `["` + strings.Repeat("x", 1000) + `"]`
	if _, err := one.Write(wire.TextFrame("420" + long)); err != nil {
		t.Fatal(err)
	}
	expect(t, ofTwo, "42"+long)
	expect(t, ofOne, `430[{"ok":true}]`)
	if _, err := other.Write(wire.TextFrame("420[]")); err != nil {
		t.Fatal(err)
	}
	expect(t, stranger, `430[{"ok":true}]`) // and nothing before it
}

func TestOtherRequestsAreNotFound(t *testing.T) {
	for path, key := range map[string]string{"/echo": "", "/other": "x"} {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Sec-Websocket-Key", key)
		w := httptest.NewRecorder()
		New().ServeHTTP(w, r)
		if w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

func FuzzNext(f *testing.F) {
	f.Add(wire.TextFrame("x"))
	f.Add(wire.TextFrame(strings.Repeat("x", 2000)))
	f.Add([]byte("\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		c := &conn{Conn: readOnly{r: bufio.NewReader(bytes.NewReader(stream))}, buf: make([]byte, 16)}
		for {
			payload, err := c.next()
			if err != nil {
				return
			}
			if len(payload) > len(stream) {
				t.Fatalf("%d bytes out of %d", len(payload), len(stream))
			}
		}
	})
}

type readOnly struct {
	net.Conn
	r *bufio.Reader
}

func (c readOnly) Read(b []byte) (int, error) { return c.r.Read(b) }
