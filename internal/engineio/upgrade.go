package engineio

import (
	"errors"
	"time"

	"github.com/gobwas/ws"
)

// nudge is how long a poll may wait once a websocket has been probed: the client
// must see its poll end before it takes the websocket.
const nudge = 100 * time.Millisecond

var (
	errProbe        = errors.New("unexpected packet of a probing websocket")
	errProbeTimeout = errors.New("the upgrade was not finished in time")
)

// claim reserves the session's upgrade for one websocket that is to be opened.
func (s *Session) claim() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != stateOpen || s.conn != nil || s.upgrading {
		return false
	}
	// Reserved before the handshake is answered, which takes time and can fail.
	s.upgrading = true
	return true
}

// setProbe makes an open websocket the one that may take over, unless the
// session has been closed meanwhile; nil gives the claim back.
func (s *Session) setProbe(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.probe, s.upgrading = c, c != nil
	return s.state == stateOpen
}

// probing handles what a websocket sends before it takes over from polling: a
// ping "probe", which is answered with a pong "probe", then the upgrade packet.
// The reader writes itself here, since nobody else has the connection yet.
func (c *conn) probing(op ws.OpCode, payload []byte) error {
	s := c.session
	switch {
	case op == ws.OpPong:
		return nil
	case op == ws.OpPing:
		c.rest = newControl(ws.OpPong, payload).frame
		return c.writeRest()
	case op == ws.OpText && string(payload) == "2probe":
		c.rest = probePacket.frame
		if err := c.writeRest(); err != nil {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		// A close may have taken the probe away meanwhile.
		if s.probe == c {
			s.probed = true
			if s.poll != nil {
				s.poll.answer()
			}
		}
		return nil
	case op == ws.OpText && string(payload) == "5":
		return c.takeOver()
	}
	return errProbe
}

// expire ends a probe that has had its time.
func (c *conn) expire() {
	c.logEnd(errProbeTimeout)
	c.cut()
}

// takeOver makes the websocket the session's transport. What is queued and no
// poll has taken goes out on it.
func (c *conn) takeOver() error {
	s := c.session
	c.upgradeTimer.Stop()
	s.mu.Lock()
	if s.probe != c || !s.probed {
		s.mu.Unlock()
		return errProbe
	}
	// The client has ended its polling before it sent the upgrade packet. All
	// that polls took is with it, all that is queued comes after.
	s.conn, s.probe, s.upgrading, s.probed = c, nil, false, false
	c.active = true
	if s.poll != nil {
		s.poll.answer()
	}
	s.server.stats.upgrades.Add(1)
	s.flush()
	return nil
}
