package wire

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
)

// ResponseReader reads the HTTP/1.1 responses of one kept-alive connection. It
// knows Content-Length and chunked bodies, and is not safe for concurrent use.
type ResponseReader struct {
	r    Reader
	body []byte // of the last chunked response
}

// NewResponseReader reads from src.
func NewResponseReader(src io.Reader) *ResponseReader {
	return &ResponseReader{r: Reader{src: src, buf: make([]byte, 1024)}}
}

// Next returns the status and body of the next response. The body is valid
// until the next call.
func (r *ResponseReader) Next() (status int, body []byte, err error) {
	head, err := r.line([]byte("\r\n\r\n"))
	if err != nil {
		return 0, nil, err
	}
	if len(head) < len("HTTP/1.1 200") || !bytes.HasPrefix(head, []byte("HTTP/1.1 ")) {
		return 0, nil, fmt.Errorf("%w: response starts with %.20q", ErrProtocol, head)
	}
	if status, err = strconv.Atoi(string(head[9:12])); err != nil {
		return 0, nil, fmt.Errorf("%w: status %q", ErrProtocol, head[9:12])
	}
	if length, ok := field(head, "content-length"); ok {
		n, err := strconv.Atoi(string(length))
		if err != nil || n < 0 || n > MaxPayload {
			return 0, nil, fmt.Errorf("%w: content-length %q", ErrProtocol, length)
		}
		body, err = r.take(n)
		return status, body, err
	}
	if _, ok := field(head, "transfer-encoding"); ok {
		body, err = r.chunks()
		return status, body, err
	}
	return status, nil, nil
}

// chunks joins the chunks of a body.
func (r *ResponseReader) chunks() ([]byte, error) {
	r.body = r.body[:0]
	for {
		line, err := r.line([]byte("\r\n"))
		if err != nil {
			return nil, unexpected(err)
		}
		n, err := strconv.ParseUint(string(bytes.TrimSpace(line)), 16, 32)
		if err != nil || n > MaxPayload-uint64(len(r.body)) {
			return nil, fmt.Errorf("%w: chunk of %q", ErrProtocol, line)
		}
		chunk, err := r.take(int(n) + 2)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return r.body, nil
		}
		r.body = append(r.body, chunk[:n]...)
	}
}

// take consumes n bytes.
func (r *ResponseReader) take(n int) ([]byte, error) {
	b, err := r.r.peek(n)
	if err != nil {
		return nil, unexpected(err)
	}
	r.r.start += n
	return b, nil
}

// line consumes up to and including end, and returns what comes before it.
func (r *ResponseReader) line(end []byte) ([]byte, error) {
	// Headers are short and come whole; to search them again after each read costs
	// less than to keep count.
	for want := len(end); ; {
		if _, err := r.r.peek(want); err != nil {
			return nil, err
		}
		b := r.r.buf[r.r.start:r.r.end]
		if i := bytes.Index(b, end); i >= 0 {
			r.r.start += i + len(end)
			return b[:i], nil
		}
		if want = len(b) + 1; want > MaxPayload {
			return nil, fmt.Errorf("%w: endless header", ErrProtocol)
		}
	}
}

// field finds a header's value; name is in lower case.
func field(head []byte, name string) ([]byte, bool) {
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		if len(line) > len(name) && line[len(name)] == ':' && bytes.EqualFold(line[:len(name)], []byte(name)) {
			return bytes.TrimSpace(line[len(name)+1:]), true
		}
	}
	return nil, false
}
