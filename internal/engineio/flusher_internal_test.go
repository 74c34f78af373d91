package engineio

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/gobwas/ws"
)

// writesStream takes everything and counts the writes.
type writesStream struct {
	bytesStream
	mu     sync.Mutex
	writes []string
}

func (s *writesStream) tryWrite(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes = append(s.writes, string(p))
	return len(p), nil
}

func (s *writesStream) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.writes)
}

func newWritesSession(srv *Server) (*Session, *writesStream) {
	s, stream := &Session{server: srv, version: 4}, &writesStream{}
	s.conn = &conn{session: s, stream: stream}
	return s, stream
}

// TestWritesAreShared: what is sent in one go leaves in one write.
func TestWritesAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := NewServer(settings(), nil)
		defer srv.Drain(t.Context(), 0)
		s, stream := newWritesSession(srv)
		srv.flusher.running = runtime.GOMAXPROCS(0) // as if none of it had got to run yet
		for i := range 3 {
			s.Send(Text(fmt.Append(nil, i)))
		}
		if !s.Writable() {
			t.Error("a volatile message would be dropped, though nothing stands in its way")
		}
		srv.flusher.run()
		if got := stream.count(); got != 1 {
			t.Errorf("%d writes, want 1: %q", got, stream.writes)
		}
	})
}

// TestABurstIsWrittenByItsSender: nobody else may get to run for a while.
func TestABurstIsWrittenByItsSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := NewServer(settings(), nil)
		defer srv.Drain(t.Context(), 0)
		s, stream := newWritesSession(srv)
		// The flusher is kept from running by a list that it cannot get at.
		s.outbox.listed = true
		text := strings.Repeat("x", 1000)
		for range 100 {
			s.Send(Text([]byte(text)))
		}
		if got := stream.count(); got < 5 || got > 10 {
			t.Errorf("%d writes of 100 KB", got)
		}
		if queued := srv.Stats().QueuedBytes; queued > batchSize {
			t.Errorf("%d bytes wait", queued)
		}
		s.conn.flush()
		s.conn.flush() // nothing is left
		if all := strings.Join(stream.writes, ""); len(all) != 100*(len(text)+5) {
			t.Errorf("%d bytes written", len(all))
		}
	})
}

// TestLargeAfterSmall: a message as large as the buffer allows may follow one that
// has not been written yet.
func TestLargeAfterSmall(t *testing.T) {
	s := settings()
	s.Limits.SendBuffer = 3000
	st := newSite(t, s)
	c := st.websocket("EIO=4&transport=websocket")
	c.wantOpen()
	r := st.next()
	large := strings.Repeat("x", 2990)
	for range 100 {
		if !r.session.Send(Text([]byte("small"))) || !r.session.Send(Text([]byte(large))) {
			t.Fatal("closed")
		}
		c.wantText("4small")
		c.wantText("4" + large)
	}
}

// TestManySendersOneClient: whoever makes the writes, the order of each sender is
// kept, and nothing is lost.
func TestManySendersOneClient(t *testing.T) {
	s := settings()
	s.Limits.SendBuffer = 100 << 20
	st := newSite(t, s)
	c := st.websocket("EIO=4&transport=websocket")
	c.wantOpen()
	r := st.next()
	const senders, each = 8, 500
	for n := range senders {
		go func() {
			for i := range each {
				r.session.Send(Text(fmt.Appendf(nil, "%d %d %s", n, i, strings.Repeat("x", i*n))))
			}
		}()
	}
	var next [senders]int
	for range senders * each {
		f, err := c.read()
		if err != nil || f.op != ws.OpText {
			t.Fatal(f.op, err)
		}
		var n, i int
		if _, err := fmt.Sscanf(f.payload, "4%d %d", &n, &i); err != nil || i != next[n] {
			t.Fatalf("%.20q, %v, want message %d", f.payload, err, next[n])
		}
		next[n]++
	}
}

// TestFlusherServesAll gives it more connections than one flush takes.
func TestFlusherServesAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := NewServer(settings(), nil)
		defer srv.Drain(t.Context(), 0)
		var streams []*writesStream
		for range 10*flushBatch + 1 {
			s, stream := newWritesSession(srv)
			streams = append(streams, stream)
			s.Send(Text([]byte("all")))
		}
		synctest.Wait()
		for i, stream := range streams {
			if stream.count() != 1 {
				t.Fatalf("%d writes to connection %d", stream.count(), i)
			}
		}
		if f := &srv.flusher; f.running != 0 || len(f.waiting) != 0 || cap(f.waiting) > flushBatch {
			t.Errorf("%d run, %d wait in an array of %d", f.running, len(f.waiting), cap(f.waiting))
		}
	})
}
