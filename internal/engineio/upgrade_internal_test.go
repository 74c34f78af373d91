package engineio

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func upgradeOf(query string) string { return strings.Replace(query, "polling", "websocket", 1) }

// probed is a websocket that is about to take over from polling.
func (st *site) probed(query string) *wsClient {
	st.t.Helper()
	c := st.websocket(upgradeOf(query))
	c.text("2probe")
	c.wantText("3probe")
	return c
}

func TestUpgrade(t *testing.T) {
	st := newSite(t, settings())
	query, r := st.open()
	waiting := st.later("GET", query, "")
	r.waitPolled()
	c := st.probed(query)
	if a := receive(t, waiting); a.body != "6" {
		t.Fatalf("the waiting poll got %+v", a)
	}
	r.session.Send(Text([]byte("queued")))
	c.text("5")
	c.wantText("4queued")
	if r.session.Transport() != "websocket" {
		t.Fatal(r.session.Transport())
	}
	for _, method := range []string{"GET", "POST"} {
		if a := st.do(method, query, map[string]string{"POST": "4x"}[method]); a.status != 400 || !strings.Contains(a.body, `"code":3`) {
			t.Fatalf("%s with the sid of an upgraded session: %+v", method, a)
		}
	}
	if _, res := st.tryWebSocket(upgradeOf(query)); res.status != 400 {
		t.Fatalf("a second websocket: %d", res.status)
	}
	c.text("4hello")
	if got := receive(t, r.got); got.data != "hello" {
		t.Fatal(got)
	}
}

func TestFailedUpgrades(t *testing.T) {
	for name, packets := range map[string][]string{
		"other packet":        {"4hello"},
		"unprobed":            {"5"},
		"message after probe": {"2probe", "4hello"},
		"malformed":           {"2probe", ""},
	} {
		t.Run(name, func(t *testing.T) {
			st := newSite(t, settings())
			query, r := st.open()
			c := st.websocket(upgradeOf(query))
			for _, p := range packets {
				c.text(p)
			}
			if packets[0] == "2probe" {
				c.wantText("3probe")
			}
			c.wantEnd()
			if a := st.do("POST", query, "4alive"); a.status != 200 {
				t.Fatalf("%+v", a)
			}
			if got := receive(t, r.got); got.data != "alive" {
				t.Fatal(got)
			}
			st.probed(query) // it may try again
		})
	}
}

func TestUpgradeTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs, observed := observer.New(zap.DebugLevel)
		s := settings()
		s.Logger = zap.New(logs)
		st := newPipeSite(t, s)
		query, r := st.open()
		c := st.probed(query)
		start := time.Now()
		c.wantEnd()
		if at := time.Since(start); at != 10*time.Second {
			t.Fatalf("cut after %v", at)
		}
		synctest.Wait()
		if n := observed.FilterMessage("websocket ended").FilterField(zap.Error(errProbeTimeout)).Len(); n != 1 {
			t.Errorf("%d lines say so", n)
		}
		r.session.Send(Text([]byte("a")))
		if a := st.get(query); a.body != "4a" {
			t.Fatalf("%+v", a)
		}
	})
}

// TestPollsDuringProbe: a poll that starts while the client probes ends soon,
// but not at once, or clients would poll in a loop.
func TestPollsDuringProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newPipeSite(t, settings())
		query, _ := st.open()
		st.probed(query)
		synctest.Wait()
		start := time.Now()
		if a := st.get(query); a.body != "6" || time.Since(start) != nudge {
			t.Fatalf("%+v after %v", a, time.Since(start))
		}
	})
}

// TestPollAtUpgrade: one that still waits is let go, and takes nothing.
func TestPollAtUpgrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newPipeSite(t, settings())
		query, r := st.open()
		c := st.probed(query)
		synctest.Wait() // the probe is done with
		waiting := st.later("GET", query, "")
		synctest.Wait()
		start := time.Now()
		c.text("5")
		if a := <-waiting; a.body != "6" || time.Since(start) != 0 {
			t.Fatalf("%+v after %v", a, time.Since(start))
		}
		s := r.session
		s.mu.Lock()
		defer s.mu.Unlock()
		s.outbox.push(Text([]byte("for the websocket")))
		messages, ended := s.takePoll()
		if len(messages) != 1 || messages[0] != noopPacket || ended || len(s.outbox.queue) != 1 {
			t.Fatal("a poll took what is the websocket's")
		}
	})
}

func TestCloseDuringProbe(t *testing.T) {
	st := newSite(t, settings())
	query, r := st.open()
	c := st.probed(query)
	r.session.Close("forced close")
	c.wantEnd()
	r.wantClosed(t, "forced close")
}

// TestUpgradeUnderFire upgrades as stock clients do while messages are sent all
// the time: none may be lost, doubled or reordered, in either direction.
func TestUpgradeUnderFire(t *testing.T) {
	const clients, each = 40, 300
	st := newSite(t, settings())
	var all sync.WaitGroup
	for range clients {
		query, r := st.open()
		all.Go(func() {
			for i := range each {
				r.session.Send(Text(fmt.Appendf(nil, "%d", i)))
			}
		})
		all.Go(func() {
			if err := st.upgradeUnderFire(query, each); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() {
			for i := range each {
				if got := <-r.got; got.data != fmt.Sprint(i) {
					t.Errorf("the server got %q, want %d", got.data, i)
					return
				}
			}
		})
	}
	all.Wait()
}

// upgradeUnderFire is a client that polls, posts, upgrades, and checks what it
// gets against the count.
func (st *site) upgradeUnderFire(query string, each int) error {
	next, sent := 0, 0
	take := func(packets string) error {
		for p := range strings.SplitSeq(packets, "\x1e") {
			if p == "6" {
				continue
			}
			if p != fmt.Sprintf("4%d", next) {
				return fmt.Errorf("got %q, want %d", p, next)
			}
			next++
		}
		return nil
	}
	probed := make(chan *wsClient, 1)
	go func() {
		c := st.probed(query)
		probed <- c
	}()
	var c *wsClient
	for c == nil {
		a := st.get(query)
		if a.status != 200 {
			return fmt.Errorf("poll: %+v", a)
		}
		if err := take(a.body); err != nil {
			return err
		}
		if a := st.do("POST", query, fmt.Sprintf("4%d", sent)); a.status != 200 {
			return fmt.Errorf("POST: %+v", a)
		}
		sent++
		select {
		case c = <-probed: // the poll has ended: the websocket takes over
		default:
			if sent == each-1 || next == each {
				c = <-probed
			}
		}
	}
	if err := c.tryFrame(ws.NewTextFrame([]byte("5"))); err != nil {
		return err
	}
	for ; sent < each; sent++ {
		if err := c.tryFrame(ws.NewTextFrame(fmt.Appendf(nil, "4%d", sent))); err != nil {
			return err
		}
	}
	for next < each {
		f, err := c.read()
		if err != nil {
			return err
		}
		if err := take(f.payload); err != nil {
			return err
		}
	}
	return nil
}
