package engineio

import (
	"context"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// giveUp makes a poll, and has its client give it up.
func (st *site) giveUp(query string) {
	ctx, cancel := context.WithCancel(st.t.Context())
	done := make(chan answer)
	go func() { done <- st.get(query, func(r *http.Request) { *r = *r.WithContext(ctx) }) }()
	synctest.Wait()
	cancel()
	<-done
	synctest.Wait()
}

// forsaken runs a test with a session whose client has just given up its poll.
func forsaken(t *testing.T, test func(t *testing.T, st *site, query string, r *recorder)) {
	synctest.Test(t, func(t *testing.T) {
		st := newPipeSite(t, settings3())
		query, r := st.open()
		st.giveUp(query)
		test(t, st, query, r)
		if st.srv.Len() != 0 || st.srv.limits.total != 0 {
			t.Error("the session is left")
		}
	})
}

func TestPollThatIsGivenUp(t *testing.T) {
	for name, test := range map[string]func(t *testing.T, st *site, query string, r *recorder){
		"the session ends": func(t *testing.T, _ *site, _ string, r *recorder) {
			time.Sleep(farewell - time.Millisecond)
			if len(r.closed) > 0 || r.session.Closed() {
				t.Fatal("at once")
			}
			time.Sleep(time.Millisecond)
			synctest.Wait()
			r.wantClosed(t, reasonError)
		},
		"what is posted still counts, and changes no time": func(t *testing.T, st *site, query string, r *recorder) {
			for range 3 {
				time.Sleep(farewell / 4)
				if a := st.do("POST", query, "4bye\x1e3"); a.status != 200 || a.body != "ok" {
					t.Fatalf("%+v", a)
				}
				if got := receive(t, r.got); got.data != "bye" {
					t.Fatal(got)
				}
			}
			time.Sleep(farewell / 4)
			synctest.Wait()
			r.wantClosed(t, reasonError)
			if a := st.do("POST", query, "4late"); a.status != 400 {
				t.Fatalf("%+v", a)
			}
		},
		"the next poll ends it at once": func(t *testing.T, st *site, query string, r *recorder) {
			st.wantGone(query)
			r.wantClosed(t, reasonError)
			st.wantGone(query)
		},
		"nothing is sent": func(t *testing.T, st *site, query string, r *recorder) {
			if r.session.Writable() || r.session.Send(Text([]byte("lost"))) {
				t.Fatal("it would be lost, and the sender not know")
			}
			st.wantGone(query)
		},
		"the client closes": func(t *testing.T, st *site, query string, r *recorder) {
			if a := st.do("POST", query, "4bye\x1e1"); a.status != 200 {
				t.Fatalf("%+v", a)
			}
			r.wantClosed(t, reasonClientClose)
			st.wantGone(query)
		},
		"a malformed packet": func(t *testing.T, st *site, query string, r *recorder) {
			if a := st.do("POST", query, "abc"); a.status != 400 {
				t.Fatalf("%+v", a)
			}
			r.wantClosed(t, reasonParse)
		},
		"the receiver closes": func(t *testing.T, _ *site, _ string, r *recorder) {
			r.session.Close("forced close")
			r.wantClosed(t, "forced close")
		},
		"a stop": func(t *testing.T, st *site, _ string, r *recorder) {
			start := time.Now()
			st.srv.Drain(t.Context(), time.Minute)
			if took := time.Since(start); took != 0 {
				t.Errorf("it took %v", took)
			}
			r.wantClosed(t, reasonDrain)
		},
		"a websocket that comes now": func(t *testing.T, st *site, query string, _ *recorder) {
			if _, a := st.tryWebSocket(upgradeOf(query)); a.status != 400 {
				t.Fatalf("%+v", a)
			}
			time.Sleep(farewell)
			synctest.Wait()
		},
	} {
		t.Run(name, func(t *testing.T) { forsaken(t, test) })
	}
}

func TestPollThatIsGivenUpWhileAPostIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newPipeSite(t, settings())
		query, r := st.open()
		body, rest := io.Pipe()
		posted := make(chan answer)
		go func() {
			posted <- st.do("POST", query, "", func(r *http.Request) { r.Body, r.ContentLength = body, -1 })
		}()
		st.giveUp(query)
		_, _ = io.WriteString(rest, "4bye") // a failure shows in the answer
		_ = rest.Close()
		if a := <-posted; a.status != 200 {
			t.Fatalf("%+v", a)
		}
		if got := receive(t, r.got); got.data != "bye" {
			t.Fatal(got)
		}
		time.Sleep(farewell)
		r.wantClosed(t, reasonError)
	})
}

func TestPollThatIsGivenUpInTheMiddleOfAnUpgrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newPipeSite(t, settings())
		query, r := st.open()
		c := st.websocket(upgradeOf(query))
		st.giveUp(query)
		c.wantEnd()
		if a := st.do("POST", query, "4bye"); a.status != 200 {
			t.Fatalf("%+v", a)
		}
		time.Sleep(farewell)
		r.wantClosed(t, reasonError)
	})
}

func TestVersion3PollThatIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newPipeSite(t, settings3())
		query, r := st.open3()
		st.giveUp(query)
		if a := st.do("POST", query, "1:24:4bye"); a.status != 200 { // a ping before
			t.Fatalf("%+v", a)
		}
		if got := receive(t, r.got); got.data != "bye" {
			t.Fatal(got)
		}
		time.Sleep(farewell)
		r.wantClosed(t, reasonError)
		if st.srv.Len() != 0 || st.srv.Stats().QueuedBytes != 0 {
			t.Error("something is left")
		}
	})
}
