// Package bare is a websocket server without Socket.IO: the physical limit that
// the benchmark's other servers are held against. It does the work of a case
// and nothing more; it answers with the same bytes, so that the generator need
// not tell it from the others.
package bare

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"io"
	"net/http"
	"sync"
)

// acceptGUID is RFC 6455's.
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// Server is an http.Handler. The path chooses what happens to a message: /echo
// answers it, /relay passes it to the other connection with the same query, and
// /fanout sends it to all others. Its methods may be called concurrently.
type Server struct {
	// mu guards the following fields.
	mu    sync.Mutex
	pairs map[string][]*conn
	all   map[*conn]struct{}
}

// New returns a server without connections.
func New() *Server {
	return &Server{pairs: map[string][]*conn{}, all: map[*conn]struct{}{}}
}

// ServeHTTP upgrades the request and serves the connection until it closes.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	handle := map[string]func(*conn, []byte) error{
		"/echo": s.echo, "/relay": s.relayTo(r.URL.RawQuery), "/fanout": s.fanOut,
	}[r.URL.Path]
	if handle == nil || r.Header.Get("Sec-Websocket-Key") == "" {
		http.NotFound(w, r)
		return
	}
	raw, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	sum := sha1.Sum([]byte(r.Header.Get("Sec-Websocket-Key") + acceptGUID))
	c := &conn{Conn: raw, buf: make([]byte, 512)}
	// The hijacked buffers stay behind with ServeHTTP's frame: the connection
	// is served from a goroutine whose stack is small.
	go s.serve(c, r.URL.RawQuery, base64.StdEncoding.EncodeToString(sum[:]), buffered(rw.Reader), handle)
}

// buffered is what the HTTP server has read of the connection already: a client
// may send its first frame together with the request.
func buffered(r *bufio.Reader) []byte {
	b, _ := r.Peek(r.Buffered()) // no error: it asks for no more than there is
	return b
}

// serve owns the connection from here on, and closes it. It answers the upgrade
// by itself, since the HTTP server has let go of the connection.
func (s *Server) serve(c *conn, query, accept string, early []byte, handle func(*conn, []byte) error) {
	defer c.Close()
	// The receive buffer is small and grows only for those who send much.
	if len(early) > len(c.buf) {
		return // no client of the benchmark sends that much before the answer
	}
	c.end = copy(c.buf, early)
	answer := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept + "\r\n\r\n"
	if s.admit(c, query, answer) != nil {
		return
	}
	defer s.remove(c, query)
	for {
		message, err := c.next()
		if err != nil || handle(c, message) != nil {
			return
		}
	}
}

// admit answers the upgrade and makes the connection known to senders, in one
// step: whoever has seen the answer is reached, and nothing goes out before it.
func (s *Server) admit(c *conn, query, answer string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := io.WriteString(c, answer); err != nil {
		return err
	}
	s.all[c] = struct{}{}
	if query != "" {
		s.pairs[query] = append(s.pairs[query], c)
	}
	return nil
}

// remove forgets the connection and its pair: a pair with one end has no use.
func (s *Server) remove(c *conn, query string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, c)
	delete(s.pairs, query)
}

// echo answers with a frame made beforehand, as long as a real answer.
func (s *Server) echo(c *conn, _ []byte) error {
	_, err := c.Write(pongFrame)
	return err
}

// relayTo looks the other end up for every message, as a server with rooms must.
func (s *Server) relayTo(query string) func(*conn, []byte) error {
	return func(c *conn, message []byte) error {
		s.mu.Lock()
		pair := s.pairs[query]
		s.mu.Unlock()
		for _, other := range pair {
			if other != c {
				if _, err := other.Write(event(message)); err != nil {
					return err
				}
			}
		}
		_, err := c.Write(ackFrame)
		return err
	}
}

// fanOut prepares one frame. A receiver that is gone is its own goroutine's
// matter.
func (s *Server) fanOut(c *conn, message []byte) error {
	prepared := event(message)
	s.mu.Lock()
	defer s.mu.Unlock()
	for other := range s.all {
		if other != c {
			_, _ = other.Write(prepared)
		}
	}
	_, err := c.Write(ackFrame)
	return err
}
