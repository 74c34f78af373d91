package engineio

import (
	"crypto/sha1" //nolint:gosec // RFC 6455 asks for it; it protects nothing
	"encoding/base64"
	"net"
	"net/http"
	"strings"
	"time"
)

const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// isWebSocket reports whether the request asks for a websocket: an upgrade of
// HTTP/1.1, or an extended CONNECT of HTTP/2 (RFC 8441) or HTTP/3 (RFC 9220).
func isWebSocket(r *http.Request) bool {
	if r.Method == http.MethodConnect {
		return r.Proto == "websocket" || r.Header.Get(":protocol") == "websocket"
	}
	// Names in Connection and Upgrade are lists without regard to case.
	return r.Method == http.MethodGet && r.ProtoMajor == 1 && r.ProtoAtLeast(1, 1) &&
		hasToken(r.Header, "Connection", "upgrade") && hasToken(r.Header, "Upgrade", "websocket")
}

// hasToken reports whether a header that is a list holds a token.
func hasToken(h http.Header, key, token string) bool {
	for _, line := range h.Values(key) {
		for one := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(one), token) {
				return true
			}
		}
	}
	return false
}

// openWebSocket opens a session on a websocket. The answer to the upgrade is out
// before the session exists, so one that fails here leaves nothing behind.
func (s *Server) openWebSocket(w http.ResponseWriter, r *http.Request, client Client, one *Session) *refusal {
	c, refused := s.acceptWebSocket(w, r, client, one)
	if refused != nil {
		s.limits.release(one)
		return refused
	}
	// The server has begun to drain since the check; the client tries elsewhere.
	if !s.open(one, c) {
		c.cut()
		s.forget(c)
		return nil
	}
	client.tell(one)
	c.serve(client)
	return nil
}

// upgrade lets a websocket take over from polling: it is accepted here, and takes
// over once it has been probed. Until then, and if that fails, the session polls.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request, client Client, one *Session) *refusal {
	if !one.claim() {
		return errBadRequest
	}
	c, refused := s.acceptWebSocket(w, r, client, one)
	if refused != nil {
		one.setProbe(nil)
		return refused
	}
	// Only an open connection becomes the probe, so that a close of the session
	// always finds something to cut.
	if !one.setProbe(c) {
		c.cut() // run sees the end
	}
	c.upgradeTimer = time.AfterFunc(s.settings.Load().UpgradeTimeout, c.expire)
	c.serve(client)
	return nil
}

func (s *Server) acceptWebSocket(w http.ResponseWriter, r *http.Request, client Client, one *Session) (*conn, *refusal) {
	c := &conn{session: one}
	return c, s.establish(c, w, r, client)
}

// establish answers the websocket handshake and gives the conn its stream.
func (s *Server) establish(c *conn, w http.ResponseWriter, r *http.Request, client Client) *refusal {
	if r.Header.Get("Sec-Websocket-Version") != "13" {
		w.Header().Set("Sec-WebSocket-Version", "13")
		return errBadRequest
	}
	settings := s.settings.Load()
	if settings.PerMessageDeflate > 0 && offersDeflate(r.Header) {
		c.in.deflate = true
		w.Header().Set("Sec-WebSocket-Extensions", deflateAnswer)
	}
	c.in.max = c.session.maxPayload
	refused := errBadRequest
	if r.Method == http.MethodConnect {
		refused = c.openStream(w, r, client.KeepOpen)
	} else if key := r.Header.Get("Sec-Websocket-Key"); validKey(key) {
		refused = c.hijack(w, key)
	}
	if refused != nil {
		clearUpgrade(w.Header())
		return refused
	}
	s.keep(c)
	return nil
}

// validKey reports whether a Sec-WebSocket-Key is one: 16 bytes. Something else is
// no websocket client, such as a form that a page was tricked into sending.
func validKey(key string) bool {
	b, err := base64.StdEncoding.DecodeString(key)
	return err == nil && len(b) == 16
}

// hijack takes the connection from net/http. The answer is written through w,
// so that access logs and header handlers in front see it, but the connection
// comes from the innermost writer: wrappers would hold on to the request, and
// one that counts bytes would race with the log line written on our return.
func (c *conn) hijack(w http.ResponseWriter, key string) *refusal {
	h := w.Header()
	h.Set("Upgrade", "websocket")
	h.Set("Connection", "Upgrade")
	sum := sha1.Sum([]byte(key + acceptGUID)) //nolint:gosec // see its import
	h.Set("Sec-WebSocket-Accept", base64.StdEncoding.EncodeToString(sum[:]))
	inner, ok := innermost(w).(http.Hijacker)
	if !ok {
		return errBadRequest
	}
	// net/http holds this back until the connection is hijacked and flushed.
	w.WriteHeader(http.StatusSwitchingProtocols)
	nc, rw, err := inner.Hijack()
	if err != nil {
		return errBadRequest
	}
	// The client may have sent frames right behind its request.
	ahead, _ := rw.Peek(rw.Reader.Buffered()) // as much as is there
	c.start(newConnStream(nc), ahead)
	if err := c.flushAnswer(nc, rw.Flush); err != nil {
		c.cut()
	}
	return nil
}

// flushAnswer writes the answer, which net/http holds back.
func (c *conn) flushAnswer(nc net.Conn, flush func() error) error {
	timeout := c.session.server.settings.Load().WriteTimeout
	if err := nc.SetDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	if err := flush(); err != nil {
		return err
	}
	return nc.SetDeadline(time.Time{})
}

// clearUpgrade takes back what was prepared for a 101, before another answer.
func clearUpgrade(h http.Header) {
	for _, k := range []string{"Upgrade", "Connection", "Sec-Websocket-Accept", "Sec-Websocket-Extensions"} {
		h.Del(k)
	}
}

// innermost is the writer that net/http made.
func innermost(w http.ResponseWriter) http.ResponseWriter {
	for {
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = wrapper.Unwrap()
	}
}

// start gives the conn its stream, and what was read of it ahead.
func (c *conn) start(s stream, ahead []byte) {
	c.stream = s
	c.in.in.stream = s
	c.in.in.preset(ahead)
}

// serve runs the connection. A hijacked one gets a goroutine of its own, so that
// all that net/http holds for the request is freed; a stream lives in its
// request.
func (c *conn) serve(client Client) {
	s, inRequest := c.stream.(*httpStream)
	if !inRequest {
		c.serveHijacked(client)
		return
	}
	c.run(nil)
	s.detach()
}

func (c *conn) serveHijacked(client Client) {
	c.own, c.worn = true, true // by the first packet
	if !client.AwaitEntry {
		go c.run(nil)
		return
	}
	ended := make(chan struct{}) // of a probe, whose session may live on
	go c.run(ended)
	if entry := c.session.entry(); entry != nil {
		select {
		case <-entry:
		case <-ended:
		}
	}
}
