package engineio

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// requests are those of sessions that are being served. A stop waits for them, and
// cuts those whose clients do not read their answer or do not send their body. All
// methods may be called concurrently.
type requests struct {
	mu      sync.Mutex // guards the following fields
	running map[*http.Request]http.ResponseWriter
	none    chan struct{} // closed when none is left; made by who waits for that
	over    bool          // they have been cut
}

func (q *requests) add(w http.ResponseWriter, r *http.Request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.running == nil {
		q.running = map[*http.Request]http.ResponseWriter{}
	}
	q.running[r] = w
}

// remove must be called before the request's handler returns, since its writer is
// of no use afterwards.
func (q *requests) remove(r *http.Request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.running, r)
	if len(q.running) == 0 && q.none != nil {
		close(q.none)
		q.none = nil
	}
}

// left is closed once no request is left.
func (q *requests) left() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	none := q.none
	switch {
	case len(q.running) == 0:
		none = make(chan struct{})
		close(none)
	case none == nil:
		none = make(chan struct{})
		q.none = none
	}
	return none
}

const (
	cutRounds = 4
	cutPause  = 25 * time.Millisecond
)

// end returns when no request is left. Once ctx has ended it cuts them, and leaves
// behind what is not over then either, such as a receiver that does not return.
func (q *requests) end(ctx context.Context) {
	left := q.left()
	select {
	case <-left:
	case <-ctx.Done():
	}
	pause := time.NewTicker(cutPause)
	defer pause.Stop()
	for round := range cutRounds {
		// The first is for those that have just been told of their session's end.
		select {
		case <-left:
			return
		case <-pause.C:
			// More than once: a front sets deadlines of its own before each write.
			q.cut(round > 0)
		}
	}
}

// bound is how long the write of an answer may take, which is not long for one that
// begins when the others have been cut.
func (q *requests) bound(timeout time.Duration) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.over {
		return min(timeout, cutPause)
	}
	return timeout
}

// cut ends the reads and writes of all requests. Where that does not help it closes
// the connections: a stream of HTTP/2 ends with a frame, which does not get past
// what a connection holds that nobody reads.
func (q *requests) cut(connections bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.over = true
	past := time.Unix(1, 0)
	for r, w := range q.running {
		// Those of wrappers are not for other goroutines than the request's. What
		// is not supported is left to the front's own timeouts.
		control := http.NewResponseController(innermost(w))
		_ = control.SetReadDeadline(past)
		_ = control.SetWriteDeadline(past)
		if c, ok := r.Context().Value(connKey{}).(net.Conn); ok && connections {
			_ = closeConn(c)
		}
	}
}

type connKey struct{}

// ConnContext keeps the connection in the context of its requests, as
// [http.Server.ConnContext], for a stop to close it.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	if ctx.Value(connKey{}) != nil {
		return ctx
	}
	return context.WithValue(ctx, connKey{}, c)
}
