package redis

import (
	"bytes"
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// tap is the connection of the subscriptions. It takes the published messages out
// of what comes, where they lie in its buffer, and leaves all else to the library:
// that copies every part of each message, most of which are for nobody here. Only
// one goroutine may read.
type tap struct {
	net.Conn
	take taker

	buf   []byte // what has come, up to a whole message, which Redis bounds (proto-max-bulk-len)
	at    int    // of what is next in it
	pass  int    // how much from there on is the library's
	parts [][]byte
}

const (
	tapBytes = 1 << 16
	// tapDepth bounds the nesting of what Redis answers.
	tapDepth = 16
)

// tapKey is that of a context in which connections are made to be tapped, since
// the library makes them and hands on nothing else. The value is a taker.
type tapKey struct{}

// taker gets what is published. All is valid until it returns.
type taker func(topic, channel, payload []byte)

// tapped taps a connection if it is made in such a context.
func tapped(ctx context.Context, conn net.Conn) net.Conn {
	take, ok := ctx.Value(tapKey{}).(taker)
	if !ok {
		return conn
	}
	t := &tap{Conn: conn, take: take}
	// With Redis Cluster one for commands may be made on the way, and the library
	// looks at their sockets.
	if socket, ok := conn.(syscall.Conn); ok {
		return struct {
			*tap
			syscall.Conn
		}{t, socket}
	}
	return t
}

// Read implements [net.Conn]. What it is called for comes between messages.
func (t *tap) Read(p []byte) (int, error) {
	for t.pass == 0 {
		t.parts = t.parts[:0]
		rest, err := skipReply(t.buf[t.at:], tapDepth, &t.parts)
		switch {
		case errors.Is(err, errShort):
			if err := t.fill(); err != nil {
				return 0, err
			}
			continue
		case err != nil:
			return 0, err
		case len(t.parts) == 3 && string(t.parts[0]) == "message":
			t.take(t.parts[1], t.parts[1], t.parts[2])
		case len(t.parts) == 4 && string(t.parts[0]) == "pmessage":
			t.take(t.parts[1], t.parts[2], t.parts[3])
		default:
			t.pass = len(t.buf) - t.at - len(rest)
			continue
		}
		t.at = len(t.buf) - len(rest)
	}
	n := copy(p, t.buf[t.at:t.at+t.pass])
	t.at, t.pass = t.at+n, t.pass-n
	return n, nil
}

// fill waits for more. Whatever comes shows that the connection lives.
func (t *tap) fill() error {
	left := t.buf[t.at:]
	switch {
	case cap(t.buf) != tapBytes && len(left) < tapBytes:
		t.buf = append(make([]byte, 0, tapBytes), left...) // what a large one took must not stay in memory
	case t.at > 0:
		t.buf = append(t.buf[:0], left...)
	}
	t.at = 0
	if len(t.buf) == cap(t.buf) {
		t.buf = slices.Grow(t.buf, len(t.buf))
	}
	n, err := t.Conn.Read(t.buf[len(t.buf):cap(t.buf)])
	t.buf = t.buf[:len(t.buf)+n]
	if n == 0 {
		return err
	}
	return t.SetReadDeadline(time.Now().Add(idleTime))
}

var (
	errShort = errors.New("there is more of it")
	errReply = errors.New("malformed answer of redis")
)

// skipReply returns what follows the first reply of b. parts, if it is not nil, gets
// the texts of the array that the reply is.
func skipReply(b []byte, depth int, parts *[][]byte) (rest []byte, err error) {
	line, rest, ok := bytes.Cut(b, []byte("\r\n"))
	if !ok {
		return nil, errShort
	}
	if len(line) == 0 || depth == 0 {
		return nil, errReply
	}
	switch line[0] {
	case '+', '-', ':', ',', '#', '(', '_':
		return rest, nil
	}
	n, err := strconv.Atoi(string(line[1:]))
	if err != nil {
		return nil, errReply
	}
	switch line[0] {
	case '$', '=', '!':
		return skipText(rest, n, parts)
	case '*', '~', '>':
	case '%', '|':
		n *= 2
	default:
		return nil, errReply
	}
	if depth < tapDepth {
		parts = nil
	}
	for i := 0; i < n && err == nil; i++ {
		rest, err = skipReply(rest, depth-1, parts)
	}
	return rest, err
}

// skipText is skipReply behind the length of a text, which is negative for none.
func skipText(b []byte, n int, parts *[][]byte) (rest []byte, err error) {
	if n < 0 {
		return b, nil
	}
	if n > len(b)-2 {
		return nil, errShort
	}
	if parts != nil {
		*parts = append(*parts, b[:n:n])
	}
	return b[n+2:], nil
}
