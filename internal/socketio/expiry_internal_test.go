package socketio

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// wallClock is a clock that can be set. Its times have no monotonic reading, as
// those in tokens have none.
type wallClock struct {
	mu     sync.Mutex
	offset time.Duration
}

func (c *wallClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset).Round(0)
}

func (c *wallClock) jump(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
}

// issuer gives tokens, which are lengths of time, an end by its own clock, and
// takes them as long as the server's says so.
type issuer struct{ own, server *wallClock }

func (i issuer) Authenticate(_ context.Context, _ string, h *gateway.Handshake, _ *gateway.Identity) (*gateway.Identity, error) {
	text, _ := h.Auth["token"].(string)
	life, err := time.ParseDuration(text)
	end := i.own.now().Add(life)
	if err != nil || !end.After(i.server.now()) {
		return nil, errors.New("no good token")
	}
	return &gateway.Identity{ID: "ann", Expires: end}, nil
}

func (i issuer) Renew(ctx context.Context, ns string, _ *gateway.Handshake, token string) (*gateway.Identity, error) {
	return i.Authenticate(ctx, ns, &gateway.Handshake{Auth: map[string]any{"token": token}}, nil)
}

const (
	expiring = `2["token-expiring",{"expires":*`
	expired  = `2["exception",{"code":"token-expired"*`
)

// underJumps runs a test with a server whose clock can be set, and an issuer whose
// clock is right.
func underJumps(t *testing.T, test func(t *testing.T, w *world, clock *wallClock)) {
	t.Helper()
	clock := &wallClock{}
	inBubble(t, Settings{
		Namespaces: []Namespace{{"/", echo, issuer{&wallClock{}, clock}}}, WallClock: clock.now,
	}, func(t *testing.T, w *world) {
		test(t, w, clock)
		w.empty("/")
	})
}

// took waits for packets and returns how long they took to come.
func (c *client) took(packets ...string) time.Duration {
	c.t.Helper()
	start := time.Now()
	c.want(packets...)
	return time.Since(start)
}

func TestClockSetForwardEndsATokenWithinItsCheck(t *testing.T) {
	underJumps(t, func(t *testing.T, w *world, clock *wallClock) {
		c := w.dial()
		c.enter("/", `{"token":"2h"}`)
		time.Sleep(time.Minute)
		clock.jump(2 * time.Hour)
		if took := c.took(expired, "1"); took > expiryCheck {
			t.Errorf("it lived on for %v", took)
		}
	})
}

func TestClockSetForwardEndsATokenBeforeTheNextEvent(t *testing.T) {
	for name, packet := range map[string]string{
		"event": `21["echo",1]`, "renewal": `21["renew",{"token":"9h"}]`, "ack": `31[]`, "event that nobody answers": `2["echo"]`,
	} {
		t.Run(name, func(t *testing.T) {
			underJumps(t, func(t *testing.T, w *world, clock *wallClock) {
				c := w.dial()
				c.enter("/", `{"token":"2h"}`)
				clock.jump(2 * time.Hour)
				c.send(packet)
				if took := c.took(expired, "1"); took != 0 {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

func TestClockSetForwardIntoTheNotice(t *testing.T) {
	underJumps(t, func(t *testing.T, w *world, clock *wallClock) {
		c := w.dial()
		c.enter("/", `{"token":"2h"}`)
		clock.jump(2*time.Hour - 20*time.Second)
		if took := c.took(expiring); took > expiryCheck {
			t.Errorf("it was told after %v", took)
		}
		c.send(`21["renew",{"token":"3h"}]`)
		c.want(`31[{"expires":*`)
		time.Sleep(10 * time.Second)
		c.send(`22["echo",1]`)
		c.want(`32[1]`)
		c.cut()
	})
}

func TestClockSetBackClosesNobodyEarly(t *testing.T) {
	for name, when := range map[string]time.Duration{"before the notice": 0, "after the notice": 50 * time.Second} {
		t.Run(name, func(t *testing.T) {
			underJumps(t, func(t *testing.T, w *world, clock *wallClock) {
				c := w.dial()
				c.enter("/", `{"token":"1m"}`)
				if when > 0 {
					time.Sleep(when)
					c.want(expiring)
				}
				clock.jump(-5 * time.Minute)
				// Its end is 6 minutes after its begin now, by the clock that counts.
				time.Sleep(4 * time.Minute)
				c.send(`21["echo",1]`)
				c.want(`31[1]`)
				c.want(expiring)
				start := time.Now()
				c.want(expired, "1")
				if took := time.Since(start); took > expiryNotice {
					t.Errorf("it lived on for %v", took)
				}
			})
		})
	}
}

// A machine that sleeps stops its monotonic clock; a clock that runs slow or fast
// is set in many small steps.
func TestClockOfManySmallJumps(t *testing.T) {
	underJumps(t, func(t *testing.T, w *world, clock *wallClock) {
		c := w.dial()
		c.enter("/", `{"token":"10m"}`)
		for range 9 { // each minute is two
			time.Sleep(30 * time.Second)
			clock.jump(30 * time.Second)
		}
		synctest.Wait()
		c.want(expiring)
		if took := c.took(expired, "1"); took > time.Minute {
			t.Errorf("it lived on for %v", took)
		}
	})
}

// A token that is good for less than the notice is told of at once.
func TestTokenThatIsShorterThanTheNotice(t *testing.T) {
	underJumps(t, func(t *testing.T, w *world, _ *wallClock) {
		c := w.dial()
		c.enter("/", `{"token":"5s"}`)
		if took := c.took(expiring); took != 0 {
			t.Errorf("it was told after %v", took)
		}
		if took := c.took(expired, "1"); took != 5*time.Second {
			t.Errorf("it lived for %v", took)
		}
	})
}

// A server whose clock is wrong refuses at the door, and is right once it is set.
func TestClockThatIsWrongAtTheDoor(t *testing.T) {
	underJumps(t, func(t *testing.T, w *world, clock *wallClock) {
		clock.jump(time.Hour)
		c := w.dial()
		c.send(`0{"token":"1m"}`)
		c.want(`4{"data":{"code":"unauthorized"},"message":"unauthorized"}`)
		clock.jump(-time.Hour)
		c.enter("/", `{"token":"1m"}`)
		c.want(expiring, expired, "1")
	})
}

// renewals is a gateway that notes the ends of the tokens that it hears are new.
type renewals struct {
	gateway.Gateway
	heard chan time.Time
}

func (r renewals) Renewed(_ context.Context, s gateway.Socket) { r.heard <- s.Identity().Expires }

func TestTheGatewayHearsOfARenewalAndOfNoOther(t *testing.T) {
	heard := make(chan time.Time, 9)
	inBubble(t, Settings{Namespaces: []Namespace{
		{"/", renewals{echo, heard}, issuer{&wallClock{}, &wallClock{}}},
		{"/deaf", echo, issuer{&wallClock{}, &wallClock{}}},
	}}, func(t *testing.T, w *world) {
		c := w.dial()
		c.enter("/", `{"token":"1h"}`)
		c.enter("/deaf", `{"token":"1h"}`)
		c.send(`21["renew",{"token":"x"}]`, `22["renew",{"token":"2h"}]`)
		c.want(`31[{"error":{"code":"unauthorized"*`, `32[{"expires":*`)
		c.send(`2/deaf,3["renew",{"token":"2h"}]`)
		c.want(`3/deaf,3[{"expires":*`)
		synctest.Wait()
		if got := time.Until(<-heard); got.Round(time.Second) != 2*time.Hour || len(heard) > 0 {
			t.Fatalf("it heard of a token for %v, and of %d more", got, len(heard))
		}
	})
}
