package redis

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// pieces is a connection from which a text comes in pieces.
type pieces struct {
	net.Conn
	text     string
	size     int
	deadline time.Time
}

func (p *pieces) Read(b []byte) (int, error) {
	if p.text == "" {
		return 0, io.EOF
	}
	n := copy(b, p.text[:min(p.size, len(p.text))])
	p.text = p.text[n:]
	return n, nil
}

func (p *pieces) SetReadDeadline(t time.Time) error {
	p.deadline = t
	return nil
}

// tapText reads a text in pieces, and returns the messages in it and the rest.
func tapText(text string, size int) (messages []string, rest string, err error) {
	t := &tap{Conn: &pieces{text: text, size: size}}
	t.take = func(topic, channel, payload []byte) {
		messages = append(messages, fmt.Sprintf("%s|%s|%s", topic, channel, payload))
	}
	passed, err := io.ReadAll(t)
	return messages, string(passed), err
}

// array is one as Redis sends it, with a protocol's first character.
func array(kind string, parts ...string) string {
	for i := range parts {
		parts[i] = bulk(parts[i])
	}
	return fmt.Sprintf("%s%d\r\n%s", kind, len(parts), strings.Join(parts, ""))
}

func TestTap(t *testing.T) {
	large := strings.Repeat("x", 3*tapBytes)
	others := []string{
		"+OK\r\n", "%2\r\n+server\r\n$5\r\nredis\r\n+modules\r\n*1\r\n*2\r\n:1\r\n_\r\n", "$-1\r\n", "*-1\r\n",
		"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n", ">3\r\n$10\r\npsubscribe\r\n$2\r\na*\r\n:2\r\n", array("*", "pong", ""),
		"*2\r\n$7\r\nmessage\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n", array(">", "other", large),
	}
	text := others[0] + others[1] + array("*", "message", "a", "one") + others[2] + others[3] + others[4] +
		array(">", "message", "b", "") + array("*", "pmessage", "a*", "a1", "\r\n$3\r\n") + others[5] + others[6] + others[7] +
		array(">", "pmessage", "b*", "b1", large) + array("*", "message", "a", "two") + others[8]
	want := []string{"a|a|one", "b|b|", "a*|a1|\r\n$3\r\n", "b*|b1|" + large, "a|a|two"}
	for _, size := range []int{1, 2, 7, 100, 1 << 20} {
		messages, rest, err := tapText(text, size)
		if err != nil || !slices.Equal(messages, want) || rest != strings.Join(others, "") {
			t.Errorf("in pieces of %d: %.200q, rest %.200q, %v", size, messages, rest, err)
		}
	}
}

// A message that is for nobody here costs nothing but to look at it.
func TestTapCopiesNothing(t *testing.T) {
	text := array("*", "pmessage", "socket.io#/#*", "socket.io#/#room#", strings.Repeat("x", 1000))
	in, n := &pieces{size: tapBytes}, 0
	one := &tap{Conn: in, take: func(_, _, _ []byte) { n++ }}
	b := make([]byte, 10)
	allocs := testing.AllocsPerRun(100, func() {
		in.text = text
		if _, err := one.Read(b); err != io.EOF {
			t.Fatal(err)
		}
	})
	if allocs > 0 || n != 101 {
		t.Errorf("%v allocations, %d messages", allocs, n)
	}
}

// A connection on which messages come is not taken for dead, however late the answer
// to a question comes behind them; and a large message does not stay in memory.
func TestTapKeepsWhatLives(t *testing.T) {
	in := &pieces{size: tapBytes, text: array("*", "message", "a", strings.Repeat("x", 5*tapBytes)) + array("*", "message", "a", "b")}
	one := &tap{Conn: in, take: func(_, _, _ []byte) {}}
	if _, err := one.Read(make([]byte, 10)); err != io.EOF {
		t.Fatal(err)
	}
	if time.Until(in.deadline) < idleTime/2 {
		t.Errorf("the deadline is %v", in.deadline)
	}
	if cap(one.buf) > tapBytes {
		t.Errorf("%d bytes are kept", cap(one.buf))
	}
}

// The library looks at the socket of a connection before it uses it again.
func TestTapShowsItsSocket(t *testing.T) {
	ctx := context.WithValue(t.Context(), tapKey{}, taker(func(_, _, _ []byte) {}))
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	if _, ok := tapped(ctx, near).(syscall.Conn); ok {
		t.Error("it shows a socket that there is not")
	}
	if _, ok := tapped(ctx, new(net.TCPConn)).(syscall.Conn); !ok {
		t.Error("it hides the socket")
	}
	if tapped(t.Context(), near) != near {
		t.Error("it is tapped without having been made for that")
	}
}

// FuzzTap reads what may come from Redis: how it is cut on the way does not matter.
func FuzzTap(f *testing.F) {
	f.Add([]byte(array("*", "message", "a", "b")+"+OK\r\n"), 3)
	f.Add([]byte(array(">", "pmessage", "a*", "a", "b")+"%1\r\n+a\r\n*1\r\n:1\r\n"), 1)
	f.Add([]byte("$9223372036854775807\r\n"), 1)
	f.Add([]byte("%9223372036854775807\r\n+\r\n"), 1)
	f.Fuzz(func(t *testing.T, text []byte, size int) {
		if size < 1 {
			return
		}
		want, rest, wantErr := tapText(string(text), len(text)+1)
		got, restOfIt, err := tapText(string(text), size)
		if !slices.Equal(got, want) || rest != restOfIt || (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: %q, %q, %v in one piece, %q, %q, %v in pieces of %d", text, want, rest, wantErr, got, restOfIt, err, size)
		}
	})
}
