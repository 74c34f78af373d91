package socketio

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	library "github.com/zishang520/socket.io/servers/socket/v3"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
	"github.com/caddy-socketio/caddy-socketio/internal/incidents"
)

// Socket is one client in one namespace. All methods may be called concurrently.
//
// Locks are taken in the order conn.life, Namespace's mu, Socket's mu, conn.mu;
// no call leaves the package with one held.
type Socket struct {
	conn *conn
	ns   *namespace
	ctx  context.Context
	stop context.CancelCauseFunc

	// Set before the socket's first worker starts, never changed.
	id       string
	lib      *library.Socket // conn.mu guards it until then
	restored *record         // of the connection that this one continues

	phase    atomic.Uint32
	handlers atomic.Pointer[handlers]
	identity atomic.Pointer[gateway.Identity]

	queue queue

	// Owned by the worker that runs the socket.
	binding *binding

	// Owned by conn.Receive.
	meter meter

	// The namespace's mu guards these.
	rooms   []seat
	ownSeat bool // in the room of its id
	member  bool
	gone    bool // it has left for good, maybe before it was in
	index   int  // in the namespace's sockets

	// The log's mu guards these: the last packet of the log that went to the socket,
	// and, if one without a number went behind it, the last one before that.
	lastOffset uint64
	unplaced   bool
	placed     uint64
	began      uint64 // the last packet before the socket entered; set by admit

	// mu guards the following fields.
	mu        sync.Mutex
	building  *handlers // what a running Connect registers
	held      held      // what is sent once the client is connected
	pending   map[uint64]ackSink
	opened    chan struct{} // closed by ready or finish; made when needed
	reason    string        // why the socket ends, once that is known
	watcher   *history      // the log that may keep what the socket is
	pid       string        // by which the client may come back then
	lastRooms []string
	data      any
	expiry    *expiry
	connected time.Time
}

// The phases of a socket, which only ever grow.
const (
	phaseConnecting uint32 = iota // the client is being let in
	phaseOpening                  // CONNECT is being written, events may come
	phaseConnected
	phaseClosed
)

var _ gateway.Socket = (*Socket)(nil)

func newSocket(c *conn, ns *namespace) *Socket {
	s := &Socket{conn: c, ns: ns}
	s.ctx, s.stop = context.WithCancelCause(context.Background())
	s.handlers.Store(&handlers{})
	s.queue.init()
	return s
}

// cancel ends the socket's context.
func (s *Socket) cancel(cause error) { s.stop(cause) }

// isOpen reports whether events of the client are in order.
func (s *Socket) isOpen() bool {
	p := s.phase.Load()
	return p == phaseOpening || p == phaseConnected
}

// ID implements [gateway.Socket].
func (s *Socket) ID() string { return s.id }

// Namespace implements [gateway.Socket].
func (s *Socket) Namespace() gateway.Namespace { return s.ns }

// Handshake implements [gateway.Socket]. It is made anew on each call, so that
// nothing of it is kept.
func (s *Socket) Handshake() *gateway.Handshake {
	one := s.conn.session
	client := one.Client()
	h := &gateway.Handshake{
		Header: one.Header(),
		Query:  one.Query(),
		Secure: client.Secure,
		Host:   client.Host,
		Time:   one.Opened(),
	}
	if client.IP.IsValid() {
		h.ClientIP = client.IP.String()
	}
	if s.lib != nil {
		h.Auth = s.lib.Handshake().Auth
	}
	return h
}

// Identity implements [gateway.Socket].
func (s *Socket) Identity() *gateway.Identity { return s.identity.Load() }

// Transport implements [gateway.Socket].
func (s *Socket) Transport() string { return s.conn.session.Transport() }

// Connected implements [gateway.Socket]. It is true from when CONNECT is being
// written, as the client may act on it before we get any further.
func (s *Socket) Connected() bool { return s.isOpen() }

// Recovered implements [gateway.Socket].
func (s *Socket) Recovered() bool { return s.restored != nil }

// Context implements [gateway.Socket].
func (s *Socket) Context() context.Context { return s.ctx }

// Data implements [gateway.Socket].
func (s *Socket) Data() any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data
}

// SetData implements [gateway.Socket].
func (s *Socket) SetData(v any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data = v
}

// Join implements [gateway.Socket]. Past the bound of rooms the error has the
// code "too-many-rooms", and no room is joined.
func (s *Socket) Join(rooms ...string) error {
	err := s.ns.join(s, rooms)
	if err != nil && err != gateway.ErrDisconnected {
		s.limited(incidents.RoomsPerSocket)
	}
	return err
}

// Leave implements [gateway.Socket].
func (s *Socket) Leave(room string) { s.ns.part(s, room) }

// Rooms implements [gateway.Socket].
func (s *Socket) Rooms() []string {
	if s.phase.Load() == phaseClosed {
		s.mu.Lock()
		defer s.mu.Unlock()
		return append([]string(nil), s.lastRooms...)
	}
	return s.ns.roomsOf(s)
}

// To implements [gateway.Socket].
func (s *Socket) To(rooms ...string) gateway.Target {
	return target{ns: s.ns, except: []string{s.id}}.To(rooms...)
}

// Broadcast implements [gateway.Socket].
func (s *Socket) Broadcast() gateway.Target {
	return target{ns: s.ns, except: []string{s.id}}
}

// Disconnect implements [gateway.Socket].
func (s *Socket) Disconnect(closeConnection bool) {
	if line := s.ns.line(); line == nil || !line.then(func() { s.disconnect(closeConnection) }) {
		s.disconnect(closeConnection)
	}
}

func (s *Socket) disconnect(closeConnection bool) {
	if !closeConnection {
		s.drop(reasonServer, true)
		return
	}
	for _, one := range s.conn.sockets() {
		one.drop(reasonServer, true)
	}
	s.conn.session.Close(reasonForced)
}
