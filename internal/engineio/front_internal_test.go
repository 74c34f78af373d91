package engineio

import (
	"bufio"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/gobwas/ws"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// plainWrapper is a writer such as Caddy's, that unwraps but does not hijack.
type plainWrapper struct{ http.ResponseWriter }

func (w plainWrapper) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// hijackWrapper is a writer of access logs: it sees the status, and would count
// the bytes of a connection hijacked from it while the log line is written.
type hijackWrapper struct {
	http.ResponseWriter
	status chan int
}

func (w hijackWrapper) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w hijackWrapper) WriteHeader(status int) {
	w.status <- status
	w.ResponseWriter.WriteHeader(status)
}

func (w hijackWrapper) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, errors.New("hijacked from the wrapper")
}

func TestWrappedWriters(t *testing.T) {
	st := newSite(t, settings())
	status := make(chan int, 1)
	inner := st.httpServ.Handler
	st.httpServ.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Front", "yes")
		inner.ServeHTTP(plainWrapper{hijackWrapper{plainWrapper{w}, status}}, r)
	})
	c, res := st.tryWebSocket("EIO=4&transport=websocket")
	if res.status != http.StatusSwitchingProtocols || res.header.Get("X-Front") != "yes" ||
		res.header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("%+v", res)
	}
	if got := receive(t, status); got != 101 {
		t.Fatalf("logged as %d", got)
	}
	c.wantOpen()
}

// TestFramesBehindTheHandshake arrive in net/http's buffer.
func TestFramesBehindTheHandshake(t *testing.T) {
	st := newSite(t, settings())
	conn, err := st.dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	request := "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: example.com\r\n" +
		"Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	frame := ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte("4early"))))
	if _, err := conn.Write(append([]byte(request), frame...)); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, st.next().got); got.data != "early" {
		t.Fatal(got)
	}
}

func TestMalformedUpgrades(t *testing.T) {
	st := newSite(t, settings())
	for name, edit := range map[string]func(*http.Request){
		"no key":      func(r *http.Request) { r.Header.Del("Sec-WebSocket-Key") },
		"short key":   header("Sec-WebSocket-Key", "c2hvcnQ="),
		"old version": header("Sec-WebSocket-Version", "8"),
		"other token": header("Upgrade", "h2c"),
	} {
		s := settings()
		s.Cookie = &http.Cookie{Name: "io"}
		s.PerMessageDeflate = 1
		st.srv.Configure(s)
		a := st.get("EIO=4&transport=websocket", func(r *http.Request) {
			r.Header.Set("Connection", "Upgrade")
			r.Header.Set("Upgrade", "websocket")
			r.Header.Set("Sec-WebSocket-Version", "13")
			r.Header.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
			r.Header.Set("Sec-WebSocket-Extensions", "permessage-deflate")
			edit(r)
		})
		if a.status != 400 || a.header.Get("Set-Cookie") != "" || a.header.Get("Sec-WebSocket-Extensions") != "" {
			t.Errorf("%s: %+v", name, a)
		}
	}
	if st.srv.Len() != 0 || st.srv.limits.total != 0 {
		t.Fatal("something is left")
	}
}

func TestAcceptThatFails(t *testing.T) {
	for name, accept := range map[string]func(*Session) Receiver{
		"nil":   func(*Session) Receiver { return nil },
		"panic": func(*Session) Receiver { panic("no") },
	} {
		t.Run(name, func(t *testing.T) {
			st := newSite(t, settings())
			st.srv.accept, st.handlers = accept, &sync.WaitGroup{}
			st.websocket("EIO=4&transport=websocket")
			st.get(handshakeQuery)
			st.handlers.Wait()
			st.srv.Drain(t.Context(), 0)
			if st.srv.Len()+len(st.srv.conns)+st.srv.limits.total != 0 {
				t.Fatal("something is left")
			}
		})
	}
}

func TestTLS(t *testing.T) {
	st := newSite(t, settings())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serverTLS, clientTLS := certificate(t)
	srv := &http.Server{Handler: st.httpServ.Handler, TLSConfig: serverTLS}
	var served sync.WaitGroup
	served.Go(func() { _ = srv.ServeTLS(l, "", "") })
	t.Cleanup(func() { _ = srv.Close(); served.Wait() })
	st.dial = func() (net.Conn, error) { return tls.Dial("tcp", l.Addr().String(), clientTLS) }

	c := st.websocket("EIO=4&transport=websocket")
	c.wantOpen()
	r := st.next()
	large := strings.Repeat("x", 300_000)
	c.text("4" + large)
	if got := receive(t, r.got); got.data != large {
		t.Fatal("changed on the way")
	}
	for range 3 {
		r.session.Send(Text([]byte(large)), Text([]byte("small")))
	}
	for range 3 {
		c.wantText("4" + large)
		c.wantText("4small")
	}
	r.session.Close("forced close")
	c.wantClose(1000, "")
}

// TestNothingSecretIsLogged greps what a busy life writes to the log.
func TestNothingSecretIsLogged(t *testing.T) {
	logs, observed := observer.New(zap.DebugLevel)
	s := settings()
	s.Logger = zap.New(logs)
	st := newSite(t, s)
	query, r := st.open()
	st.do("POST", query, "abc")
	receive(t, r.closed)
	st.get(query, header("Cookie", "token=hush"))
	st.get(query, header("Origin", "https://evil.example"))
	c := st.websocket("EIO=4&transport=websocket")
	c.wantOpen()
	other := st.next()
	c.text("x")
	receive(t, other.closed)
	if observed.FilterMessage("connection refused").Len() == 0 {
		t.Fatal("nothing was logged")
	}
	for _, line := range observed.All() {
		for k, v := range line.ContextMap() {
			for _, secret := range []string{r.session.ID(), other.session.ID(), "hush"} {
				if text, ok := v.(string); ok && strings.Contains(text, secret) {
					t.Errorf("%s: %s holds a secret", line.Message, k)
				}
			}
		}
	}
}
