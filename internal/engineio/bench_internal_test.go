package engineio

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/gobwas/ws"
)

var sample = bytes.Repeat([]byte("x"), 200)

func BenchmarkText(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Text(sample)
	}
}

func BenchmarkPayload(b *testing.B) {
	for _, version := range []int{4, 3} {
		m := Text(sample)
		var body []byte
		for range 10 {
			body = appendPayload(body, m, version)
		}
		b.Run(fmt.Sprintf("encode%d", version), func(b *testing.B) {
			b.ReportAllocs()
			buf := make([]byte, 0, len(body))
			for b.Loop() {
				out := buf
				for range 10 {
					out = appendPayload(out, m, version)
				}
			}
		})
		b.Run(fmt.Sprintf("decode%d", version), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := decodePayload(body, version, false, func(packet) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFrames reads the frames of a client.
func BenchmarkFrames(b *testing.B) {
	one := ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame(append([]byte("4"), sample...))))
	many := bytes.Repeat(one, 100)
	in := bytes.NewReader(many)
	r := frameReader{max: 1e6}
	r.in.stream = bytesStream{in}
	b.ReportAllocs()
	b.SetBytes(int64(len(many)))
	for b.Loop() {
		in.Reset(many)
		for range 100 {
			if _, _, err := r.next(); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkFanOut sends one message to 1,000 websockets, whose writes cost
// nothing.
func BenchmarkFanOut(b *testing.B) {
	srv := NewServer(settings(), nil)
	sessions := make([]*Session, 1000)
	for i := range sessions {
		s := &Session{server: srv, version: 4}
		s.conn = &conn{session: s, stream: bytesStream{bytes.NewReader(nil)}}
		sessions[i] = s
	}
	b.ReportAllocs()
	for b.Loop() {
		m := Text(sample)
		for _, s := range sessions {
			if !s.Send(m) {
				b.Fatal("closed")
			}
		}
	}
}
