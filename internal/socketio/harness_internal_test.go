package socketio

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
	"github.com/caddy-socketio/caddy-socketio/internal/engineio"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pipes is a listener without ports, which works inside a synctest bubble.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

func (p *pipes) dial() (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// world is a server with its engine, reached by raw clients.
type world struct {
	t      testing.TB
	server *Server
	engine *engineio.Server
	pipes  *pipes
	logs   *observer.ObservedLogs
	user   *gateway.Identity // what the front knows of who connects
	asked  func(*http.Request)
}

// gatewayFunc is a gateway of one function.
type gatewayFunc func(ctx context.Context, s gateway.Socket) error

func (f gatewayFunc) Connect(ctx context.Context, s gateway.Socket) error { return f(ctx, s) }

// inBubble runs a test with a time of its own, in which a wait for what never
// comes fails the test at once.
func inBubble(t *testing.T, settings Settings, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newWorld(t, settings)) })
}

func newWorld(t testing.TB, settings Settings) *world {
	core, logs := observer.New(zap.DebugLevel)
	if settings.Logger == nil {
		settings.Logger = zap.New(core)
	}
	server, err := NewServer(&settings)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, server: server, logs: logs, pipes: &pipes{conns: make(chan net.Conn), done: make(chan struct{})}}
	w.engine = engineio.NewServer(&engineio.Settings{WebSocket: true, Polling: true, AllowEIO3: true}, server.Accept)
	site := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if w.asked != nil {
			w.asked(r)
		}
		var user any
		key := ""
		if w.user != nil {
			user, key = w.user, w.user.ID
		}
		w.engine.ServeHTTP(rw, r, engineio.Client{User: user, UserKey: key})
	})}
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := site.Serve(w.pipes); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		w.engine.Drain(ctx, 0)
		if err := server.Close(ctx); err != nil {
			t.Error(err)
		}
		if err := site.Close(); err != nil {
			t.Error(err)
		}
		<-served
	})
	return w
}

// namespaces is a shorthand for settings.
func namespaces(names ...any) (list []Namespace) {
	for i := 0; i < len(names); i += 2 {
		list = append(list, Namespace{Name: names[i].(string), Gateway: names[i+1].(gateway.Gateway)})
	}
	return list
}

// client is a raw client over a websocket.
type client struct {
	t      testing.TB
	conn   net.Conn
	frames chan frame
}

type frame struct {
	text   string
	binary bool
}

// dial opens a session. options are further query parameters, "EIO=4" by default.
func (w *world) dial(options ...string) *client {
	w.t.Helper()
	conn, err := w.pipes.dial()
	if err != nil {
		w.t.Fatal(err)
	}
	query := "EIO=4"
	if len(options) > 0 {
		query = strings.Join(options, "&")
	}
	dialer := ws.Dialer{NetDial: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}
	_, br, _, err := dialer.Dial(context.Background(), "ws://pipe/socket.io/?transport=websocket&"+query)
	if err != nil {
		w.t.Fatal(err)
	}
	c := &client{t: w.t, conn: conn, frames: make(chan frame, 4096)}
	go c.read(br)
	w.t.Cleanup(c.cut)
	if open := <-c.frames; !strings.HasPrefix(open.text, "0{") {
		w.t.Fatalf("got %q, want an OPEN packet", open.text)
	}
	return c
}

func (c *client) read(br *bufio.Reader) {
	defer close(c.frames)
	var r io.Reader = c.conn
	if br != nil {
		r = br
	}
	for {
		data, op, err := wsutil.ReadServerData(struct {
			io.Reader
			io.Writer
		}{r, c.conn})
		if err != nil {
			return
		}
		if string(data) == "2" {
			c.raw("3")
			continue
		}
		c.frames <- frame{string(data), op == ws.OpBinary}
	}
}

// raw sends an Engine.IO packet.
func (c *client) raw(text string) {
	// A server that has closed the connection is met by many tests on purpose.
	_ = wsutil.WriteClientText(c.conn, []byte(text))
}

// send sends Socket.IO packets.
func (c *client) send(packets ...string) {
	for _, p := range packets {
		c.raw("4" + p)
	}
}

func (c *client) sendBinary(data []byte) { _ = wsutil.WriteClientBinary(c.conn, data) }

// next is the next Socket.IO packet; "closed" after the last.
func (c *client) next() string {
	c.t.Helper()
	var f frame
	var ok bool
	select {
	case f, ok = <-c.frames:
	case <-time.After(10 * time.Minute): // of the bubble's time; pings go on for good
		return "nothing"
	}
	switch {
	case !ok:
		return "closed"
	case f.binary:
		return "binary " + f.text
	case !strings.HasPrefix(f.text, "4"):
		return "engine " + f.text
	}
	return f.text[1:]
}

// want compares the next packets. "*" at the end of one stands for anything.
func (c *client) want(packets ...string) {
	c.t.Helper()
	for _, p := range packets {
		got := c.next()
		prefix, open := strings.CutSuffix(p, "*")
		if got != p && !(open && strings.HasPrefix(got, prefix)) {
			c.t.Fatalf("got %q, want %q", got, p)
		}
	}
}

// enter connects to a namespace and returns the socket's id.
func (c *client) enter(nsp string, auth ...string) string {
	c.t.Helper()
	head := ""
	if nsp != "/" {
		head = nsp + ","
	}
	c.send("0" + head + strings.Join(auth, ""))
	reply := c.next()
	_, rest, ok := strings.Cut(reply, `"sid":"`)
	if !ok || !strings.HasPrefix(reply, "0"+head) {
		c.t.Fatalf("got %q, want CONNECT", reply)
	}
	id, _, _ := strings.Cut(rest, `"`)
	return id
}

// cut ends the connection without a word.
func (c *client) cut() { _ = c.conn.Close() }

// empty fails the test if sockets, rooms or users of a namespace are left.
func (w *world) empty(names ...string) {
	w.t.Helper()
	synctest.Wait()
	for _, name := range names {
		ns := w.server.namespace(name)
		if ns == nil {
			continue
		}
		if n := len(ns.known()); n > 0 || len(ns.rooms) > 0 || len(ns.sockets) > 0 {
			w.t.Errorf("%s: %d sockets known, %d inside, %d rooms are left", name, n, len(ns.sockets), len(ns.rooms))
		}
		if n := len(ns.lib.Sockets().Keys()); n > 1 || n == 1 && name == "/" {
			w.t.Errorf("%s: the library has %d sockets left", name, n)
		}
	}
}
