package engineio

import (
	"errors"
	"io"
	"sync"
)

// bufferSize is the size of the pooled read and write buffers: a signaling
// message with its header fits, and so does what net/http may have read ahead.
const bufferSize = 4096

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// source reads a stream through a buffer that is taken from the pool only while
// there is something in it, so that an idle connection holds none. It is not
// safe for concurrent use.
type source struct {
	stream stream
	buf    *[bufferSize]byte
	r, w   int
}

// preset puts bytes that were read ahead in front of the stream.
func (s *source) preset(p []byte) {
	if len(p) > 0 {
		s.buf = buffers.Get().(*[bufferSize]byte)
		s.w = copy(s.buf[:], p)
	}
}

// await returns once there is a byte to read. Its frames on the stack are all
// that an idle connection keeps of its reader.
func (s *source) await() error {
	if s.r < s.w {
		return nil
	}
	// Idle from here on: the buffer goes back to the pool, and the next one
	// comes when there is something to put in.
	s.release()
	var err error
	s.buf, s.w, err = s.stream.await()
	return err
}

// release gives the buffer back.
func (s *source) release() {
	if s.buf != nil {
		buffers.Put(s.buf)
		s.buf = nil
	}
	s.r, s.w = 0, 0
}

// Read reads what is buffered, or else from the stream.
func (s *source) Read(p []byte) (int, error) {
	if s.r == s.w {
		return s.stream.Read(p)
	}
	n := copy(p, s.buf[s.r:s.w])
	s.r += n
	return n, nil
}

// take reads n bytes, at most bufferSize, into the buffer. They are valid until
// the next call of a method.
func (s *source) take(n int) ([]byte, error) {
	if s.buf == nil {
		if n == 0 {
			return nil, nil
		}
		s.buf = buffers.Get().(*[bufferSize]byte)
	}
	// Not enough room behind what is unread: move that to the front.
	if s.r+n > bufferSize {
		s.w = copy(s.buf[:], s.buf[s.r:s.w])
		s.r = 0
	}
	if missing := n - (s.w - s.r); missing > 0 {
		got, err := io.ReadAtLeast(s.stream, s.buf[s.w:], missing)
		s.w += got
		if err != nil {
			return nil, unexpected(err)
		}
	}
	p := s.buf[s.r : s.r+n]
	s.r += n
	return p, nil
}

// appendTo appends n bytes to dst. Memory is taken as they arrive, not as the
// client announces them.
func (s *source) appendTo(dst []byte, n int) ([]byte, error) {
	for n > 0 {
		// Doubling keeps the copies of a large message linear.
		step := min(n, max(bufferSize, len(dst)))
		start := len(dst)
		dst = append(dst, make([]byte, step)...)
		if _, err := io.ReadFull(s, dst[start:]); err != nil {
			return nil, unexpected(err)
		}
		n -= step
	}
	return dst, nil
}

// unexpected tells an end in the middle of a frame from one between frames.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
