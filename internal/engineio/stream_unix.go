//go:build unix

package engineio

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// tcpStream is a plain TCP connection. It waits for readability without a
// buffer, and writes without blocking, by system calls of its own under the
// runtime's poller. Only *net.TCPConn qualifies: a wrapper that lets its
// descriptor through may change what goes over it.
type tcpStream struct {
	*net.TCPConn
	raw syscall.RawConn

	// The callbacks of raw, made once, and what they exchange with await and
	// tryWrite. Owned by the reader and the writer.
	onRead, onWrite func(fd uintptr) bool
	buf             *[bufferSize]byte
	out             []byte
	nRead, nWritten int
	rerr, werr      error
}

func newTCPStream(c *net.TCPConn) stream {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	s := &tcpStream{TCPConn: c, raw: raw}
	s.onRead, s.onWrite = s.readable, s.writable
	return s
}

func (s *tcpStream) await() (*[bufferSize]byte, int, error) {
	if err := s.raw.Read(s.onRead); err != nil {
		return nil, 0, err
	}
	buf, n, err := s.buf, s.nRead, s.rerr
	s.buf = nil
	if n > 0 {
		return buf, n, nil
	}
	buffers.Put(buf)
	if err == nil {
		err = io.EOF
	}
	return nil, 0, err
}

// readable reports whether it has read something, an end or an error.
func (s *tcpStream) readable(fd uintptr) bool {
	// Read at once, since data is usually there when this is called; only a
	// connection that has none goes to sleep, and without the buffer.
	s.buf = buffers.Get().(*[bufferSize]byte)
	s.nRead, s.rerr = ignoringEINTR(syscall.Read, fd, s.buf[:])
	if !errors.Is(s.rerr, syscall.EAGAIN) {
		return true
	}
	buffers.Put(s.buf)
	s.buf = nil
	return false
}

func (s *tcpStream) tryWrite(p []byte) (int, error) {
	s.out = p
	err := s.raw.Write(s.onWrite)
	s.out = nil
	if err != nil {
		return 0, err
	}
	return s.nWritten, s.werr
}

func (s *tcpStream) writable(fd uintptr) bool {
	s.nWritten, s.werr = ignoringEINTR(syscall.Write, fd, s.out)
	s.nWritten = max(0, s.nWritten)
	if errors.Is(s.werr, syscall.EAGAIN) {
		s.werr = nil
	} else if s.werr != nil {
		s.werr = os.NewSyscallError("write", s.werr)
	}
	// True also when the socket is full: the caller must not be parked here.
	return true
}

func (s *tcpStream) finish() { closeWrite(s.TCPConn) }

func ignoringEINTR(call func(int, []byte) (int, error), fd uintptr, p []byte) (int, error) {
	for {
		n, err := call(int(fd), p)
		if !errors.Is(err, syscall.EINTR) {
			return n, err
		}
	}
}
