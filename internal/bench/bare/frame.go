package bare

import (
	"encoding/binary"
	"errors"
	"net"
)

// maxFrame bounds what a client may send, as the other servers do.
const maxFrame = 1_000_000

var (
	ackFrame     = text(`430[{"ok":true}]`)
	pongFrame    = text(`430[{"ok":true,"data":"pong from server"}]`)
	errMalformed = errors.New("malformed frame")
)

// conn is a websocket. Only its own goroutine reads it; any may write it.
type conn struct {
	net.Conn
	buf        []byte
	start, end int // the unread part of buf
}

// event makes a frame of an event packet, without the number of its ack ("420"),
// so that its receivers see what other servers would send them.
func event(packet []byte) []byte {
	if len(packet) < 3 {
		return text(string(packet))
	}
	return text("42" + string(packet[3:]))
}

// text makes an unmasked text frame, as servers send them. Payloads of 64 KB and
// more do not occur: the longest message of the benchmark is a candidate of 1 KB.
func text(payload string) []byte {
	b := []byte{0x81}
	if n := len(payload); n < 126 {
		b = append(b, byte(n))
	} else {
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	}
	return append(b, payload...)
}

// next reads one masked frame and returns its payload, valid until the next call.
func (c *conn) next() ([]byte, error) {
	if c.start == c.end {
		c.start, c.end = 0, 0
	}
	head, err := c.need(2)
	if err != nil {
		return nil, err
	}
	size, n := 6, int(head[1]&0x7f)
	if n == 126 {
		if head, err = c.need(4); err != nil {
			return nil, err
		}
		size, n = 8, int(binary.BigEndian.Uint16(head[2:]))
	}
	if n == 127 || head[1]&0x80 == 0 || size+n > maxFrame || head[0]&0x0f == 8 {
		return nil, errMalformed
	}
	whole, err := c.need(size + n)
	if err != nil {
		return nil, err
	}
	c.start += size + n
	mask, payload := whole[size-4:size], whole[size:]
	for i := range payload {
		payload[i] ^= mask[i&3]
	}
	return payload, nil
}

// need returns the next n bytes without consuming them.
func (c *conn) need(n int) ([]byte, error) {
	for c.end-c.start < n {
		if c.start+n > len(c.buf) {
			old := c.buf[c.start:c.end]
			if n > len(c.buf) {
				c.buf = make([]byte, n+n/2)
			}
			c.end = copy(c.buf, old)
			c.start = 0
		}
		got, err := c.Read(c.buf[c.end:])
		c.end += got
		if got == 0 && err != nil {
			return nil, err
		}
	}
	return c.buf[c.start : c.start+n], nil
}
