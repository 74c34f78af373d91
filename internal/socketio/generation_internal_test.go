package socketio

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// versioned answers "v" with its version, and notes the end of its Init's context.
type versioned struct {
	version string
	ended   chan struct{}
	fail    error
}

func (v *versioned) Init(ctx context.Context, ns gateway.Namespace) error {
	context.AfterFunc(ctx, func() { close(v.ended) })
	ns.State("count", func() any { return &closer{} })
	return v.fail
}

func (v *versioned) Connect(_ context.Context, s gateway.Socket) error {
	s.Handle("v", func(context.Context, *gateway.Event) (any, error) { return v.version, nil })
	return nil
}

type closer struct{ closed bool }

func (c *closer) Close() error {
	c.closed = true
	return nil
}

func newVersion(version string) *versioned {
	return &versioned{version: version, ended: make(chan struct{})}
}

func TestConfigureKeepsSocketsAndReplacesHandlers(t *testing.T) {
	first, second := newVersion("first"), newVersion("second")
	inBubble(t, Settings{Namespaces: namespaces("/", first, "/gone", echo)}, func(t *testing.T, w *world) {
		c := w.dial()
		c.enter("/")
		c.enter("/gone")
		c.send(`21["v"]`)
		c.want(`31["first"]`)
		ns := w.server.Namespace("/")
		state := ns.State("count", nil).(*closer)
		if err := w.server.Configure(&Settings{Namespaces: namespaces("bad", second)}); err == nil {
			t.Error("a bad name is no error")
		}
		if err := w.server.Configure(&Settings{Namespaces: namespaces("/", second)}); err != nil {
			t.Fatal(err)
		}
		<-first.ended
		c.want("1/gone,")
		c.send(`22["v"]`)
		c.want(`32["second"]`)
		if ns.State("count", nil) != state || state.closed {
			t.Error("the state did not survive")
		}
		synctest.Wait()
		if w.server.Namespace("/gone") != nil {
			t.Error("the removed namespace is still live")
		}
		if err := w.server.Configure(&Settings{Namespaces: namespaces("/other", echo)}); err != nil {
			t.Fatal(err)
		}
		c.want("1")
		synctest.Wait()
		if !state.closed {
			t.Error("the state was not closed with its namespace")
		}
	})
}

func TestFailedInitRefusesSockets(t *testing.T) {
	broken := newVersion("x")
	broken.fail = errors.New("secret")
	inBubble(t, Settings{Namespaces: namespaces("/", broken)}, func(t *testing.T, w *world) {
		c := w.dial()
		c.send("0")
		c.want(`4{"data":{"code":"internal"},"message":"internal"}`)
	})
}

// guests lets in those who send a token, for a while.
type guests struct{ life time.Duration }

func (g guests) Authenticate(_ context.Context, _ string, h *gateway.Handshake, _ *gateway.Identity) (*gateway.Identity, error) {
	name, _ := h.Auth["token"].(string)
	if name == "" {
		return nil, errors.New("no token")
	}
	return &gateway.Identity{ID: name, Expires: time.Now().Add(g.life)}, nil
}

func (g guests) Renew(ctx context.Context, ns string, _ *gateway.Handshake, token string) (*gateway.Identity, error) {
	return g.Authenticate(ctx, ns, &gateway.Handshake{Auth: map[string]any{"token": token}}, nil)
}

func TestIdentityExpiresAndIsRenewed(t *testing.T) {
	settings := Settings{Namespaces: []Namespace{{"/", echo, guests{time.Minute}}}}
	inBubble(t, settings, func(t *testing.T, w *world) {
		c := w.dial()
		c.send("0")
		c.want(`4{"data":{"code":"unauthorized"},"message":"unauthorized"}`)
		c.enter("/", `{"token":"ann"}`)
		time.Sleep(31 * time.Second)
		c.want(`2["token-expiring",{"expires":*`)
		c.send(`21["renew",{"token":"bob"}]`)
		c.want(`31[{"error":{"code":"forbidden"*`)
		c.send(`22["renew",{"token":7}]`)
		c.want(`32[{"error":{"code":"invalid-payload"*`)
		c.send(`23["renew",{"token":"ann"}]`)
		c.want(`33[{"expires":*`)
		time.Sleep(35 * time.Second) // past the first token's end
		c.want(`2["token-expiring",{"expires":*`)
		time.Sleep(30 * time.Second)
		c.want(`2["exception",{"code":"token-expired"*`, "1")
		w.empty("/")
	})
}

func TestEventRate(t *testing.T) {
	settings := Settings{Namespaces: namespaces("/", echo), EventRate: 10, EventBurst: 5}
	inBubble(t, settings, func(t *testing.T, w *world) {
		c := w.dial()
		c.enter("/")
		for range 5 {
			c.send(`21["echo",1]`)
			c.want(`31[1]`)
		}
		c.send(`22["echo",1]`)
		c.want(`32[{"error":{"code":"rate-limited"*`)
		time.Sleep(time.Second)
		c.send(`23["echo",1]`)
		c.want(`33[1]`)
		for range 400 {
			time.Sleep(30 * time.Millisecond)
			c.send(`24["echo",1]`)
		}
		for got := c.next(); got != "closed"; got = c.next() {
			if got == "nothing" {
				t.Fatal("a client that ignores the limit was not closed")
			}
		}
	})
}

func TestVersion3Clients(t *testing.T) {
	inBubble(t, Settings{Namespaces: namespaces("/", echo, "/chat", gatewayFunc(func(_ context.Context, s gateway.Socket) error {
		if s.Handshake().Query.Get("EIO") != "3" {
			t.Error("no query")
		}
		if token, _ := s.Handshake().Auth["token"].([]string); !slices.Equal(token, []string{"x"}) {
			t.Errorf("the namespace's query is %v", s.Handshake().Auth)
		}
		return nil
	}))}, func(t *testing.T, w *world) {
		c := w.dial("EIO=3")
		c.want("0")
		c.send(`21["echo",1]`)
		c.want(`31[1]`)
		c.send("0/chat?token=x,")
		c.want("0/chat,")
	})
}

// A gateway takes over sockets whose clients are silent, however fast it comes after
// the one before it.
func TestConfigureReachesIdleSockets(t *testing.T) {
	inBubble(t, Settings{Namespaces: namespaces("/", silent)}, func(t *testing.T, w *world) {
		configure := func(f gatewayFunc) {
			if err := w.server.Configure(&Settings{Namespaces: namespaces("/", f)}); err != nil {
				t.Error(err)
			}
		}
		w.dial().enter("/")
		synctest.Wait()
		taken := false
		configure(func(context.Context, gateway.Socket) error {
			configure(func(context.Context, gateway.Socket) error {
				taken = true
				return nil
			})
			return nil
		})
		synctest.Wait()
		if !taken {
			t.Error("the last gateway was never given the socket")
		}
	})
}

// No event that comes after Configure may go to the gateway before.
func TestConfigureComesBeforeLaterEvents(t *testing.T) {
	inBubble(t, Settings{Namespaces: namespaces("/", silent)}, func(t *testing.T, w *world) {
		c := w.dial()
		c.enter("/")
		answering := func(version string, connect func()) gatewayFunc {
			return func(_ context.Context, s gateway.Socket) error {
				connect()
				s.Handle("v", func(context.Context, *gateway.Event) (any, error) { return version, nil })
				return nil
			}
		}
		configure := func(f gatewayFunc) {
			if err := w.server.Configure(&Settings{Namespaces: namespaces("/", f)}); err != nil {
				t.Error(err)
			}
		}
		configure(answering("second", func() {
			configure(answering("third", func() {}))
			c.send(`21["v"]`)
			time.Sleep(time.Second) // it has been queued
		}))
		c.want(`31["third"]`)
	})
}

// Nobody may stay in a namespace that is removed while they enter.
func TestNamespacesAreRemovedWhileClientsEnter(t *testing.T) {
	var entering atomic.Pointer[sync.WaitGroup]
	eager := gatewayFunc(func(context.Context, gateway.Socket) error {
		entering.Load().Done()
		return nil
	})
	inBubble(t, Settings{}, func(t *testing.T, w *world) {
		for i := range 2000 {
			if err := w.server.Configure(&Settings{Namespaces: namespaces("/m", eager)}); err != nil {
				t.Fatal(err)
			}
			var connecting sync.WaitGroup
			connecting.Add(1)
			entering.Store(&connecting)
			session := &scriptedSession{}
			c := w.server.accept(session)
			if err := c.Receive([]byte("0/m,"), false); err != nil {
				t.Fatal(err)
			}
			connecting.Wait()
			for range i % 50 {
				_ = session.Closed() // another moment each time
			}
			if err := w.server.Configure(&Settings{}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if s, _ := c.find("/m"); s != nil {
				t.Fatalf("time %d: still inside, connected %v, %v", i, s.Connected(), context.Cause(s.Context()))
			}
			told := int64(1) // that it may not enter, or that it has, and then that it has to go
			if session.entered.Load() {
				told = 2
			}
			if sent := session.sent.Load(); sent != told {
				t.Fatalf("time %d: %d packets, want %d", i, sent, told)
			}
			c.Closed("transport close")
		}
	})
}
