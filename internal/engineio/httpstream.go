package engineio

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

var errDetached = errors.New("the request has ended")

// httpStream is a websocket inside a stream of HTTP/2 or HTTP/3: the request's
// body is read, the response written. Its handler must not return before detach.
type httpStream struct {
	body  io.ReadCloser
	small [smallRead]byte

	mu       sync.Mutex // guards the response, which ends with the handler
	w        http.ResponseWriter
	control  *http.ResponseController
	detached bool
	restore  func() // undoes what was done to keep the request open
}

// openStream accepts an extended CONNECT. It has no key and no accept header, since
// no cache or plain HTTP server in between could take it for something else.
func (c *conn) openStream(w http.ResponseWriter, r *http.Request, keepOpen func() func()) *refusal {
	s := &httpStream{body: r.Body, w: w, control: http.NewResponseController(w), restore: func() {}}
	if keepOpen != nil {
		s.restore = keepOpen()
	}
	// net/http's own are for the whole request. Where they cannot be lifted there
	// are none.
	_ = s.control.SetReadDeadline(time.Time{})
	_ = s.control.SetWriteDeadline(time.Time{})
	// RFC 8441, 5: no 101, no key; the client may send once it has the headers.
	w.WriteHeader(http.StatusOK)
	if err := s.control.Flush(); err != nil {
		s.restore()
		return errBadRequest
	}
	c.start(s, nil)
	return nil
}

func (s *httpStream) Read(p []byte) (int, error) { return s.body.Read(p) }

func (s *httpStream) await() (*[bufferSize]byte, int, error) {
	n, err := s.body.Read(s.small[:])
	return lift(s.small[:n]), n, ifEmpty(n, err)
}

func (s *httpStream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.detached {
		return 0, errDetached
	}
	n, err := s.w.Write(p)
	if err != nil {
		return n, err
	}
	// Frames must not wait in net/http's buffer for more to come.
	return n, s.control.Flush()
}

func (s *httpStream) tryWrite([]byte) (int, error) { return 0, nil }

// SetWriteDeadline bounds later writes.
func (s *httpStream) SetWriteDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.detached {
		return errDetached
	}
	err := s.control.SetWriteDeadline(t)
	if errors.Is(err, http.ErrNotSupported) {
		// A wrapper in between may hide the deadline, and net/http bounds nothing
		// by itself.
		return nil // the front bounds its writes itself
	}
	return err
}

// Close ends the reader, and with it the handler. A write in progress is left to
// its deadline.
func (s *httpStream) Close() error { return s.body.Close() }

// finish does nothing: the response ends with the handler.
func (s *httpStream) finish() {}

// detach waits for a write in progress; later ones fail. A worker may hold the
// connection after its session has ended, and a writer of net/http that is used
// after its handler has returned is a crash.
func (s *httpStream) detach() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.detached = true
	s.restore()
}
