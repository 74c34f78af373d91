package engineio

import (
	"context"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fill sends messages of a size to a client that does not read.
func (r *recorder) fill(total, size int) {
	for range total / size {
		r.session.Send(Binary(make([]byte, size)))
	}
}

// wantDrained drains in no time, and waits for all handlers to return.
func (st *site) wantDrained() {
	st.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	st.srv.Drain(ctx, 0)
	done := make(chan struct{})
	go func() {
		defer close(done)
		st.handlers.Wait()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		st.t.Fatal("a request outlives the drain")
	}
}

// TestDrainCutsRequests of clients that neither read nor write.
func TestDrainCutsRequests(t *testing.T) {
	start := func(t *testing.T) (st *site, query string, r *recorder, conn *net.TCPConn) {
		s := settings()
		s.MaxPayload, s.Limits.SendBuffer, s.Compression = 2e7, 2e7, -1
		st = newSite(t, s)
		query, r = st.open()
		st.handlers = &sync.WaitGroup{}
		c, err := st.dial()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		conn = c.(*net.TCPConn)
		if err := conn.SetReadBuffer(4096); err != nil {
			t.Fatal(err)
		}
		return st, query, r, conn
	}
	request := func(t *testing.T, c net.Conn, line, rest string) {
		if _, err := c.Write([]byte(line + " HTTP/1.1\r\nHost: example.com\r\n" + rest)); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("a poll whose answer is not read", func(t *testing.T) {
		st, query, r, conn := start(t)
		r.fill(15e6, 1e6)
		request(t, conn, "GET /socket.io/?"+query, "\r\n")
		for st.srv.Stats().QueuedBytes > 0 { // until the answer is being written
			runtime.Gosched()
		}
		st.wantDrained()
	})
	t.Run("a poll whose session ends with it", func(t *testing.T) {
		st, query, r, conn := start(t)
		r.fill(15e6, 1e6)
		st.srv.Refuse()
		request(t, conn, "GET /socket.io/?"+query, "\r\n")
		r.wantClosed(t, "server shutting down")
		st.wantDrained()
	})
	t.Run("a body that does not come", func(t *testing.T) {
		st, query, r, conn := start(t)
		request(t, conn, "POST /socket.io/?"+query, "Content-Length: 1000\r\n\r\n4"+strings.Repeat("x", 10))
		for posting := false; !posting; runtime.Gosched() {
			r.session.mu.Lock()
			posting = r.session.posting
			r.session.mu.Unlock()
		}
		st.wantDrained()
	})
}

// What a request that has been refused still sends holds no stop either: the front
// waits for it as well, behind the drain.
func TestDrainCutsUnreadBodies(t *testing.T) {
	for name, line := range map[string]string{
		"a POST that is refused":  "POST /socket.io/?EIO=4&transport=polling&sid=made-up",
		"a handshake with a body": "GET /socket.io/?" + handshakeQuery,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st := newPipeSite(t, settings())
				conn, err := st.dial()
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				if _, err := io.WriteString(conn, line+" HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx"); err != nil {
					t.Fatal(err)
				}
				go func() { _, _ = io.Copy(io.Discard, conn) }()
				synctest.Wait()
				start := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				st.srv.Drain(ctx, 0)
				if err := st.httpServ.Shutdown(t.Context()); err != nil {
					t.Error(err)
				}
				if took := time.Since(start); took > 3*time.Second { // net/http looks twice in a second
					t.Errorf("took %v", took)
				}
			})
		})
	}
}
