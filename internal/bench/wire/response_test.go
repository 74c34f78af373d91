package wire

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestResponsesOfOneConnection(t *testing.T) {
	const stream = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" +
		"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n1;x\r\nd\r\n0\r\n\r\n" +
		"HTTP/1.1 204 No Content\r\n\r\n"
	const plain = "HTTP/1.1 400 Bad Request\r\nX: y\r\ncontent-length:0\r\n\r\n"
	for name, text := range map[string]string{"chunk extension": stream, "without": strings.Replace(stream, ";x", "", 1)} {
		t.Run(name, func(t *testing.T) {
			r := NewResponseReader(iotest.OneByteReader(strings.NewReader(plain + text)))
			for i, want := range []struct {
				status int
				body   string
			}{{400, ""}, {200, "ok"}, {200, "abcd"}, {204, ""}} {
				status, body, err := r.Next()
				if strings.HasPrefix(name, "chunk") && want.body == "abcd" {
					if !errors.Is(err, ErrProtocol) {
						t.Fatalf("chunk extensions are not known: got %v", err)
					}
					return
				}
				if err != nil || status != want.status || string(body) != want.body {
					t.Fatalf("response %d: got %d %q %v", i, status, body, err)
				}
			}
			if _, _, err := r.Next(); !errors.Is(err, io.EOF) {
				t.Fatalf("at the end: %v", err)
			}
		})
	}
}

func TestMalformedResponses(t *testing.T) {
	for name, text := range map[string]string{
		"protocol":        "SPDY/1.1 200 OK\r\n\r\n",
		"status":          "HTTP/1.1 abc OK\r\n\r\n",
		"short":           "HTTP\r\n\r\n",
		"negative length": "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"huge length":     "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
		"chunk size":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"huge chunk":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := NewResponseReader(strings.NewReader(text)).Next(); !errors.Is(err, ErrProtocol) {
				t.Fatalf("got %v", err)
			}
		})
	}
	for _, cut := range []string{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"} {
		if _, _, err := NewResponseReader(strings.NewReader(cut)).Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%q: got %v", cut, err)
		}
	}
}

func FuzzResponseReader(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := NewResponseReader(strings.NewReader(string(stream)))
		for {
			_, body, err := r.Next()
			if err != nil {
				return
			}
			if len(body) > len(stream) {
				t.Fatalf("a body of %d bytes in a stream of %d", len(body), len(stream))
			}
		}
	})
}
