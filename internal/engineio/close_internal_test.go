package engineio

import (
	"context"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
)

func TestCloseFlushesTheQueue(t *testing.T) {
	t.Run("websocket", func(t *testing.T) {
		st := newSite(t, settings())
		c := st.websocket("EIO=4&transport=websocket")
		c.wantOpen()
		r := st.next()
		r.session.Send(Text([]byte("last")))
		r.session.Close("forced close")
		c.wantText("4last")
		c.wantClose(1000, "")
		r.wantClosed(t, "forced close")
	})
	t.Run("waiting poll", func(t *testing.T) {
		st := newSite(t, settings())
		query, r := st.open()
		waiting := st.later("GET", query, "")
		r.waitPolled()
		r.session.Close("forced close")
		if a := receive(t, waiting); a.body != "1" {
			t.Fatalf("%+v", a)
		}
		st.wantGone(query)
	})
	t.Run("next poll", func(t *testing.T) {
		st := newSite(t, settings())
		query, r := st.open()
		r.session.Send(Text([]byte("last")))
		r.session.Close("forced close")
		r.wantClosed(t, "forced close")
		if a := st.get(query); a.body != "4last\x1e1" {
			t.Fatalf("%+v", a)
		}
		st.wantGone(query)
	})
	t.Run("no poll", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := settings()
			s.WriteTimeout = time.Minute
			st := newPipeSite(t, s)
			_, r := st.open()
			r.session.Close("forced close")
			synctest.Wait()
			if st.srv.Len() != 1 {
				t.Fatal("the client had no time to poll")
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			if st.srv.Len() != 0 {
				t.Fatal("the session lives on")
			}
		})
	})
}

func TestCloseInsideAccept(t *testing.T) {
	st := newSite(t, settings())
	st.onOpen = func(r *recorder) {
		r.session.Send(Text([]byte("no")))
		r.session.Close("forced close")
	}
	c := st.websocket("EIO=4&transport=websocket")
	c.wantOpen()
	c.wantText("4no")
	c.wantClose(1000, "")
	st.next().wantClosed(t, "forced close")
}

// TestClosedOnce closes a session from everywhere at once.
func TestClosedOnce(t *testing.T) {
	st := newSite(t, settings())
	for range 50 {
		c := st.websocket("EIO=4&transport=websocket")
		r := st.next()
		var all sync.WaitGroup
		all.Go(func() { r.session.Close("a") })
		all.Go(func() { r.session.fail("b") })
		all.Go(func() { _ = c.tryFrame(ws.NewTextFrame([]byte("abc"))) })
		all.Go(func() { _ = c.conn.Close() })
		all.Wait()
		receive(t, r.closed)
	}
	st.srv.Drain(t.Context(), 0)
	if n := len(st.opened); n != 0 || st.srv.Len() != 0 || len(st.srv.conns) != 0 || st.srv.limits.total != 0 {
		t.Fatal("something is left")
	}
}

func TestUnansweredCloseFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newPipeSite(t, settings())
		c := st.websocket("EIO=4&transport=websocket")
		c.wantOpen()
		st.next().session.Close("forced close")
		if f, err := c.read(); err != nil || f.op != ws.OpClose {
			t.Fatal(f, err)
		}
		c.wantEnd() // after lingerTimeout of the bubble
		synctest.Wait()
		if n := st.srv.Len(); n != 0 {
			t.Fatal("the session lives on")
		}
	})
}

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newPipeSite(t, settings())
		var sockets []*wsClient
		for range 10 {
			c := st.websocket("EIO=4&transport=websocket")
			c.wantOpen()
			sockets = append(sockets, c)
			st.next()
		}
		query, r := st.open()
		waiting := st.later("GET", query, "")
		synctest.Wait()
		start := time.Now()
		drained := make(chan time.Duration)
		go func() {
			st.srv.Drain(context.Background(), 5*time.Second)
			drained <- time.Since(start)
		}()
		synctest.Wait()
		a := st.get("EIO=4&transport=polling")
		if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
			t.Fatalf("%+v", a)
		}
		closes := make(chan frame, len(sockets))
		for _, c := range sockets {
			go func() {
				f, _ := c.read()
				_ = c.tryFrame(ws.NewCloseFrame([]byte{}))
				closes <- f
			}()
		}
		if a := <-waiting; a.body != "1" {
			t.Fatalf("%+v", a)
		}
		r.wantClosed(t, "server shutting down")
		for range sockets {
			if f := <-closes; f.payload != string(ws.NewCloseFrameBody(1001, "server shutting down")) {
				t.Fatal(f)
			}
		}
		if took := <-drained; took > 5*time.Second || took < 4*time.Second {
			t.Fatalf("drained in %v", took)
		}
	})
}

// TestDrainAndPolls: a client whose next poll could not come is closed before that,
// and with its last answer gets what was queued.
func TestDrainAndPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newPipeSite(t, settings())
		_, between := st.open()
		query, r := st.open()
		waiting := st.later("GET", query, "")
		c := st.websocket("EIO=4&transport=websocket") // a further one for the window
		c.wantOpen()
		synctest.Wait()
		start := time.Now()
		st.srv.Refuse()
		ctx, cancel := context.WithCancel(context.Background())
		var drained sync.WaitGroup
		drained.Go(func() { st.srv.Drain(ctx, time.Hour) })
		synctest.Wait()
		between.wantClosed(t, "server shutting down")
		r.session.Send(Text([]byte("late")))
		if a := <-waiting; !slices.Contains([]string{"4late\x1e1", "1"}, a.body) { // its turn may have come first
			t.Fatalf("%+v", a)
		}
		r.wantClosed(t, "server shutting down")
		if waited := time.Since(start); waited > 0 {
			t.Fatalf("told after %v", waited)
		}
		cancel()
		drained.Wait()
	})
}

// TestDrainDuringAHandshake: a session that a drain finds while it is being opened
// is told apart, and told, like any other.
func TestDrainDuringAHandshake(t *testing.T) {
	t.Run("a websocket is none that polls", func(t *testing.T) {
		srv := NewServer(settings(), func(*Session) Receiver { return &recorder{closed: make(chan string, 1)} })
		s := &Session{server: srv, version: 4, id: "a"}
		c := &conn{session: s, stream: &deadlineStream{}}
		s.mu.Lock()
		opened := make(chan struct{})
		go func() {
			defer close(opened)
			srv.open(s, c)
		}()
		for srv.Len() == 0 {
			runtime.Gosched()
		}
		if s.conn != c || len(s.outbox.queue) != 1 {
			t.Error("it is live without its websocket, or the packet that opens it")
		}
		s.mu.Unlock()
		<-opened
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s.fail(reasonError)
		srv.Drain(ctx, 0) // ends the worker
	})
	t.Run("its receiver is waited for", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			st := newPipeSite(t, settings())
			accept := make(chan struct{})
			st.onOpen = func(r *recorder) {
				r.closed = make(chan string)
				<-accept
			}
			opening := st.later("GET", handshakeQuery, "")
			synctest.Wait()
			drained := make(chan struct{})
			go func() {
				defer close(drained)
				st.srv.Drain(t.Context(), 0)
			}()
			synctest.Wait()
			close(accept)
			<-opening
			synctest.Wait()
			select {
			case <-drained:
				t.Error("the receiver has not been told, and the drain is over")
			default:
			}
			st.next().wantClosed(t, "server shutting down")
			<-drained
		})
	})
	t.Run("there is none", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			srv := NewServer(settings(), func(*Session) Receiver { return nil })
			for _, closed := range []bool{true, false} {
				s := &Session{server: srv, version: 4, id: "a"}
				if closed {
					s.fail(reasonError)
				}
				srv.open(s, nil)
			}
			srv.Drain(t.Context(), 0)
		})
	})
}

// TestRefuse: before a drain, new clients get an answer, old ones stay.
func TestRefuse(t *testing.T) {
	st := newSite(t, settings())
	query, _ := st.open()
	st.srv.Refuse()
	if a := st.get(handshakeQuery); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Fatalf("%+v", a)
	}
	if _, res := st.tryWebSocket("EIO=4&transport=websocket"); res.status != http.StatusServiceUnavailable {
		t.Fatal(res.status)
	}
	if a := st.do("POST", query, "4x"); a.status != http.StatusOK {
		t.Fatalf("%+v", a)
	}
}

// TestDrainAwaitsReceivers: what a receiver keeps at the end of its session is not
// lost with the process, but it cannot hold the process either.
func TestDrainAwaitsReceivers(t *testing.T) {
	for _, told := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			st := newPipeSite(t, settings())
			_, r := st.open() // between two polls: it ends at once
			r.closed = make(chan string)
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			drained := make(chan struct{})
			go func() {
				defer close(drained)
				st.srv.Drain(ctx, 0)
			}()
			synctest.Wait()
			select {
			case <-drained:
				t.Fatal("the receiver has not been told, and the drain is over")
			default:
			}
			if told {
				r.wantClosed(t, "server shutting down")
				synctest.Wait()
				if ctx.Err() != nil {
					t.Fatal("it took the whole time")
				}
			}
			<-drained
			if !told {
				r.wantClosed(t, "server shutting down")
			}
		})
	}
}

func TestDrainCutsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newPipeSite(t, settings())
		c := st.websocket("EIO=4&transport=websocket")
		c.wantOpen()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		st.srv.Drain(ctx, 0) // the client reads nothing
		st.next().wantClosed(t, "server shutting down")
		if st.srv.Len() != 0 || len(st.srv.conns) != 0 {
			t.Fatal("something is left")
		}
	})
}

// refusing makes its server refuse new sessions once one has got its place.
type refusing struct {
	*httptest.ResponseRecorder
	srv *Server
}

func (w *refusing) Header() http.Header {
	if w.srv.limits.total > 0 {
		w.srv.Refuse()
	}
	return w.ResponseRecorder.Header()
}

// TestNoCookieOfNoSession: a drain that begins in the middle of a handshake.
func TestNoCookieOfNoSession(t *testing.T) {
	s := settings()
	s.Cookie = &http.Cookie{Name: "io"}
	srv := NewServer(s, func(*Session) Receiver { return &recorder{} })
	w := &refusing{httptest.NewRecorder(), srv}
	w.ResponseRecorder.Header().Set("Set-Cookie", "other=1")
	srv.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/socket.io/?"+handshakeQuery, nil), Client{})
	if got := w.Result().Header["Set-Cookie"]; w.Code != http.StatusServiceUnavailable || !slices.Equal(got, []string{"other=1"}) {
		t.Fatalf("%d with the cookies %q", w.Code, got)
	}
	srv.Drain(t.Context(), 0)
}
