package engineio

import (
	"errors"
	"io"

	"github.com/gobwas/ws"
)

// errWorn has run go on in a new goroutine.
var errWorn = errors.New("the goroutine is to be replaced")

// read handles frames until the stream ends or the closing handshake is
// complete, or until run is to go on in a new goroutine. A session that is closing
// drops them.
func (c *conn) read() error {
	for {
		op, payload, err := c.in.next()
		if err != nil {
			return c.broken(err)
		}
		c.session.server.stats.websocket.received(len(payload))
		switch {
		case op == ws.OpClose:
			if done := c.closing(payload); done {
				return nil
			}
		case !c.active:
			err = c.probing(op, payload)
		case op == ws.OpPing:
			err = c.session.pong(payload)
		case op == ws.OpText, op == ws.OpBinary:
			err = c.message(op, payload)
		}
		// A probe that misbehaves is let go; the session polls on.
		if err != nil && !c.active {
			return err
		}
		// Read on: the client's close frame is still to come.
		if err != nil && c.session.breach(err) {
			c.logEnd(err)
		}
		if c.worn {
			c.worn = false
			return errWorn
		}
	}
}

func (c *conn) message(op ws.OpCode, payload []byte) error {
	p, err := c.decode(op, payload)
	if err != nil {
		return err
	}
	c.worn = c.worn || c.own && p.kind != packetMessage
	return c.session.handle(p)
}

func (c *conn) decode(op ws.OpCode, payload []byte) (packet, error) {
	if op == ws.OpBinary {
		return decodeBinary(payload, int(c.session.version))
	}
	return decodeText(payload, int(c.session.version))
}

// broken answers a breach of the websocket protocol with a close frame. What the
// client still sends is read and dropped, since closing a TCP connection with
// unread data could destroy the frame on its way.
func (c *conn) broken(err error) error {
	var wrong *protocolError
	if !errors.As(err, &wrong) || !c.active {
		return err
	}
	c.logEnd(err)
	c.session.breach(err)
	_, _ = io.Copy(io.Discard, onlyReader{&c.in.in}) // whatever ends it, the end has been told
	return nil
}

// onlyReader hides every method but Read, lest io.Copy finds a shortcut past the
// buffer.
type onlyReader struct{ io.Reader }

// closing answers the client's close frame, and reports whether both sides have
// sent theirs.
func (c *conn) closing(payload []byte) (done bool) {
	reply, err := closeReply(payload)
	reason := reasonClientClose
	if err != nil {
		reason = reasonError
	}
	if !c.active {
		return true
	}
	s := c.session
	s.mu.Lock()
	// Set before ours is queued, so that whoever writes it sees it.
	c.closeSeen = true
	done = c.closeSent
	s.mu.Unlock()
	if !done {
		s.shut(reason, newControl(ws.OpClose, reply), false)
	}
	return done
}

// pong answers a ping of the websocket protocol. The answers count against the
// send buffer like everything else.
func (s *Session) pong(payload []byte) error {
	m := newControl(ws.OpPong, payload)
	s.mu.Lock()
	if s.state != stateOpen {
		s.mu.Unlock()
		return errNotOpen
	}
	s.outbox.push(m)
	s.flush()
	return s.bounded()
}

// gone tells the session that a connection of it has ended. A probe that fails
// leaves the session polling, and free for another try.
func (s *Session) gone(c *conn) {
	s.mu.Lock()
	if s.probe == c {
		s.probe, s.upgrading, s.probed = nil, false, false
	}
	current := s.conn == c
	s.mu.Unlock()
	if current {
		s.fail(reasonClientClose)
	}
}
