package engineio

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"golang.org/x/net/http2"
)

// certificate signs itself for 127.0.0.1.
func certificate(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, &tls.Config{RootCAs: roots}
}

// TestHTTP2 runs its cases in a process of their own: net/http reads the switch
// for RFC 8441 from the environment when it starts.
func TestHTTP2(t *testing.T) {
	if os.Getenv("ENGINEIO_HTTP2") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestHTTP2$", "-test.v")
		cmd.Env = append(os.Environ(), "ENGINEIO_HTTP2=1", "GODEBUG=http2xconnect=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if !strings.Contains(string(out), "--- PASS: TestHTTP2/ends/stalled") {
			t.Fatalf("the cases did not run:\n%s", out)
		}
		return
	}
	testStreams(t, func(t *testing.T, st *site) *http.Client {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		serverTLS, clientTLS := certificate(t)
		srv := &http.Server{Handler: st.httpServ.Handler, TLSConfig: serverTLS}
		var served sync.WaitGroup
		served.Go(func() { _ = srv.ServeTLS(l, "", "") })
		//nolint:staticcheck // net/http's own client refuses the pseudo header
		tr := &http2.Transport{TLSClientConfig: clientTLS}
		t.Cleanup(func() {
			tr.CloseIdleConnections() //nolint:staticcheck // see above
			_ = srv.Close()
			served.Wait()
		})
		st.address = l.Addr().String()
		return &http.Client{Transport: tr}
	}, func(r *http.Request) { r.Header.Set(":protocol", "websocket") })
}

func TestHTTP3(t *testing.T) {
	testStreams(t, func(t *testing.T, st *site) *http.Client {
		udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		serverTLS, clientTLS := certificate(t)
		srv := &http3.Server{Handler: st.httpServ.Handler, TLSConfig: http3.ConfigureTLSConfig(serverTLS)}
		var served sync.WaitGroup
		served.Go(func() { _ = srv.Serve(udp) })
		small := &quic.Config{InitialStreamReceiveWindow: 1 << 16, MaxStreamReceiveWindow: 1 << 16}
		tr := &http3.Transport{TLSClientConfig: clientTLS, QUICConfig: small}
		t.Cleanup(func() { _ = tr.Close(); _ = srv.Close(); _ = udp.Close(); served.Wait() })
		st.address = udp.LocalAddr().String()
		return &http.Client{Transport: tr}
	}, func(r *http.Request) { r.Proto = "websocket" })
}

// stream opens a websocket in a stream of its own. cut resets it.
func (st *site) stream(client *http.Client, query string, mark func(*http.Request)) (c *wsClient, cut func()) {
	st.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	st.t.Cleanup(cancel)
	out, in := io.Pipe()
	r, err := http.NewRequestWithContext(ctx, http.MethodConnect, "https://"+st.address+"/socket.io/?"+query, out)
	if err != nil {
		st.t.Fatal(err)
	}
	r.Header.Set("Sec-WebSocket-Version", "13")
	mark(r)
	res, err := client.Do(r)
	if err != nil {
		st.t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		st.t.Fatal(res.Status)
	}
	st.t.Cleanup(func() { _ = res.Body.Close(); _ = in.Close() })
	return &wsClient{t: st.t, rw: struct {
		io.Reader
		io.Writer
	}{res.Body, in}}, func() { cancel(); _ = in.CloseWithError(context.Canceled) }
}

// testStreams is the same for HTTP/2 and HTTP/3.
func testStreams(t *testing.T, serve func(*testing.T, *site) *http.Client, mark func(*http.Request)) {
	start := func(t *testing.T, s *Settings) (*site, *http.Client) {
		st := newSite(t, s)
		st.handlers = &sync.WaitGroup{}
		t.Cleanup(st.handlers.Wait) // every handler returns
		return st, serve(t, st)
	}
	const query = "EIO=4&transport=websocket"

	t.Run("messages", func(t *testing.T) {
		st, client := start(t, settings())
		var opened, restored sync.WaitGroup
		opened.Add(1)
		restored.Add(1)
		st.client = func(*http.Request) Client {
			return Client{KeepBodyOpen: func() func() { opened.Done(); return restored.Done }}
		}
		c, cut := st.stream(client, query, mark)
		c.wantOpen()
		r := st.next()
		large := strings.Repeat("x", 200_000)
		c.text("4hello")
		c.text("4" + large)
		if a, b := receive(t, r.got), receive(t, r.got); a.data != "hello" || b.data != large {
			t.Fatal("changed on the way")
		}
		r.session.Send(Text([]byte("a")), Text([]byte(large)), Binary([]byte{1}))
		c.wantText("4a")
		c.wantText("4" + large)
		c.want(ws.OpBinary, "\x01")
		opened.Wait()
		cut()
		r.wantClosed(t, "transport close")
		restored.Wait()
	})
	t.Run("upgrade", func(t *testing.T) {
		st, client := start(t, settings())
		poll, r := st.open()
		c, _ := st.stream(client, upgradeOf(poll), mark)
		c.text("2probe")
		c.wantText("3probe")
		c.text("5")
		r.session.Send(Text([]byte("a")))
		c.wantText("4a")
	})
	t.Run("ends", func(t *testing.T) { testStreamEnds(t, start, mark) })
}

// testStreamEnds are the ways in which a stream ends.
func testStreamEnds(t *testing.T, start func(*testing.T, *Settings) (*site, *http.Client), mark func(*http.Request)) {
	const query = "EIO=4&transport=websocket"
	t.Run("close by server", func(t *testing.T) {
		st, client := start(t, settings())
		c, _ := st.stream(client, query, mark)
		c.wantOpen()
		r := st.next()
		r.session.Send(Text([]byte("last")))
		r.session.Close("forced close")
		c.wantText("4last")
		c.wantClose(1000, "")
		r.wantClosed(t, "forced close")
	})
	t.Run("close by client", func(t *testing.T) {
		st, client := start(t, settings())
		c, _ := st.stream(client, query, mark)
		c.wantOpen()
		c.frame(ws.NewCloseFrame(nil))
		c.want(ws.OpClose, "")
		c.wantEnd()
		st.next().wantClosed(t, "transport close")
	})
	t.Run("drain", func(t *testing.T) {
		st, client := start(t, settings())
		c, _ := st.stream(client, query, mark)
		c.wantOpen()
		done := make(chan struct{})
		go func() { st.srv.Drain(t.Context(), 0); close(done) }()
		c.wantClose(1001, "server shutting down")
		receive(t, done)
	})
	t.Run("stalled", func(t *testing.T) {
		s := settings()
		s.Limits.SendBuffer = 100_000
		st, client := start(t, s)
		c, cut := st.stream(client, query, mark)
		c.wantOpen()
		r := st.next()
		m := Binary(make([]byte, 50_000))
		for r.session.Send(m) {
		}
		r.wantClosed(t, "transport error")
		cut()
	})
}
