// Package wire is the client's side of the websocket and Engine.IO protocols,
// cut down to what a load generator needs: it builds its frames ahead of time
// and reads with as few system calls as it can, so that what is measured is the
// server.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Opcodes of RFC 6455.
const (
	Text   = 1
	Binary = 2
	Close  = 8
	Ping   = 9
	Pong   = 10
)

// MaxPayload is the longest frame that a Reader accepts, in bytes.
const MaxPayload = 4 << 20

// keep is how long a buffer may be to be kept for the next frame.
const keep = 16 << 10

// ErrProtocol is wrapped by every error about a frame that no server may send.
var ErrProtocol = errors.New("websocket protocol error")

// maskKey is not zero, since some servers skip the unmasking of zero keys, and
// always the same, so that a frame can be sent again and again.
var maskKey = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// AppendFrame appends a final, masked frame to dst. The payload is copied.
func AppendFrame(dst []byte, opcode byte, payload []byte) []byte {
	dst = append(dst, 0x80|opcode)
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, 0x80|byte(n))
	case n <= 0xffff:
		dst = append(dst, 0x80|126)
		dst = binary.BigEndian.AppendUint16(dst, uint16(n))
	default:
		dst = append(dst, 0x80|127)
		dst = binary.BigEndian.AppendUint64(dst, uint64(n))
	}
	dst = append(dst, maskKey[:]...)
	for i, b := range payload {
		dst = append(dst, b^maskKey[i&3])
	}
	return dst
}

// TextFrame is a masked text frame, ready to be written any number of times.
func TextFrame(payload string) []byte {
	return AppendFrame(nil, Text, []byte(payload))
}

// Reader reads the frames that a server sends. It is not safe for concurrent
// use.
type Reader struct {
	src        io.Reader
	buf        []byte
	start, end int // the unread part of buf
}

// NewReader reads from src; buffered is what has been read of it already, such
// as what followed an HTTP response.
func NewReader(src io.Reader, buffered []byte) *Reader {
	r := &Reader{src: src, buf: make([]byte, max(512, len(buffered)))}
	r.end = copy(r.buf, buffered)
	return r
}

// Next returns the next frame. Its payload is valid until the next call.
// Fragmented and masked frames are errors: no server of the benchmark sends them.
func (r *Reader) Next() (opcode byte, payload []byte, err error) {
	head, err := r.peek(2)
	if err != nil {
		return 0, nil, err
	}
	opcode = head[0] & 0x0f
	if head[0]&0xf0 != 0x80 || head[1]&0x80 != 0 || opcode == 0 {
		return 0, nil, fmt.Errorf("%w: frame starts with %#x", ErrProtocol, head[:2])
	}
	size, length := 2, uint64(head[1])
	if extra := extension(head[1]); extra > 0 {
		if head, err = r.peek(2 + extra); err != nil {
			return 0, nil, unexpected(err)
		}
		size, length = 2+extra, bigEndian(head[2:])
	}
	if length > MaxPayload {
		return 0, nil, fmt.Errorf("%w: frame of %d bytes", ErrProtocol, length)
	}
	frame, err := r.peek(size + int(length))
	if err != nil {
		return 0, nil, unexpected(err)
	}
	r.start += len(frame)
	if r.start == r.end && len(r.buf) > keep {
		// One long frame, such as a full snapshot of a room, must not cost the
		// generator its length for each of thousands of connections.
		r.buf, r.start, r.end = make([]byte, 512), 0, 0
	}
	return opcode, frame[size:], nil
}

// extension is how many bytes of length follow a length byte.
func extension(length byte) int {
	switch length {
	case 126:
		return 2
	case 127:
		return 8
	}
	return 0
}

// bigEndian reads a length of two or eight bytes.
func bigEndian(b []byte) (n uint64) {
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n
}

// peek returns the next n bytes without consuming them.
func (r *Reader) peek(n int) ([]byte, error) {
	for r.end-r.start < n {
		if r.start+n > len(r.buf) {
			r.makeRoom(n)
		}
		got, err := r.src.Read(r.buf[r.end:])
		r.end += got
		if got == 0 && err != nil {
			return nil, err
		}
	}
	return r.buf[r.start : r.start+n], nil
}

// makeRoom moves the unread part to the front, of a larger buffer if need be.
func (r *Reader) makeRoom(n int) {
	// Growing beyond n saves a copy for each of a long frame's neighbours.
	old := r.buf
	if n > len(r.buf) {
		r.buf = make([]byte, n+n/2)
	}
	r.end = copy(r.buf, old[r.start:r.end])
	r.start = 0
}

// unexpected marks an end in the middle of a frame.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
