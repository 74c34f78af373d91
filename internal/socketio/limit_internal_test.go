package socketio

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
	"github.com/caddy-socketio/caddy-socketio/internal/incidents"
)

// reached fails the test unless a limit has been counted, and logged once.
func (w *world) reached(l incidents.Limit) {
	w.t.Helper()
	synctest.Wait()
	if w.server.incidents().Counts()[l] == 0 {
		w.t.Errorf("%s is not counted", l)
	}
	if w.logs.FilterMessage("limit reached").FilterField(zap.String("limit", string(l))).Len() == 0 {
		w.t.Errorf("%s is not logged", l)
	}
}

// wantClosed reads on until the server closes the connection.
func (c *client) wantClosed() {
	c.t.Helper()
	for got := c.next(); got != "closed"; got = c.next() {
		if got == "nothing" {
			c.t.Fatal("the connection was not closed")
		}
	}
}

func TestByteRate(t *testing.T) {
	settings := Settings{Namespaces: namespaces("/", echo), ByteRate: 1000, ByteBurst: 10_000}
	inBubble(t, settings, func(t *testing.T, w *world) {
		c := w.dial()
		c.enter("/")
		// One event may be larger than the burst, and uses up that of a minute.
		large := strings.Repeat("x", 60_000)
		c.send(`21["echo","` + large + `"]`)
		c.want(`31["x*`)
		c.send(`22["echo",1]`)
		c.want(`32[{"error":{"code":"rate-limited","message":"too many bytes"*`)
		w.reached(incidents.BytesPerSocket)
		time.Sleep(49 * time.Second)
		c.send(`23["echo",1]`)
		c.want(`33[{"error":{"code":"rate-limited"*`)
		time.Sleep(2 * time.Second)
		c.send(`24["echo",1]`)
		c.want(`34[1]`)
		// Attachments count.
		time.Sleep(time.Hour)
		c.send(`51-["echo",{"_placeholder":true,"num":0}]`)
		c.sendBinary([]byte(large))
		c.send(`25["echo",1]`)
		c.want(`35[{"error":{"code":"rate-limited"*`)
	})
}

func TestAbusiveBytesCloseTheConnection(t *testing.T) {
	settings := Settings{Namespaces: namespaces("/", echo), ByteRate: 1000, ByteBurst: 10_000}
	inBubble(t, settings, func(_ *testing.T, w *world) {
		c := w.dial()
		c.enter("/")
		event := `2["echo","` + strings.Repeat("x", 5000) + `"]`
		for range 150 {
			time.Sleep(100 * time.Millisecond)
			c.send(event)
		}
		c.wantClosed()
		w.empty("/")
	})
}

// A flood of CONNECTs and DISCONNECTs, each of which may cost a signature's check.
func TestControlPacketsHaveARate(t *testing.T) {
	inBubble(t, one(echo), func(t *testing.T, w *world) {
		c := w.dial()
		for range controlBurst {
			c.send("0/nowhere,")
			c.want(`4/nowhere,{"message":"Invalid namespace"}`)
		}
		c.send("0/nowhere,")
		c.want(`4/nowhere,{"message":"rate-limited","data":{"code":"rate-limited"}}`)
		w.reached(incidents.ControlPackets)
		time.Sleep(10 * time.Second)
		c.enter("/")
		for range 1000 {
			time.Sleep(20 * time.Millisecond)
			c.send("0/nowhere,")
		}
		c.wantClosed()
		w.empty("/")
	})
}

func TestAcksThatNobodyAskedForHaveARate(t *testing.T) {
	settings := Settings{Namespaces: namespaces("/", echo), EventRate: 10, EventBurst: 5}
	inBubble(t, settings, func(_ *testing.T, w *world) {
		c := w.dial()
		c.enter("/")
		for range 1000 {
			time.Sleep(20 * time.Millisecond)
			c.send("3999[]")
		}
		c.wantClosed()
		w.reached(incidents.EventsPerSocket)
		w.empty("/")
	})
}

func TestLimitsOfOneMessageAreCounted(t *testing.T) {
	for limit, packet := range map[incidents.Limit]string{
		incidents.Nesting:       `2["x",` + strings.Repeat("[", 101) + strings.Repeat("]", 101) + `]`,
		incidents.Arguments:     `2["x"` + strings.Repeat(",1", 1001) + `]`,
		incidents.Attachments:   `511-["x"]`,
		incidents.EventName:     `2["` + strings.Repeat("x", maxEventName+1) + `"]`,
		incidents.NamespaceName: "2/" + strings.Repeat("a", MaxNamespaceName) + `,["x"]`,
	} {
		t.Run(string(limit), func(t *testing.T) {
			inBubble(t, one(echo), func(_ *testing.T, w *world) {
				c := w.dial()
				c.enter("/")
				c.send(packet)
				c.want("closed")
				w.reached(limit)
			})
		})
	}
}

func TestDeepAuthPayloadIsCounted(t *testing.T) {
	inBubble(t, one(echo), func(_ *testing.T, w *world) {
		c := w.dial()
		c.send(`0{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`)
		c.want("closed")
		w.reached(incidents.Nesting)
	})
}

func TestLimitsOfNamespacesAndRoomsAreCounted(t *testing.T) {
	joiner := gatewayFunc(func(_ context.Context, s gateway.Socket) error {
		return s.Join("a", "b", "c")
	})
	settings := Settings{
		Namespaces: namespaces("/", echo, "/joiner", joiner, `/\/n-[0-9]/`, echo), RoomsPerSocket: 2, DynamicNamespaces: 1, NamespacesPerSession: 2,
	}
	inBubble(t, settings, func(_ *testing.T, w *world) {
		c := w.dial()
		c.send("0/joiner,")
		c.want(`4/joiner,{"data":{"code":"too-many-rooms"}*`)
		w.reached(incidents.RoomsPerSocket)
		c.enter("/n-1")
		c.send("0/n-2,")
		c.want(`4/n-2,{"message":"too many namespaces","data":{"code":"too-many-namespaces"}}`)
		w.reached(incidents.DynamicNamespaces)
		c.enter("/")
		c.send("0/joiner,")
		c.want(`4/joiner,{"message":"too many namespaces"*`)
		w.reached(incidents.NamespacesPerSession)
	})
}

func TestSessionThatEntersNothingIsCounted(t *testing.T) {
	inBubble(t, one(echo), func(_ *testing.T, w *world) {
		c := w.dial()
		time.Sleep(time.Minute)
		c.want("closed")
		w.reached(incidents.UnauthenticatedTimeout)
	})
}

// A client that knows what makes a handler fail must not fill the log.
func TestFailingHandlerDoesNotFillTheLog(t *testing.T) {
	fails := gatewayFunc(func(_ context.Context, s gateway.Socket) error {
		s.Handle("x", func(context.Context, *gateway.Event) (any, error) { panic("broken") })
		return nil
	})
	inBubble(t, one(fails), func(t *testing.T, w *world) {
		c := w.dial()
		c.enter("/")
		for range 500 {
			c.send(`21["x"]`)
			c.want(`31[*`)
		}
		if n := w.logs.FilterMessage("handler failed").Len(); n > 10 {
			t.Errorf("%d lines", n)
		}
		time.Sleep(incidents.Interval)
		synctest.Wait()
		if n := w.logs.FilterField(zap.Int("more", 490)).Len(); n != 1 {
			t.Errorf("%d lines tell of the 490 others", n)
		}
	})
}
