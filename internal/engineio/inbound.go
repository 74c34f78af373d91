package engineio

import (
	"errors"
	"fmt"

	"github.com/gobwas/ws"
	"go.uber.org/zap"

	"github.com/caddy-socketio/caddy-socketio/internal/incidents"
)

const (
	statusNormal   = ws.StatusNormalClosure
	statusProtocol = ws.StatusProtocolError
)

// What handle reports. Their texts never reach the client.
var (
	errClientClose = errors.New("the client closed the session")
	errDirection   = errors.New("invalid heartbeat direction")
	errNotOpen     = errors.New("the session is closed")
	errReceiver    = errors.New("the receiver refused the message")
)

// handle takes one packet from the client. On an error the caller stops reading
// and calls breach.
func (s *Session) handle(p packet) error {
	// The order of packets is the order of their delivery: a POST that is still
	// being handled comes before the first frame of the websocket.
	s.delivery.Lock()
	defer s.delivery.Unlock()
	s.mu.Lock()
	if s.state >= stateClosing {
		s.mu.Unlock()
		return errNotOpen
	}
	s.alive(p.kind)
	s.received += uint64(len(p.data)) + 1
	if p.kind == packetMessage {
		s.beat.receiving = true
		r := s.receiver
		s.mu.Unlock()
		return s.deliver(r, p)
	}
	var err error
	switch p.kind {
	case packetClose:
		err = errClientClose
	case packetPing:
		// The server pings in version 4; a client that does is confused or worse.
		if s.version != 3 {
			err = errDirection
			break
		}
		s.outbox.push(pongPacket)
		s.flush()
		return s.bounded()
	case packetPong:
		if s.version == 3 {
			err = errDirection
		}
	}
	s.mu.Unlock()
	return err
}

// deliver gives a message to the receiver, and waits for it: that is what slows
// down a client that sends faster than its messages are handled. No lock is held
// but the one of delivery, so that the session can be used from inside.
func (s *Session) deliver(r Receiver, p packet) (err error) {
	defer func() {
		if s.server.panicked(recover()) {
			err = errReceiver
		}
		s.mu.Lock()
		// The deadline starts anew only now: the pong can be read only after
		// this message.
		s.beat.resume(s)
		s.mu.Unlock()
	}()
	if err := r.Receive(p.data, p.binary); err != nil {
		return fmt.Errorf("%w: %w", errReceiver, err)
	}
	return nil
}

// bounded closes the session when answers to the client's own pings exceed its
// buffer, which only a client that never reads gets to.
func (s *Session) bounded() error {
	s.mu.Lock()
	waiting := s.outbox.bytes
	s.mu.Unlock()
	if waiting > s.server.settings.Load().Limits.SendBuffer {
		s.overflow(waiting)
		return errNotOpen
	}
	return nil
}

// breach closes the session after an error of handle or of a decoder. Whatever
// was queued is dropped: the client could not make sense of its own side either.
// It reports false if the session was closing already.
func (s *Session) breach(err error) bool {
	reason, code := reasonError, statusProtocol
	var wrong *protocolError
	switch {
	case errors.Is(err, errNotOpen):
		return false
	case errors.Is(err, errClientClose):
		reason, code = reasonClientClose, statusNormal
	case errors.Is(err, errPacket), errors.Is(err, errReceiver):
		reason = reasonParse
	case errors.As(err, &wrong):
		code = wrong.code
	}
	if errors.Is(err, errTooBig) {
		s.server.incidents().Limit(incidents.MaxPayload, zap.Stringer("remote_ip", s.client.IP), zap.String("transport", transportWebSocket))
	}
	return s.shut(reason, closeFrame(code, ""), false)
}
