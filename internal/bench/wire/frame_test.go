package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// serverFrame is an unmasked frame, built independently of AppendFrame.
func serverFrame(opcode byte, payload string) string {
	head := []byte{0x80 | opcode, byte(len(payload))}
	switch {
	case len(payload) > 0xffff:
		head = binary.BigEndian.AppendUint64([]byte{0x80 | opcode, 127}, uint64(len(payload)))
	case len(payload) > 125:
		head = binary.BigEndian.AppendUint16([]byte{0x80 | opcode, 126}, uint16(len(payload)))
	}
	return string(head) + payload
}

var lengths = []int{0, 1, 125, 126, 127, 511, 512, 513, 0xffff, 0x10000, 200_000}

func TestFramesAreMaskedAndComplete(t *testing.T) {
	for _, n := range lengths {
		payload := strings.Repeat("ab", n)[:n]
		frame := AppendFrame(nil, Text, []byte(payload))
		head := len(frame) - n - 4
		if frame[0] != 0x81 || frame[1]&0x80 == 0 {
			t.Fatalf("%d bytes: head %x", n, frame[:2])
		}
		mask, body := frame[head:head+4], frame[head+4:]
		for i := range body {
			body[i] ^= mask[i%4]
		}
		if string(body) != payload || string(frame[2:head]) != serverFrame(Text, payload)[2:head] {
			t.Fatalf("%d bytes: wrong length or payload", n)
		}
		if bytes.Contains(mask, []byte{0}) {
			t.Fatal("a mask with zeros leaves bytes as they are")
		}
	}
}

func TestReaderSplitsAnyStream(t *testing.T) {
	var stream strings.Builder
	for _, n := range lengths {
		stream.WriteString(serverFrame(Text, strings.Repeat("x", n)))
	}
	sources := map[string]func(io.Reader) io.Reader{
		"whole":         func(r io.Reader) io.Reader { return r },
		"byte by byte":  iotest.OneByteReader,
		"data with EOF": iotest.DataErrReader,
	}
	for name, source := range sources {
		t.Run(name, func(t *testing.T) {
			early := stream.String()[:3] // came with the upgrade's answer
			r := NewReader(source(strings.NewReader(stream.String()[3:])), []byte(early))
			for _, n := range lengths {
				opcode, payload, err := r.Next()
				if err != nil || opcode != Text || len(payload) != n {
					t.Fatalf("want %d bytes, got %d, opcode %d, %v", n, len(payload), opcode, err)
				}
			}
			if _, _, err := r.Next(); !errors.Is(err, io.EOF) {
				t.Fatalf("at the end: %v", err)
			}
		})
	}
}

func TestReaderForgetsLongFrames(t *testing.T) {
	r := NewReader(strings.NewReader(serverFrame(Text, strings.Repeat("x", 100_000))), nil)
	if _, _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if len(r.buf) > keep {
		t.Fatalf("keeps a buffer of %d bytes", len(r.buf))
	}
}

func TestReaderRefusesWhatNoServerSends(t *testing.T) {
	for name, stream := range map[string]string{
		"masked":       string(TextFrame("x")),
		"fragment":     "\x01\x01x",
		"continuation": "\x80\x01x",
		"reserved bit": "\xc1\x01x",
		"too long":     "\x81\x7f\x00\x00\x00\x00\x7f\xff\xff\xff",
		"overflow":     "\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff",
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := NewReader(strings.NewReader(stream), nil).Next(); !errors.Is(err, ErrProtocol) {
				t.Fatalf("got %v", err)
			}
		})
	}
	if _, _, err := NewReader(strings.NewReader("\x81\x05ab"), nil).Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("cut off: got %v", err)
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte(serverFrame(Text, "42[]") + serverFrame(Ping, "")))
	f.Add([]byte(serverFrame(Binary, strings.Repeat("x", 300))))
	f.Add([]byte("\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := NewReader(iotest.HalfReader(bytes.NewReader(stream)), nil)
		var total int
		for {
			_, payload, err := r.Next()
			if err != nil {
				return
			}
			if total += 2 + len(payload); total > len(stream) {
				t.Fatalf("read %d of %d bytes", total, len(stream))
			}
		}
	})
}
