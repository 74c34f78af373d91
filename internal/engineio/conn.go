package engineio

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	// batchSize is how much of the queue goes into one write.
	batchSize = 16 << 10
	// inlineBatches is how many writes a sender makes itself. What others add
	// meanwhile must not hold it up for longer.
	inlineBatches = 4
)

var batches = sync.Pool{New: func() any { return new([batchSize]byte) }}

// conn is a websocket. One goroutine runs it: it reads, and cleans up at the end.
// Writes are made by whoever holds the session's right to write (outbox.writing):
// the flusher or the sender itself and, where that would block, a worker. There
// is no goroutine that waits for something to write, which would double the memory
// of an idle connection.
type conn struct {
	session *Session
	stream  stream
	in      frameReader
	cutOnce sync.Once
	trying  sync.Mutex // held during writes that do not block

	// Owned by the writer: what is being written, the pooled buffer it may be
	// in, and what the outbox still counts of it.
	rest     []byte
	batch    *[batchSize]byte
	inflight int
	last     bool // the close frame is in rest

	// session.mu guards the following fields.
	closeSent, closeSeen bool

	// Owned by run: active tells that the session uses the connection;
	// upgradeTimer cuts a probe that does not take over in time. own tells that
	// the goroutine is not a request's, worn that a new one is to take its place.
	active, own, worn bool
	upgradeTimer      *time.Timer
}

// cut ends the connection at once; its reader sees that and cleans up. It never
// blocks, so a drain can cut a thousand stalled clients one after the other. A
// nil conn has nothing to cut.
func (c *conn) cut() {
	if c != nil {
		c.cutOnce.Do(func() {
			_ = c.stream.Close() // it is given up, whatever the state it is in
		})
	}
}

// write writes the queue as far as that is possible without blocking, and leaves
// the rest to a worker. The caller has the right to write.
func (c *conn) write() {
	c.trying.Lock()
	defer c.trying.Unlock()
	for i := 0; c.take(); i++ {
		if i == inlineBatches {
			c.block()
			return
		}
		n, err := c.stream.tryWrite(c.rest)
		if err != nil {
			c.session.fail(reasonClientClose)
			return
		}
		if n < len(c.rest) {
			c.rest = c.rest[n:]
			// The socket's buffer is full. What is left of the frame must go out
			// before anything else, so the worker gets it together with the right.
			c.block()
			return
		}
		c.rest = nil
	}
}

// block gives the right to write to a worker, who can wait for the client.
func (c *conn) block() {
	c.session.mu.Lock()
	c.session.outbox.blocked = true
	c.session.mu.Unlock()
	c.session.server.writers.run(c)
}

// flush writes what a sender has left to the flusher, unless another has done so
// meanwhile.
func (c *conn) flush() {
	o := &c.session.outbox
	c.session.mu.Lock()
	mine := o.deferred
	o.deferred, o.listed = false, false
	c.session.mu.Unlock()
	if mine {
		c.write()
	}
}

// writeBlocking writes the rest and then the queue. Each write has a deadline of
// its own, so that a client that reads slowly but steadily keeps its connection,
// while one that has stopped is cut.
func (c *conn) writeBlocking() {
	for more := true; more; more = c.take() {
		if err := c.writeRest(); err != nil {
			c.session.fail(reasonError)
			return
		}
	}
}

func (c *conn) writeRest() error {
	timeout := c.session.server.settings.Load().WriteTimeout
	if err := c.stream.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	if _, err := c.stream.Write(c.rest); err != nil {
		return err
	}
	c.rest = nil
	// An armed deadline would fail later writes, and the whole stream of HTTP/2.
	return c.stream.SetWriteDeadline(time.Time{})
}

// take makes the next batch of the queue the rest to write. Without one it gives
// the right to write back and reports false.
func (c *conn) take() bool {
	if c.batch != nil {
		batches.Put(c.batch)
		c.batch = nil
	}
	var array [32]*Message
	s := c.session
	s.mu.Lock()
	// What is being written counts until it has left: a client that never reads
	// must not get a batch for free.
	s.outbox.bytes -= c.inflight
	c.inflight = 0
	// The right to write is kept: nothing may follow a close frame.
	if c.last {
		s.mu.Unlock()
		c.sent()
		return false
	}
	if len(s.outbox.queue) == 0 {
		s.outbox.writing, s.outbox.blocked = false, false
		s.mu.Unlock()
		return false
	}
	messages, size := s.outbox.pop(array[:0], len(array), batchSize)
	c.inflight = size
	s.mu.Unlock()
	c.encode(messages)
	return true
}

// encode makes the bytes to write. A single message is not copied: all clients of
// a broadcast write from the same frame.
func (c *conn) encode(messages []*Message) {
	settings := c.session.server.settings.Load()
	// The extension stays negotiated when a reload turns it off; a client that
	// has it must take plain frames too.
	deflateFrom := 0
	if c.in.deflate {
		deflateFrom = settings.PerMessageDeflate
	}
	frame := func(m *Message) []byte {
		return m.frameFor(int(c.session.version), c.session.base64Only, deflateFrom)
	}
	// The close frame is pushed by the state change that ends pushes: it is last.
	c.last = messages[len(messages)-1].kind == closingFrame
	if len(messages) == 1 {
		c.rest = frame(messages[0])
	} else {
		// One write for many small messages costs a fraction of a system call each,
		// and fills TCP segments and TLS records.
		c.batch = batches.Get().(*[batchSize]byte)
		c.rest = c.batch[:0]
		for _, m := range messages {
			c.rest = append(c.rest, frame(m)...)
		}
	}
	c.session.server.stats.websocket.sent(len(messages), len(c.rest))
}

// sent is called once the close frame has been written.
func (c *conn) sent() {
	s := c.session
	s.mu.Lock()
	// Whichever side is second to send its close frame ends the connection.
	c.closeSent = true
	seen := c.closeSeen
	s.beat.closeIn(s, lingerTimeout)
	s.mu.Unlock()
	c.stream.finish()
	if seen {
		c.cut()
	}
}

// run reads until the connection ends, and then ends what depends on it. A
// goroutine of the connection's own is replaced after the first packet, which makes
// the deepest calls, and with each heartbeat: waiting fits on the stack of a new
// one, but one that has grown never gets as small again. ended is closed at the
// end; nil if nobody waits for that.
func (c *conn) run(ended chan<- struct{}) {
	err := c.read()
	if errors.Is(err, errWorn) {
		go c.run(ended)
		return
	}
	if ended != nil {
		defer close(ended)
	}
	c.logEnd(err)
	c.in.in.release()
	if c.upgradeTimer != nil {
		c.upgradeTimer.Stop()
	}
	c.session.gone(c) // first, so that a client that sees the end may try again
	c.cut()
	c.session.server.forget(c)
}

// logEnd tells the log what a client did wrong, or how its connection broke. Ends
// that are in order are told by the layer above.
func (c *conn) logEnd(err error) {
	for _, fine := range []error{nil, io.EOF, net.ErrClosed, errClientClose, errNotOpen} {
		if errors.Is(err, fine) {
			return
		}
	}
	c.session.server.logger().Debug("websocket ended",
		zap.Stringer("remote_ip", c.session.client.IP),
		zap.String("transport", transportWebSocket),
		zap.String("user", c.session.user()),
		zap.Error(err))
}
