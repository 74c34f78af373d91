package engineio

import (
	"errors"
	"net/http"
	"strconv"
	"time"
)

// pollType is the content type of a poll's answer. Clients look for
// application/octet-stream at most and take anything else as text. It is not
// text/plain, because a template engine in front (Caddy's templates) would run
// what other clients have written.
const pollType = "text/x-engine.io; charset=UTF-8"

// poll is a GET that waits for data. It takes the queue when it wakes, not when it
// is woken, so that a burst goes out in one answer.
type poll struct{ wake chan struct{} }

// answer ends the wait.
func (p *poll) answer() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// servePoll answers a GET: at once when something is queued, otherwise when
// something is, when the session closes, or with NOOP at the limit. A second GET
// beside a waiting one is a breach, as for the reference server: with two answers
// under way nobody could say which came first.
func (s *Session) servePoll(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	switch {
	case s.state == stateClosed:
		s.mu.Unlock()
		s.server.refuse(w, r, s.client, errUnknownSession)
		return
	case s.state == stateLosing:
		s.mu.Unlock()
		s.fail(reasonError)
		s.server.refuse(w, r, s.client, errUnknownSession)
		return
	case s.conn != nil:
		s.mu.Unlock()
		s.server.refuse(w, r, s.client, errBadRequest)
		return
	case s.poll != nil:
		s.mu.Unlock()
		s.breach(errOverlap)
		s.server.refuse(w, r, s.client, errBadRequest)
		return
	}
	// A session that is closing answers at once: with its queue or its end.
	var err error
	if len(s.outbox.queue) == 0 && s.state == stateOpen {
		s.poll = &poll{make(chan struct{}, 1)}
		err = s.wait(r, s.poll)
		s.poll = nil
	}
	// The client has gone away in the middle of its poll. Once a websocket has
	// taken over, that is no more than the end of an old transport.
	if err != nil && s.conn == nil {
		s.forsake()
		return
	}
	messages, ended := s.takePoll()
	polling := s.conn == nil && s.probe == nil
	s.mu.Unlock()
	if !ended && polling && s.server.isDraining() {
		messages, ended = s.lastPoll(messages), true
	}
	if ended {
		s.end()
	}
	s.writePoll(w, r, messages)
}

// wait is called with mu held, and returns with it held.
func (s *Session) wait(r *http.Request, p *poll) error {
	limit := s.server.settings.Load().PollLimit
	// The client is about to upgrade and waits for its poll to end.
	if s.probed && (limit == 0 || limit > nudge) {
		limit = nudge
	}
	s.mu.Unlock()
	defer s.mu.Lock()
	var expired <-chan time.Time
	if limit > 0 {
		t := time.NewTimer(limit)
		defer t.Stop()
		expired = t.C
	}
	select {
	case <-p.wake:
	case <-expired:
	case <-r.Context().Done():
		return r.Context().Err()
	}
	return nil
}

// takePoll takes what the answer is to carry, never nothing. It must be called
// with mu held. A session that is closed has ended with the last of its queue;
// a client that closed it itself is not told so.
func (s *Session) takePoll() (messages []*Message, ended bool) {
	if s.conn == nil {
		s.beat.fetched = true
		messages, _ = s.outbox.pop(nil, len(s.outbox.queue), s.maxPayload)
		for _, m := range messages {
			s.outbox.bytes -= m.Len()
		}
	}
	ended = s.state != stateOpen && s.conn == nil && len(s.outbox.queue) == 0
	switch {
	case ended && s.reason != reasonClientClose:
		messages = append(messages, closePacket)
	case len(messages) == 0:
		messages = append(messages, noopPacket)
	}
	return messages, ended
}

// lastPoll closes the session with this answer while the server stops: its
// listeners are closed, so the client's next poll could not come.
func (s *Session) lastPoll(messages []*Message) []*Message {
	s.shut(reasonDrain, goingAway(), true)
	s.mu.Lock()
	defer s.mu.Unlock()
	rest, _ := s.takePoll()
	return append(messages, rest...)
}

func (s *Session) writePoll(w http.ResponseWriter, r *http.Request, messages []*Message) {
	size := 0
	for _, m := range messages {
		size += len(m.pollForm(int(s.version))) + 1
	}
	body := make([]byte, 0, size)
	for _, m := range messages {
		body = appendPayload(body, m, int(s.version))
	}
	s.server.stats.polling.sent(len(messages), len(body))
	if err := s.server.writePayload(w, r, body); err != nil {
		s.mu.Lock()
		polling := s.conn == nil
		s.mu.Unlock()
		if polling {
			s.fail(reasonError)
		}
	}
}

// writePayload answers a poll.
func (s *Server) writePayload(w http.ResponseWriter, r *http.Request, body []byte) error {
	settings := s.settings.Load()
	h := w.Header()
	h.Set("Content-Type", pollType)
	Protect(h)
	if settings.Compression > 0 && len(body) >= settings.Compression {
		// Also when this client takes no compression: a cache sees many.
		addVary(h, "Accept-Encoding")
		if acceptsGzip(r) {
			compressed, err := gzipped(body)
			if err != nil {
				return err
			}
			h.Set("Content-Encoding", "gzip")
			body = compressed
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	return s.writeBounded(w, body, settings.WriteTimeout)
}

// boundedFrom is the size of an answer from which on a client that does not read
// could hold its memory; smaller ones fit the buffers of the connection.
const boundedFrom = 16 << 10

// writeBounded writes an answer, a large one with a deadline, which is taken
// back for the sake of the connection's next request.
func (s *Server) writeBounded(w http.ResponseWriter, body []byte, timeout time.Duration) error {
	if len(body) < boundedFrom {
		_, err := w.Write(body) //nolint:gosec // it is no HTML, and nosniff says so
		return err
	}
	control := http.NewResponseController(w)
	if err := control.SetWriteDeadline(time.Now().Add(s.requests.bound(timeout))); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := w.Write(body); err != nil { //nolint:gosec // as above
		return err
	}
	// What of it waits in a buffer must have the deadline too.
	if err := control.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if err := control.SetWriteDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

var errOverlap = errors.New("overlapping requests of one session")
