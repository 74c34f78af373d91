package engineio

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// TestSlowConsumer sends to a client that reads nothing until its buffer is full.
func TestSlowConsumer(t *testing.T) {
	logs, observed := observer.New(zap.WarnLevel)
	s := settings()
	s.Logger = zap.New(logs)
	s.Limits.SendBuffer = 100_000
	st := newSite(t, s)
	c := st.websocket("EIO=4&transport=websocket")
	c.wantOpen()
	r := st.next()
	m := Binary(make([]byte, 10_000))
	sent := 0
	for r.session.Send(m) {
		sent++
		if queued := st.srv.Stats().QueuedBytes; queued > 100_000 {
			t.Fatalf("%d bytes queued", queued)
		}
	}
	r.wantClosed(t, "transport error")
	if queued := st.srv.Stats().QueuedBytes; queued > 10_100 {
		t.Fatalf("%d bytes are still queued", queued)
	}
	if got := observed.FilterField(zap.String("event", "slow_consumer")).Len(); got != 1 {
		t.Fatalf("%d log lines", got)
	}
	if st.srv.Stats().SlowConsumers != 1 {
		t.Fatal("not counted")
	}
	// What was written to the connection before arrives whole, then the close frame.
	for got := 0; ; got++ {
		f, err := c.read()
		if err != nil {
			t.Fatal(err)
		}
		if f.op == ws.OpClose {
			if code, text := ws.ParseCloseFrameData([]byte(f.payload)); code != 1008 || text != "send buffer exceeded" {
				t.Fatal(code, text)
			}
			return
		}
		if len(f.payload) != 10_000 || got > sent {
			t.Fatalf("frame %d of %d bytes", got, len(f.payload))
		}
	}
}

func TestSlowPoller(t *testing.T) {
	s := settings()
	s.Limits.SendBuffer = 1000
	st := newSite(t, s)
	query, r := st.open()
	for r.session.Send(Text(bytes.Repeat([]byte("x"), 100))) {
	}
	r.wantClosed(t, "transport error")
	st.wantGone(query)
}

// TestSendBufferCountsOnlyWhatWaits sends many times the buffer to clients that
// read.
func TestSendBufferCountsOnlyWhatWaits(t *testing.T) {
	s := settings()
	s.Limits.SendBuffer = 3000
	st := newSite(t, s)
	text := strings.Repeat("x", 1000)
	c := st.websocket("EIO=4&transport=websocket")
	c.wantOpen()
	r := st.next()
	query, poller := st.open()
	for i := range 50 {
		if !r.session.Send(Text([]byte(text))) || !poller.session.Send(Text([]byte(text))) {
			t.Fatalf("closed after %d", i)
		}
		c.wantText("4" + text)
		if a := st.get(query); a.body != "4"+text {
			t.Fatalf("%+v", a)
		}
	}
}

// TestLargeQueue is written in batches, in order.
func TestLargeQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newPipeSite(t, settings())
		c := st.websocket("EIO=4&transport=websocket")
		c.wantOpen()
		r := st.next()
		for i := range 2000 {
			r.session.Send(Text(fmt.Appendf(nil, "%d %s", i, strings.Repeat("x", i%300))))
		}
		for i := range 2000 {
			c.wantText(fmt.Sprintf("4%d %s", i, strings.Repeat("x", i%300)))
		}
		synctest.Wait()
		if queued := st.srv.Stats().QueuedBytes; queued != 0 || !r.session.Writable() {
			t.Fatalf("%d bytes are still queued", queued)
		}
	})
}

// deadlineStream always blocks, and keeps the last deadline.
type deadlineStream struct {
	bytesStream
	deadline time.Time
}

func (*deadlineStream) tryWrite([]byte) (int, error)         { return 0, nil }
func (s *deadlineStream) SetWriteDeadline(d time.Time) error { s.deadline = d; return nil }

// TestNoDeadlineIsLeft: it would fail a later write, and a whole HTTP/2 stream.
func TestNoDeadlineIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := NewServer(settings(), nil)
		defer srv.Drain(t.Context(), 0) // ends the worker
		s := &Session{server: srv, version: 4}
		stream := &deadlineStream{}
		s.conn = &conn{session: s, stream: stream}
		s.Send(Text([]byte("a")))
		synctest.Wait()
		if !s.Writable() || !stream.deadline.IsZero() {
			t.Fatal("a deadline is left")
		}
	})
}

// TestPingFlood: a client that pings without reading must not fill the memory.
func TestPingFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settings()
		s.Limits.SendBuffer = 1000
		st := newPipeSite(t, s)
		c := st.websocket("EIO=4&transport=websocket")
		c.wantOpen()
		go func() {
			for c.tryFrame(ws.NewPingFrame(make([]byte, 125))) == nil {
			}
		}()
		st.next().wantClosed(t, "transport error")
		_ = c.conn.Close()
	})
}

// TestStalledClientDelaysNobody broadcasts to one that reads and many that don't.
func TestStalledClientDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newPipeSite(t, settings())
		var sessions []*Session
		for range 20 {
			st.websocket("EIO=4&transport=websocket").wantOpen()
			sessions = append(sessions, st.next().session)
		}
		c := st.websocket("EIO=4&transport=websocket")
		c.wantOpen()
		sessions = append(sessions, st.next().session)
		start := time.Now()
		m := Text([]byte("all"))
		for range 10 {
			for _, s := range sessions {
				s.Send(m)
			}
			c.wantText("4all")
		}
		if took := time.Since(start); took != 0 {
			t.Fatalf("took %v", took)
		}
	})
}

func TestWriteTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settings()
		s.WriteTimeout = 3 * time.Second
		st := newPipeSite(t, s)
		st.websocket("EIO=4&transport=websocket").wantOpen()
		r := st.next()
		r.session.Send(Text([]byte("unread")))
		start := time.Now()
		r.wantClosed(t, "transport error")
		if took := time.Since(start); took != 3*time.Second {
			t.Fatalf("took %v", took)
		}
	})
}

// TestAbruptEnds opens and cuts connections; nothing may be left of them.
func TestAbruptEnds(t *testing.T) {
	st := newSite(t, settings())
	for i := range 200 {
		c := st.websocket("EIO=4&transport=websocket")
		if i%2 == 0 {
			if err := c.conn.(*net.TCPConn).SetLinger(0); err != nil {
				t.Fatal(err)
			}
		}
		c.text("4hi")
		if err := c.conn.Close(); err != nil {
			t.Fatal(err)
		}
		r := st.next()
		if reason := receive(t, r.closed); !strings.HasPrefix(reason, "transport ") {
			t.Fatal(reason)
		}
	}
	st.srv.Drain(t.Context(), 0)
	if st.srv.Len()+len(st.srv.conns)+st.srv.limits.total != 0 {
		t.Fatal("something is left")
	}
}
