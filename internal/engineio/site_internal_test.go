package engineio

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds waits that only a fault makes long.
const patience = 20 * time.Second

// waitPolled waits until a poll of the session waits.
func (r *recorder) waitPolled() {
	for !r.session.Writable() {
		runtime.Gosched()
	}
}

// message is what a recorder has received.
type message struct {
	data   string
	binary bool
}

// recorder is a receiver that keeps what it gets.
type recorder struct {
	session *Session
	got     chan message
	closed  chan string
	receive func(data []byte, binary bool) error // in place of keeping, if set
}

func (r *recorder) Receive(data []byte, binary bool) error {
	if r.receive != nil {
		return r.receive(data, binary)
	}
	r.got <- message{string(data), binary}
	return nil
}

func (r *recorder) Closed(reason string) { r.closed <- reason }

// site is a server that tests talk to over the wire.
type site struct {
	t        *testing.T
	srv      *Server
	opened   chan *recorder
	onOpen   func(*recorder) // may be set before the first request
	client   func(*http.Request) Client
	dial     func() (net.Conn, error)
	http     *http.Client
	httpServ *http.Server
	address  string          // of a further server of the same handler
	handlers *sync.WaitGroup // running requests, if set
}

func settings() *Settings { return &Settings{Polling: true, WebSocket: true} }

// newSite serves on a TCP port of its own.
func newSite(t *testing.T, s *Settings) *site {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveSite(t, s, l, func() (net.Conn, error) { return net.Dial("tcp", l.Addr().String()) })
}

// newPipeSite serves inside a synctest bubble.
func newPipeSite(t *testing.T, s *Settings) *site {
	t.Helper()
	l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	return serveSite(t, s, l, l.dial)
}

func serveSite(t *testing.T, s *Settings, l net.Listener, dial func() (net.Conn, error)) *site {
	st := &site{t: t, opened: make(chan *recorder, 1024), dial: dial}
	st.client = func(*http.Request) Client { return Client{IP: netip.MustParseAddr("192.0.2.1")} }
	st.srv = NewServer(s, func(one *Session) Receiver {
		r := &recorder{session: one, got: make(chan message, 4096), closed: make(chan string, 2)}
		if st.onOpen != nil {
			st.onOpen(r)
		}
		st.opened <- r
		return r
	})
	st.httpServ = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if st.handlers != nil {
			st.handlers.Add(1)
			defer st.handlers.Done()
		}
		st.srv.ServeHTTP(w, r, st.client(r))
	})}
	transport := &http.Transport{
		DialContext:        func(context.Context, string, string) (net.Conn, error) { return dial() },
		DisableCompression: true,
	}
	st.http = &http.Client{Transport: transport}
	var served sync.WaitGroup
	served.Go(func() { _ = st.httpServ.Serve(l) })
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		st.srv.Drain(ctx, 0)
		_ = st.httpServ.Close()
		transport.CloseIdleConnections()
		served.Wait()
	})
	return st
}

// answer is a response that has been read.
type answer struct {
	status int
	body   string
	header http.Header
	err    error
}

// do sends a request to the path with a query; edit may change it.
func (st *site) do(method, query, body string, edit ...func(*http.Request)) answer {
	r, err := http.NewRequest(method, "http://example.com/socket.io/?"+query, strings.NewReader(body))
	if err != nil {
		return answer{err: err}
	}
	if body == "" {
		r.Body = nil
	}
	for _, e := range edit {
		e(r)
	}
	res, err := st.http.Do(r)
	if err != nil {
		return answer{err: err}
	}
	b, err := io.ReadAll(res.Body)
	_ = res.Body.Close() // it has been read, or failed to
	return answer{res.StatusCode, string(b), res.Header, err}
}

func (st *site) get(query string, edit ...func(*http.Request)) answer {
	return st.do("GET", query, "", edit...)
}

// open opens a session over polling.
func (st *site) open() (query string, r *recorder) {
	st.t.Helper()
	a := st.get("EIO=4&transport=polling")
	if a.status != 200 || !strings.HasPrefix(a.body, `0{"sid":"`) {
		st.t.Fatalf("handshake: %+v", a)
	}
	r = st.next()
	return "EIO=4&transport=polling&sid=" + r.session.ID(), r
}

// next is the session opened next.
func (st *site) next() *recorder {
	st.t.Helper()
	return receive(st.t, st.opened)
}

// later makes a request in the background.
func (st *site) later(method, query, body string) <-chan answer {
	c := make(chan answer, 1)
	go func() { c <- st.do(method, query, body) }()
	return c
}

func receive[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

func header(key, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(key, value) }
}

// pipeListener hands out in-memory connections, which synctest understands.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipeListener) dial() (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)} }
