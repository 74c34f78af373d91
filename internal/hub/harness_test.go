package hub_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
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
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
	"github.com/caddy-socketio/caddy-socketio/internal/engineio"
	"github.com/caddy-socketio/caddy-socketio/internal/hub"
	"github.com/caddy-socketio/caddy-socketio/internal/socketio"
)

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

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// world is a hub behind an HTTP server, in a bubble with a time of its own. Its
// methods are called by the test's goroutine.
type world struct {
	t     *testing.T
	hub   *hub.Hub
	logs  *observer.ObservedLogs
	pipes *pipes
	http  *http.Client
}

func inBubble(t *testing.T, g *hub.Generation, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.InfoLevel)
		if g.Logger == nil {
			g.Logger = zap.New(core)
		}
		g.Sockets.Logger, g.Engine.Logger = g.Logger, g.Logger
		live, err := hub.New(g)
		if err != nil {
			t.Fatal(err)
		}
		w := &world{t: t, hub: live, logs: logs, pipes: &pipes{conns: make(chan net.Conn), done: make(chan struct{})}}
		transport := &http.Transport{DialContext: w.pipes.dial}
		w.http = &http.Client{Transport: transport}
		site := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			live.ServeHTTP(rw, r, engineio.Client{})
		})}
		var served sync.WaitGroup
		served.Go(func() {
			if err := site.Serve(w.pipes); !errors.Is(err, http.ErrServerClosed) {
				t.Error(err)
			}
		})
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if err := live.Close(ctx, false); err != nil {
				t.Error(err)
			}
			transport.CloseIdleConnections()
			if err := site.Close(); err != nil {
				t.Error(err)
			}
			served.Wait()
		})
		test(t, w)
	})
}

// generation is one config: namespaces by name with their gateways.
func generation(namespaces map[string]gateway.Gateway) *hub.Generation {
	g := &hub.Generation{Engine: engineio.Settings{Polling: true, WebSocket: true}, Drain: 12 * time.Second}
	for name, gw := range namespaces {
		g.Sockets.Namespaces = append(g.Sockets.Namespaces, socketio.Namespace{Name: name, Gateway: gw})
	}
	return g
}

// labelled answers "label" with itself.
type labelled string

func (l labelled) Connect(_ context.Context, s gateway.Socket) error {
	s.Handle("label", func(context.Context, *gateway.Event) (any, error) { return l, nil })
	return nil
}

// gatewayFunc is a gateway of one function.
type gatewayFunc func(s gateway.Socket) error

func (f gatewayFunc) Connect(_ context.Context, s gateway.Socket) error { return f(s) }

// client is a raw client over a websocket, which answers pings and close frames.
type client struct {
	t      *testing.T
	conn   net.Conn
	frames chan frame
}

// frame is what the client has got: a packet, or "close" with its code.
type frame struct {
	text string
	at   time.Time
}

// enter opens a session and enters namespaces.
func (w *world) enter(namespaces ...string) *client {
	w.t.Helper()
	dialer := ws.Dialer{NetDial: w.pipes.dial}
	conn, early, _, err := dialer.Dial(w.t.Context(), "ws://pipe/socket.io/?EIO=4&transport=websocket")
	if err != nil {
		w.t.Fatal(err)
	}
	c := &client{w.t, conn, make(chan frame, 1024)}
	go c.read(early)
	w.t.Cleanup(func() { _ = conn.Close() })
	c.want("0{")
	for _, ns := range namespaces {
		c.send("40" + ns + ",")
		c.want("40")
	}
	return c
}

func (c *client) read(early *bufio.Reader) {
	defer close(c.frames)
	in := io.Reader(c.conn)
	if early != nil {
		in = early
	}
	for {
		f, err := ws.ReadFrame(in) //nolint:staticcheck // the server is ours
		switch {
		case err != nil:
			return
		case f.Header.OpCode == ws.OpClose:
			code, _ := ws.ParseCloseFrameData(f.Payload)
			c.frames <- frame{fmt.Sprintf("close %d", code), time.Now()}
			_ = wsutil.WriteClientMessage(c.conn, ws.OpClose, f.Payload)
		case string(f.Payload) == "2":
			c.send("3")
		default:
			c.frames <- frame{string(f.Payload), time.Now()}
		}
	}
}

func (c *client) send(packet string) {
	// Some tests send to a server that has closed the connection.
	_ = wsutil.WriteClientText(c.conn, []byte(packet))
}

// want compares the beginning of the next frame, "gone" after the last, and
// returns when it came.
func (c *client) want(prefix string) time.Time {
	c.t.Helper()
	f, ok := <-c.frames
	if !ok {
		f = frame{"gone", time.Now()}
	}
	if !strings.HasPrefix(f.text, prefix) {
		c.t.Fatalf("got %q, want %s…", f.text, prefix)
	}
	return f.at
}

// deaf is a client that opens a session and then neither reads nor writes. The
// channel is closed once its connection has ended.
func (w *world) deaf() chan struct{} {
	w.t.Helper()
	dialer := ws.Dialer{NetDial: w.pipes.dial}
	conn, _, _, err := dialer.Dial(w.t.Context(), "ws://pipe/socket.io/?EIO=4&transport=websocket")
	if err != nil {
		w.t.Fatal(err)
	}
	ended := make(chan struct{})
	w.t.Cleanup(func() { _ = conn.Close() })
	go func() {
		defer close(ended)
		// Writing fails once the other side is gone, while nothing is read.
		for wsutil.WriteClientText(conn, []byte("3")) == nil {
			time.Sleep(time.Second)
		}
	}()
	return ended
}
