package engineio

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// maxKept is the size up to which the buffer of a body is used again.
const maxKept = 64 << 10

// servePost answers a POST, once all its packets have been handled: that is what
// slows a fast sender down.
func (s *Session) servePost(w http.ResponseWriter, r *http.Request) {
	err := s.beginPost(r)
	if err == nil {
		err = s.post(w, r)
		// The client may send its next POST as soon as it has the answer to this one.
		s.endPost()
	}
	if errors.Is(err, errUpgraded) {
		s.server.refuse(w, r, s.client, errBadRequest)
		return
	}
	if err != nil {
		if !errors.Is(err, errBrokenOff) || !s.forsakePolling() {
			s.breach(err)
		}
		if !errors.Is(err, errClientClose) {
			s.server.refuse(w, r, s.client, postRefusal(err))
			// The session has taken all its time; there is none for the rest.
			if errors.Is(err, errNotOpen) {
				s.server.leaveBody(w, r, 0)
			}
			return
		}
	}
	h := w.Header()
	h.Set("Content-Type", "text/html")
	Protect(h)
	h.Set("Content-Length", "2")
	_, _ = io.WriteString(w, "ok") // a client that is gone shows in its poll
}

var (
	errUpgraded  = errors.New("the session has a websocket")
	errBrokenOff = errors.New("the client has given up its request")
)

// beginPost waits for a POST's turn. A client does not send one beside another, and
// for the reference server that is a breach. But a page that is left may send its last
// words while an earlier request is still under way: so one waits for that, for a
// moment.
func (s *Session) beginPost(r *http.Request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.conn != nil:
		return errUpgraded
	case !s.posting:
		s.posting = true
		return nil
	case s.nextPost != nil:
		return errOverlap
	}
	turn := make(chan struct{})
	s.nextPost = turn
	s.mu.Unlock()
	timer := time.NewTimer(farewell)
	defer timer.Stop()
	select {
	case <-turn:
	case <-timer.C:
	case <-r.Context().Done():
	}
	s.mu.Lock()
	if s.nextPost == turn {
		s.nextPost = nil
		return errOverlap
	}
	return nil
}

// endPost gives the turn to the POST that waits, if there is one.
func (s *Session) endPost() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.nextPost == nil {
		s.posting = false
		return
	}
	close(s.nextPost)
	s.nextPost = nil
}

func (s *Session) post(w http.ResponseWriter, r *http.Request) error {
	buf := bodies.Get().(*bytes.Buffer)
	defer func() {
		// One large body must not make every later one cost its size.
		if buf.Cap() <= maxKept {
			buf.Reset()
			bodies.Put(buf)
		}
	}()
	// The whole body first: decoding works in place, and a client that stalls
	// in the middle has delivered nothing.
	if _, err := buf.ReadFrom(http.MaxBytesReader(w, openBody{s, r.Body}, int64(s.maxPayload))); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || r.Context().Err() != nil {
			return fmt.Errorf("%w: %w", errBrokenOff, err)
		}
		return err
	}
	s.server.stats.polling.receivedBytes(buf.Len())
	// Version 3 posts binary messages so; in version 4 that is a breach.
	binary := strings.HasPrefix(r.Header.Get("Content-Type"), "application/octet-stream")
	return decodePayload(buf.Bytes(), int(s.version), binary, func(p packet) error {
		s.server.stats.polling.received(0)
		return s.handle(p)
	})
}

// openBody ends with its session. A client that sends a byte now and then, which
// no idle timeout ends, would otherwise keep its request beyond the session, where
// no limit counts it any more.
type openBody struct {
	session *Session
	io.ReadCloser
}

func (b openBody) Read(p []byte) (int, error) {
	if b.session.Closed() {
		return 0, errNotOpen
	}
	return b.ReadCloser.Read(p)
}

const (
	// unreadGrace is how long the rest of a body may take that nobody wants.
	unreadGrace = 5 * time.Second
	// unreadMost is how much of it net/http reads.
	unreadMost = 256 << 10
)

// leaveBody reads what a request that is answered without its body still sends, so
// that the connection can be used again. net/http would do so before it writes the
// answer, with no end in time: a client that sends a byte now and then would keep its
// request, which no limit counts. And it would do so behind the handler, where a stop
// could not cut it.
func (s *Server) leaveBody(w http.ResponseWriter, r *http.Request, grace time.Duration) {
	if r.ProtoMajor != 1 || r.ContentLength == 0 {
		return // streams of HTTP/2 and HTTP/3 are just ended
	}
	if s.isDraining() { // which waits for requests
		grace = 0
	}
	s.requests.add(w, r)
	defer s.requests.remove(r)
	// Where that is not supported, the front's own timeouts have to do.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(grace))
	// Of these net/http reads nothing. Who expects to be asked is not asked here.
	if r.ContentLength > unreadMost || r.Header.Get("Expect") != "" {
		return
	}
	_, _ = io.CopyN(io.Discard, r.Body, unreadMost) // what fails shows net/http that the connection is of no more use
}

// postRefusal is the answer to a POST that failed. A body that stalls is the
// client's fault (408), never the server's (500).
func postRefusal(err error) *refusal {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return errTooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errTimeout
	case errors.Is(err, errNotOpen):
		return errUnknownSession
	}
	return errBadRequest
}
