package socketio

import (
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/caddy-socketio/caddy-socketio/internal/engineio"
)

// scriptedSession is a session that takes everything.
type scriptedSession struct {
	closed atomic.Bool
	sent   atomic.Int64
	onSend func()
	// entered tells that the client has been let into a namespace.
	entered atomic.Bool
	last    atomic.Pointer[engineio.Message] // that was sent
}

func (*scriptedSession) Protocol() int           { return 4 }
func (*scriptedSession) MaxPayload() int         { return 1e6 }
func (*scriptedSession) Transport() string       { return "websocket" }
func (*scriptedSession) Client() engineio.Client { return engineio.Client{} }
func (*scriptedSession) Trace() any              { return nil }
func (*scriptedSession) Label() string           { return "" }
func (*scriptedSession) Bytes() (in, out uint64) { return 0, 0 }
func (*scriptedSession) Header() http.Header     { return http.Header{} }
func (*scriptedSession) Query() url.Values       { return url.Values{} }
func (*scriptedSession) Opened() time.Time       { return time.Time{} }
func (*scriptedSession) Writable() bool          { return true }
func (s *scriptedSession) Close(string)          { s.closed.Store(true) }
func (s *scriptedSession) Entered()              { s.entered.Store(true) }
func (s *scriptedSession) Closed() bool          { return s.closed.Load() }

func (s *scriptedSession) Send(ms ...*engineio.Message) bool {
	s.sent.Add(int64(len(ms)))
	s.last.Store(ms[len(ms)-1])
	if s.onSend != nil {
		s.onSend()
	}
	return !s.closed.Load()
}
