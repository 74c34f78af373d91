package engineio

import (
	"net"
	"time"
)

// smallRead is the size of the buffer that an idle connection holds where the
// stream cannot tell readability apart from data.
const smallRead = 128

// stream carries a websocket: a TCP or TLS connection, or a stream inside one
// of HTTP/2 or HTTP/3. One goroutine reads and one at a time writes; Close may
// be called by any.
type stream interface {
	Read(p []byte) (int, error)
	Write(p []byte) (int, error)
	SetWriteDeadline(t time.Time) error
	// Close ends reads and writes at once.
	Close() error
	// await waits for data, and returns it in a buffer of the pool.
	await() (*[bufferSize]byte, int, error)
	// tryWrite writes as much as is possible without blocking.
	tryWrite(p []byte) (int, error)
	// finish is called after the last write, to tell the client of it.
	finish()
}

// connStream is a connection of which nothing is known, such as one of TLS: it
// can neither be asked whether a write would block nor waited for without a
// buffer. It costs a small one, and a worker for each write.
type connStream struct {
	net.Conn
	small [smallRead]byte
}

func (s *connStream) await() (*[bufferSize]byte, int, error) {
	n, err := s.Read(s.small[:])
	return lift(s.small[:n]), n, ifEmpty(n, err)
}

func (s *connStream) tryWrite([]byte) (int, error) { return 0, nil }

// Close ends the connection. An orderly end has sent TLS's alert in finish.
func (s *connStream) Close() error { return closeConn(s.Conn) }

// closeConn ends a connection below TLS, because TLS would first send an alert, and
// wait for a client that does not read.
func closeConn(c net.Conn) error {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok {
		return t.NetConn().Close()
	}
	return c.Close()
}

func (s *connStream) finish() { closeWrite(s.Conn) }

// lift copies p to a buffer of the pool.
func lift(p []byte) *[bufferSize]byte {
	if len(p) == 0 {
		return nil
	}
	buf := buffers.Get().(*[bufferSize]byte)
	copy(buf[:], p)
	return buf
}

// ifEmpty drops an error that came with data; it comes again with the next read.
func ifEmpty(n int, err error) error {
	if n > 0 {
		return nil
	}
	return err
}

// closeWrite half-closes a connection that can do so. Its failure shows in the
// reader, which waits for the client's end.
func closeWrite(c net.Conn) {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

// newConnStream wraps a hijacked connection.
func newConnStream(c net.Conn) stream {
	if t, ok := c.(*net.TCPConn); ok {
		if s := newTCPStream(t); s != nil {
			return s
		}
	}
	return &connStream{Conn: c}
}
