package engineio

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
)

func TestHeartbeat(t *testing.T) {
	t.Run("websocket", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			st := newPipeSite(t, settings())
			c := st.websocket("EIO=4&transport=websocket")
			c.conn = nil // reads wait for pings
			c.wantOpen()
			start := time.Now()
			for i := range 3 {
				c.wantText("2")
				if at := time.Since(start); at != time.Duration(i+1)*25*time.Second {
					t.Fatalf("ping %d after %v", i, at)
				}
				c.text("3")
			}
			c.wantText("2")
			c.wantClose(1000, "ping timeout") // no pong
			if at := time.Since(start); at != 120*time.Second {
				t.Fatalf("closed after %v", at)
			}
			st.next().wantClosed(t, "ping timeout")
		})
	})
	t.Run("polling", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			st := newPipeSite(t, settings())
			query, r := st.open()
			for range 3 {
				if a := st.get(query); a.body != "2" {
					t.Fatalf("%+v", a)
				}
				if a := st.do("POST", query, "3"); a.status != 200 {
					t.Fatalf("%+v", a)
				}
			}
			if a := st.get(query); a.body != "2" {
				t.Fatalf("%+v", a)
			}
			if a := st.get(query); a.body != "1" {
				t.Fatalf("%+v", a)
			}
			r.wantClosed(t, "ping timeout")
			st.wantGone(query)
		})
	})
	t.Run("half-open connection", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			st := newPipeSite(t, settings())
			c := st.websocket("EIO=4&transport=websocket")
			c.wantOpen()
			r := st.next()
			time.Sleep(46 * time.Second) // nothing is read: writes block
			synctest.Wait()
			r.wantClosed(t, "ping timeout")
			time.Sleep(time.Minute)
			synctest.Wait()
			if len(st.srv.conns) != 0 {
				t.Fatal("the connection is left")
			}
		})
	})
	t.Run("stalled frame", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			st := newPipeSite(t, settings())
			c := st.websocket("EIO=4&transport=websocket")
			c.conn = nil
			c.wantOpen()
			b := ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte("4stalls"))))
			if _, err := c.rw.Write(b[:len(b)-1]); err != nil {
				t.Fatal(err)
			}
			c.wantText("2")
			if f, err := c.read(); err != nil || f.op != ws.OpClose {
				t.Fatal(f, err)
			}
			st.next().wantClosed(t, "ping timeout")
			c.wantEnd()
		})
	})
}

// TestPacketMovesThePongDeadline: a client that is busy sending is alive.
func TestPacketMovesThePongDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newPipeSite(t, settings())
		c := st.websocket("EIO=4&transport=websocket")
		c.conn = nil
		c.wantOpen()
		c.wantText("2") // at 25 s
		time.Sleep(19 * time.Second)
		c.text("4a")
		start := time.Now()
		c.wantClose(1000, "ping timeout")
		if at := time.Since(start); at != 20*time.Second {
			t.Fatalf("closed after %v", at)
		}
	})
}

func TestHeartbeatWaitsForTheReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newPipeSite(t, settings())
		release := make(chan struct{})
		st.onOpen = func(r *recorder) {
			r.receive = func([]byte, bool) error { <-release; return nil }
		}
		c := st.websocket("EIO=4&transport=websocket")
		c.conn = nil
		c.wantOpen()
		r := st.next()
		c.text("4blocks")
		c.wantText("2")
		// The pong cannot be read meanwhile. The client must get its pings all the
		// same, or it would take the server for gone.
		for range 12 {
			start := time.Now()
			c.wantText("2")
			if after := time.Since(start); after > 25*time.Second {
				t.Fatalf("a ping after %v", after)
			}
		}
		if r.session.Closed() {
			t.Fatal("closed while the receiver was at work")
		}
		close(release)
		synctest.Wait()
		c.text("3")
		c.text("3") // of the further ones
		c.wantText("2")
		start := time.Now()
		c.wantClose(1000, "ping timeout")
		if at := time.Since(start); at != 20*time.Second {
			t.Fatalf("closed after %v", at)
		}
	})
}

// TestCloseWhileTheReceiverWorks: a deadline that has passed meanwhile leaves the
// close its own, also when the client never polls again.
func TestCloseWhileTheReceiverWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newPipeSite(t, settings())
		release := make(chan struct{})
		st.onOpen = func(r *recorder) {
			r.receive = func([]byte, bool) error { <-release; return nil }
		}
		query, r := st.open()
		posted := st.later("POST", query, "4blocks")
		if a := st.get(query); a.body != "2" {
			t.Fatalf("%+v", a)
		}
		time.Sleep(30 * time.Second) // the pong was due after 20 s
		r.session.Close("forced close")
		r.wantClosed(t, "forced close")
		time.Sleep(31 * time.Second) // a write's time is 30 s
		synctest.Wait()
		if n := st.srv.Len(); n != 0 {
			t.Errorf("%d sessions are left", n)
		}
		close(release)
		<-posted
	})
}

func TestPollLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settings()
		s.PollLimit = 3 * time.Second
		st := newPipeSite(t, s)
		query, r := st.open()
		start := time.Now()
		if a := st.get(query); a.body != "6" || time.Since(start) != 3*time.Second {
			t.Fatalf("%+v after %v", a, time.Since(start))
		}
		if r.session.Writable() {
			t.Fatal("the poll is still held")
		}
	})
}
