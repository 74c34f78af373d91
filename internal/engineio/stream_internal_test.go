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
	"sync/atomic"
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
		if !strings.Contains(string(out), "--- PASS: TestHTTP2/drain_of_a_connection_that_is_not_read") {
			t.Fatalf("the cases did not run:\n%s", out)
		}
		return
	}
	mark := func(r *http.Request) { r.Header.Set(":protocol", "websocket") }
	testStreams(t, func(t *testing.T, st *site) *http.Client {
		return serveHTTP2(t, st, func(c net.Conn) net.Conn { return c })
	}, mark)
	// The stream's end cannot be written either.
	t.Run("drain of a connection that is not read", func(t *testing.T) {
		s := settings()
		s.Limits.SendBuffer = 3e7
		st := newSite(t, s)
		st.handlers = &sync.WaitGroup{}
		var deaf *deafConn
		client := serveHTTP2(t, st, func(c net.Conn) net.Conn {
			deaf = &deafConn{Conn: c, closed: make(chan struct{})}
			return deaf
		})
		c, _ := st.stream(client, "EIO=4&transport=websocket", mark)
		c.wantOpen()
		deaf.deaf.Store(true)
		st.next().fill(3e6, 50_000)
		st.wantDrained()
	})
}

// serveHTTP2 serves on a further port, over connections with small buffers; wrap
// is given the client's.
func serveHTTP2(t *testing.T, st *site, wrap func(net.Conn) net.Conn) *http.Client {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serverTLS, clientTLS := certificate(t)
	srv := &http.Server{Handler: st.httpServ.Handler, TLSConfig: serverTLS, ConnContext: func(ctx context.Context, c net.Conn) context.Context {
		if err := c.(*tls.Conn).NetConn().(*net.TCPConn).SetWriteBuffer(1 << 16); err != nil {
			t.Error(err)
		}
		return ConnContext(ctx, c)
	}}
	var served sync.WaitGroup
	served.Go(func() { _ = srv.ServeTLS(l, "", "") })
	//nolint:staticcheck // net/http's own client refuses the pseudo header
	tr := &http2.Transport{DialTLSContext: func(_ context.Context, network, addr string, _ *tls.Config) (net.Conn, error) {
		config := clientTLS.Clone()
		config.NextProtos, config.ServerName = []string{"h2"}, "127.0.0.1"
		tcp, err := net.Dial(network, addr)
		if err != nil {
			return nil, err
		}
		if err := tcp.(*net.TCPConn).SetReadBuffer(1 << 16); err != nil {
			return nil, err
		}
		return tls.Client(wrap(tcp), config), nil
	}}
	t.Cleanup(func() {
		tr.CloseIdleConnections() //nolint:staticcheck // see above
		_ = srv.Close()
		served.Wait()
	})
	st.address = l.Addr().String()
	return &http.Client{Transport: tr}
}

// deafConn reads no more once it is deaf.
type deafConn struct {
	net.Conn
	deaf   atomic.Bool
	closed chan struct{}
	once   sync.Once
}

func (c *deafConn) Read(p []byte) (int, error) {
	if c.deaf.Load() {
		<-c.closed
		return 0, net.ErrClosed
	}
	return c.Conn.Read(p)
}

func (c *deafConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
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
	// What handlers read is set before the server runs: nothing orders what comes later.
	startWith := func(t *testing.T, s *Settings, prepare func(*site)) (*site, *http.Client) {
		st := newSite(t, s)
		st.handlers = &sync.WaitGroup{}
		t.Cleanup(st.handlers.Wait) // every handler returns
		prepare(st)
		return st, serve(t, st)
	}
	start := func(t *testing.T, s *Settings) (*site, *http.Client) { return startWith(t, s, func(*site) {}) }
	const query = "EIO=4&transport=websocket"

	t.Run("messages", func(t *testing.T) {
		var opened, restored sync.WaitGroup
		opened.Add(1)
		restored.Add(1)
		st, client := startWith(t, settings(), func(st *site) {
			st.client = func(*http.Request) Client {
				return Client{KeepOpen: func() func() { opened.Done(); return restored.Done }}
			}
		})
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
	t.Run("drain of a stream that is not read", func(t *testing.T) {
		s := settings()
		s.Limits.SendBuffer = 3e7
		st, client := start(t, s)
		c, _ := st.stream(client, query, mark)
		c.wantOpen()
		st.next().fill(2e7, 50_000)
		st.wantDrained()
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
