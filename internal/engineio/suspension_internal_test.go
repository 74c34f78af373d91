package engineio

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
)

// held is a site whose receivers take no message before the test's end.
func held(t *testing.T, s *Settings) *site {
	st := newPipeSite(t, s)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	st.onOpen = func(r *recorder) {
		r.receive = func([]byte, bool) error { <-release; return nil }
	}
	return st
}

// Nothing of a client that is held up is read, its end neither.
func TestClientLostWhileTheReceiverIsAtWork(t *testing.T) {
	for name, query := range map[string]string{"version 4": "EIO=4&transport=websocket", "version 3": "EIO=3&transport=websocket"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st := held(t, settings3())
				c := st.websocket(query)
				conn := c.conn
				c.conn = nil // reads wait for pings
				c.wantOpen()
				r := st.next()
				c.text("4blocks")
				for range 3 { // long after the first has gone without an answer
					if _, err := c.read(); err != nil {
						t.Fatal(err)
					}
				}
				_ = conn.Close()
				time.Sleep(45 * time.Second)
				synctest.Wait()
				if !r.session.Closed() || st.srv.Len() != 0 {
					t.Fatal("the session is left")
				}
				r.wantClosed(t, reasonError)
			})
		})
	}
}

func TestVersion3ClientIsProbedWhileTheReceiverIsAtWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := held(t, settings3())
		c := st.websocket("EIO=3&transport=websocket")
		c.conn = nil
		c.wantOpen()
		c.text("4blocks")
		for range 3 {
			c.want(ws.OpPing, "") // what its library answers by itself
		}
	})
}

func TestPollingClientWhileTheReceiverIsAtWork(t *testing.T) {
	for name, version := range map[string]int{"version 4": 4, "version 3": 3} {
		hold := func(t *testing.T) (*site, string, *recorder) {
			st := held(t, settings3())
			open, body := st.open, "4blocks"
			if version == 3 {
				open, body = st.open3, "7:4blocks"
			}
			query, r := open()
			st.later("POST", query, body)
			synctest.Wait()
			return st, query, r
		}
		t.Run(name+": one that polls is not closed", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st, query, r := hold(t)
				for start := time.Now(); time.Since(start) < 5*time.Minute; {
					if a := st.get(query); a.status != 200 || r.session.Closed() {
						t.Fatalf("after %v: %+v", time.Since(start), a)
					}
				}
			})
		})
		t.Run(name+": one that is gone is", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st, _, r := hold(t)
				time.Sleep(64 * time.Second)
				if r.session.Closed() {
					t.Fatal("closed early")
				}
				time.Sleep(time.Second)
				r.wantClosed(t, reasonPing)
				if st.srv.Len() != 0 {
					t.Fatal("the session is left")
				}
			})
		})
	}
}
