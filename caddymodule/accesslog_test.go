package caddymodule_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/quic-go/quic-go/http3"
	"golang.org/x/net/http2"
)

func init() { caddy.RegisterModule(lines{}) }

// written are the lines of logs with `output lines`.
var written = make(chan string, 1024)

// lines is a log's output that tests can wait for.
type lines struct{}

func (lines) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.logging.writers.lines", New: func() caddy.Module { return new(lines) }}
}

func (lines) String() string                                { return "lines" }
func (lines) WriterKey() string                             { return "lines" }
func (lines) OpenWriter() (io.WriteCloser, error)           { return lines{}, nil }
func (lines) UnmarshalCaddyfile(*caddyfile.Dispenser) error { return nil }
func (lines) Close() error                                  { return nil }

func (lines) Write(p []byte) (int, error) {
	written <- string(p)
	return len(p), nil
}

// accessLine is what the access log says of a request.
type accessLine struct {
	User      string `json:"user_id"`
	Status    int    `json:"status"`
	Transport string `json:"socketio_transport"`
	Request   struct {
		Proto  string `json:"proto"`
		Method string `json:"method"`
	} `json:"request"`
}

func nextLine(t *testing.T) (l accessLine) {
	t.Helper()
	select {
	case text := <-written:
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatal(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("no line was written")
	}
	return l
}

// frames carries a websocket, over whatever.
type frames struct {
	t *testing.T
	io.ReadWriteCloser
}

func (f frames) send(packet string) {
	f.t.Helper()
	if err := wsutil.WriteClientText(f, []byte(packet)); err != nil {
		f.t.Fatal(err)
	}
}

// want reads the next packet, heartbeats left out, which begins so.
func (f frames) want(prefix string) {
	f.t.Helper()
	got, err := wsutil.ReadServerText(f)
	for err == nil && string(got) == "2" {
		got, err = wsutil.ReadServerText(f)
	}
	if err != nil || !strings.HasPrefix(string(got), prefix) {
		f.t.Fatalf("got %q, %v, want %s…", got, err, prefix)
	}
}

type readWriteCloser struct {
	io.Reader
	io.Writer
	io.Closer
}

const overTLS = "localhost:9443/socket.io/?EIO=4&transport=websocket"

// beside has the ports of a Caddy beside that of the other tests.
var beside = strings.NewReplacer("2999", "2998", "9080", "9081", "9443", "9444")

// upgraded opens a websocket of HTTP/1.1.
func upgraded(t *testing.T) frames {
	t.Helper()
	f := dial(t, "wss://"+overTLS)
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// streamed opens one inside of a stream of HTTP/2 or HTTP/3; mark makes it one.
func streamed(t *testing.T, transport http.RoundTripper, address string, mark func(*http.Request)) frames {
	t.Helper()
	out, in := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodConnect, "https://"+address, out)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Sec-WebSocket-Version", "13")
	mark(r)
	res, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close(); _ = in.Close() })
	if res.StatusCode != http.StatusOK {
		t.Fatal(res.Status)
	}
	return frames{t, readWriteCloser{res.Body, in, in}}
}

// serveLogged serves over TLS with an access log. (Its lines, all of which every
// test takes, are those of one test at a time.)
func serveLogged(t *testing.T, directives string) {
	t.Helper()
	serveText(t, loggedSite(directives))
	t.Cleanup(func() { serve(t, "respond ok") })
}

func loggedSite(directives string) string {
	return strings.Replace(site("log {\noutput lines\n}\n"+directives), "http://localhost:9080 {", "https://localhost:9443 {\ntls internal {\non_demand\n}", 1)
}

const guarded = "socketio {\nname access-log\nauth jwt {\nsecret " + tokenSecret + "\n}\n}"

func TestAccessLogOfAWebsocketHasTheUserOfItsToken(t *testing.T) {
	serveLogged(t, guarded)
	f := upgraded(t)
	f.want("0{")
	f.send(`40{"token":"` + token(t, tokenSecret, "ada") + `"}`)
	f.want("40{")
	if l := nextLine(t); l.User != "ada" || l.Status != 101 || l.Transport != "websocket" || l.Request.Proto != "HTTP/1.1" {
		t.Errorf("got %+v", l)
	}
	f.send(`421["ping"]`) // it is still open
	f.want("431[")
}

// The request of a websocket waits for its user, but not for ever, nor where
// nobody has one.
func TestAccessLogOfAWebsocketWithoutAUser(t *testing.T) {
	t.Run("closed before it enters", func(t *testing.T) {
		serveLogged(t, guarded)
		f := upgraded(t)
		f.want("0{")
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if l := nextLine(t); l.User != "" || l.Status != 101 {
			t.Errorf("got %+v", l)
		}
	})
	t.Run("refused", func(t *testing.T) {
		serveLogged(t, strings.Replace(guarded, "auth", "connect_timeout 1s\nauth", 1))
		f := upgraded(t)
		f.want("0{")
		f.send("40")
		f.want("44{")
		if l := nextLine(t); l.User != "" || l.Status != 101 {
			t.Errorf("got %+v", l)
		}
	})
	t.Run("everybody is let in", func(t *testing.T) {
		serveLogged(t, "socketio {\nname access-log-open\n}")
		f := upgraded(t)
		f.want("0{")
		if l := nextLine(t); l.User != "" || l.Status != 101 {
			t.Errorf("got %+v", l)
		}
	})
}

// A probe that comes to nothing ends its request, though its session lives on.
func TestAccessLogOfAnUpgradeThatFails(t *testing.T) {
	serveLogged(t, guarded)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	res, err := client.Get("https://localhost:9443/socket.io/?EIO=4&transport=polling")
	if err != nil {
		t.Fatal(err)
	}
	open, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	nextLine(t)
	_, rest, _ := strings.Cut(string(open), `"sid":"`)
	sid, _, _ := strings.Cut(rest, `"`)
	dialer := ws.Dialer{TLSConfig: &tls.Config{InsecureSkipVerify: true}}
	conn, _, _, err := dialer.Dial(t.Context(), "wss://"+overTLS+"&sid="+sid)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := wsutil.WriteClientText(conn, []byte("no probe")); err != nil {
		t.Fatal(err)
	}
	if l := nextLine(t); l.User != "" || l.Status != 101 {
		t.Errorf("got %+v", l)
	}
}

func testStreamedUser(t *testing.T, proto string, f frames) {
	t.Helper()
	f.want("0{")
	f.send(`40{"token":"` + token(t, tokenSecret, "ada") + `"}`)
	f.want("40{")
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if l := nextLine(t); l.User != "ada" || l.Status != 200 || l.Transport != "websocket" || l.Request.Method != http.MethodConnect || l.Request.Proto != proto {
		t.Errorf("got %+v", l)
	}
}

// inOwnProcess runs a test in a process of its own, where it reports false: net/http
// reads the switch for RFC 8441 when it starts.
func inOwnProcess(t *testing.T) bool {
	t.Helper()
	if os.Getenv("CADDYMODULE_HTTP2") != "" {
		return false
	}
	self, err := os.Executable() // os.Args are another command's by now
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), "CADDYMODULE_HTTP2=1", "GODEBUG=http2xconnect=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("%v\n%s", err, out)
	}
	return true
}

// loadBeside loads a config beside that of the other tests.
func loadBeside(t *testing.T, text string) {
	t.Helper()
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(beside.Replace(text)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(config, true); err != nil {
		t.Fatal(err)
	}
}

// streamedHTTP2 opens a websocket inside of HTTP/2 with that Caddy.
func streamedHTTP2(t *testing.T) frames {
	t.Helper()
	//nolint:staticcheck // net/http's own client refuses the pseudo header
	tr := &http2.Transport{DialTLSContext: func(ctx context.Context, network, addr string, _ *tls.Config) (net.Conn, error) {
		dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}}
		conn, err := dialer.DialContext(ctx, network, addr)
		if err == nil {
			t.Cleanup(func() { _ = conn.Close() }) // it would be kept for the next request
		}
		return conn, err
	}}
	return streamed(t, tr, beside.Replace(overTLS), func(r *http.Request) { r.Header.Set(":protocol", "websocket") })
}

// streamedHTTP3 opens one inside of HTTP/3.
func streamedHTTP3(t *testing.T) frames {
	t.Helper()
	tr := &http3.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{http3.NextProtoH3}}}
	t.Cleanup(func() { _ = tr.Close() })
	return streamed(t, tr, overTLS, func(r *http.Request) { r.Proto = "websocket" })
}

func TestAccessLogOfAnHTTP2WebsocketHasTheUser(t *testing.T) {
	if inOwnProcess(t) {
		return
	}
	loadBeside(t, loggedSite(guarded))
	testStreamedUser(t, "HTTP/2.0", streamedHTTP2(t))
}

func TestAccessLogOfAnHTTP3WebsocketHasTheUser(t *testing.T) {
	serveLogged(t, guarded)
	testStreamedUser(t, "websocket", streamedHTTP3(t))
}
