package engineio

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

func FuzzPayload(f *testing.F) {
	f.Add([]byte("4hello\x1ebAQID\x1e2"))
	f.Add([]byte("b"))
	f.Fuzz(func(t *testing.T, body []byte) {
		var out []byte
		in := bytes.Clone(body)
		err := decodePayload(in, 4, false, func(p packet) error {
			m := Text(p.data)
			if p.binary {
				m = Binary(p.data)
			} else if p.kind != packetMessage {
				m = newPacket(string(p.kind) + string(p.data))
			}
			out = appendPayload(out, m, 4)
			return nil
		})
		if err == nil && !bytes.Contains(body, []byte("b")) && !bytes.Equal(out, body) {
			t.Fatalf("%q became %q", body, out)
		}
	})
}

func FuzzPayload3(f *testing.F) {
	f.Add([]byte("6:4hello3:4😀10:b4AQIDBA=="), false)
	f.Add([]byte("\x00\x06\xff4hello\x01\x05\xff\x04\x01\x02\x03\x04"), true)
	f.Fuzz(func(t *testing.T, body []byte, binary bool) {
		total := 0
		err := decodePayload(bytes.Clone(body), 3, binary, func(p packet) error {
			total += len(p.data)
			if p.kind < packetOpen || p.kind > packetNoop {
				t.Fatalf("kind %q", p.kind)
			}
			if !p.binary && !utf8.Valid(p.data) {
				t.Fatal("text is not UTF-8")
			}
			// What was decoded survives encoding.
			if p.kind == packetMessage && !p.binary {
				again := appendPayload(nil, Text(p.data), 3)
				return decodePayload(again, 3, false, func(q packet) error {
					if !bytes.Equal(q.data, p.data) {
						t.Fatalf("%q became %q", p.data, q.data)
					}
					return nil
				})
			}
			return nil
		})
		if err == nil && total > len(body) {
			t.Fatal("more data than bytes")
		}
	})
}

func FuzzBase64(f *testing.F) {
	f.Add([]byte("AQIDBA=="))
	f.Add([]byte("AQIDBA"))
	f.Fuzz(func(t *testing.T, p []byte) {
		want, err := base64.StdEncoding.DecodeString(string(p))
		got, ownErr := decodeBase64(bytes.Clone(p))
		if bytes.ContainsAny(p, "\r\n") {
			if ownErr == nil {
				t.Fatalf("%q has line breaks", p)
			}
			return
		}
		if err == nil && (ownErr != nil || !bytes.Equal(got, want)) {
			t.Fatalf("%q: %q (%v), want %q", p, got, ownErr, want)
		}
	})
}

// bytesStream is a stream of given bytes.
type bytesStream struct{ *bytes.Reader }

func (bytesStream) Write(p []byte) (int, error)      { return len(p), nil }
func (bytesStream) tryWrite(p []byte) (int, error)   { return len(p), nil }
func (bytesStream) SetWriteDeadline(time.Time) error { return nil }
func (bytesStream) Close() error                     { return nil }
func (bytesStream) finish()                          {}
func (s bytesStream) await() (*[bufferSize]byte, int, error) {
	buf := buffers.Get().(*[bufferSize]byte)
	n, err := s.Read(buf[:])
	return buf, n, err
}

// FuzzFrames feeds client frames to the reader; whatever comes, it must keep the
// bounds and end with an error.
func FuzzFrames(f *testing.F) {
	const limit = 10_000
	add := func(deflate bool, frames ...ws.Frame) {
		var b []byte
		for _, fr := range frames {
			b = append(b, ws.MustCompileFrame(ws.MaskFrame(fr))...)
		}
		f.Add(b, deflate)
	}
	add(false, ws.NewTextFrame([]byte("4hello")), ws.NewPingFrame(nil), ws.NewCloseFrame(nil))
	add(false, ws.NewFrame(ws.OpText, false, []byte("a")), ws.NewPingFrame([]byte("b")), ws.NewFrame(ws.OpContinuation, true, []byte("c")))
	add(false, ws.NewFrame(ws.OpContinuation, true, []byte("stray")))
	add(true, compressed("4hello"), compressed(string(make([]byte, 2*limit))))
	add(false, ws.NewBinaryFrame(make([]byte, 5000)))
	f.Fuzz(func(t *testing.T, b []byte, deflate bool) {
		r := frameReader{max: limit, deflate: deflate}
		r.in.stream = bytesStream{bytes.NewReader(b)}
		defer func() { r.in.release() }()
		for range len(b) + 1 {
			op, payload, err := r.next()
			if err != nil {
				return
			}
			switch {
			case op.IsControl() && len(payload) > 125, len(payload) > limit:
				t.Fatalf("%v of %d bytes", op, len(payload))
			case op == ws.OpContinuation || op.IsReserved():
				t.Fatalf("op %v", op)
			case op == ws.OpText && !utf8.Valid(payload):
				t.Fatal("text is not UTF-8")
			case op == ws.OpClose:
				if reply, err := closeReply(payload); err == nil && len(reply) == 1 {
					t.Fatal("malformed reply")
				}
			}
		}
		t.Fatal("more messages than bytes")
	})
}

// TestSourceMatchesPlainReads compares the buffered reader with the bytes.
func TestSourceMatchesPlainReads(t *testing.T) {
	b := make([]byte, 3*bufferSize)
	for i := range b {
		b[i] = byte(i * 7)
	}
	s := source{stream: bytesStream{bytes.NewReader(b)}}
	defer s.release()
	var got []byte
	for _, n := range []int{1, 100, bufferSize - 50, 2, bufferSize, 0, 3000} {
		if err := s.await(); err != nil {
			t.Fatal(err)
		}
		p, err := s.take(n)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, p...)
	}
	rest, err := s.appendTo(nil, len(b)-len(got))
	if err != nil {
		t.Fatal(err)
	}
	if got = append(got, rest...); !bytes.Equal(got, b) {
		t.Fatal("the bytes changed")
	}
	if _, err := s.take(1); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
}
