package socketio

import (
	"errors"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	library "github.com/zishang520/socket.io/servers/socket/v3"
	"go.uber.org/zap"

	"github.com/caddy-socketio/caddy-socketio/internal/engineio"
	"github.com/caddy-socketio/caddy-socketio/internal/incidents"
)

// Reasons of the reference server that come from this layer.
const (
	reasonClient = "client namespace disconnect"
	reasonServer = "server namespace disconnect"
	reasonForced = "forced server close"
	reasonLost   = "transport close"
	// reasonShutdown is the reason of a socket that outlives the server's close.
	reasonShutdown = "server shutting down"
)

// session is what the package uses of an [engineio.Session].
type session interface {
	Protocol() int
	MaxPayload() int
	Transport() string
	Client() engineio.Client
	Trace() any
	Label() string
	Bytes() (in, out uint64)
	Header() http.Header
	Query() url.Values
	Opened() time.Time
	Writable() bool
	Send(ms ...*engineio.Message) bool
	Close(reason string)
	Closed() bool
	Entered()
}

// conn is one session with the sockets in its namespaces. To the library it is an
// engine.Socket. Receive is called by one goroutine at a time; all other methods
// may be called concurrently.
type conn struct {
	deaf
	server  *Server
	session session

	// Owned by Receive.
	partial    *inbound // a packet whose attachments are still to come
	connecting *Socket  // given to the library's middleware
	meter      meter    // of what is no event
	// client is what the library has of the session; made when needed.
	client *library.Client

	closed atomic.Bool
	user   atomic.Pointer[string] // who entered first with a name
	proof  atomic.Pointer[proof]  // what the session's requests prove

	// handing is held while the library takes a new socket, so that the session's
	// end finds it either unknown or whole. It is taken before any other lock.
	handing sync.Mutex

	// life is held while the library takes sockets of this session down, since it
	// would do it twice for one that ends in two ways at once. It is taken before
	// any other lock.
	life sync.Mutex
	mute bool // life guards it: DISCONNECT packets of the library are not sent

	// mu guards the following fields. It is taken after all other locks.
	mu sync.Mutex
	// timeout closes a session that has no socket.
	timeout *time.Timer
	reason  string // of the close
	slots   []slot
	first   [1]slot // the usual case's array
}

var (
	_ engineio.UserReceiver    = (*conn)(nil)
	_ engineio.RequestReceiver = (*conn)(nil)
)

// slot is a namespace that the client has entered. socket is nil once it has left
// it again; what it had sent by then is ignored, where the reference closes the
// whole connection.
type slot struct {
	name   string
	socket *Socket
}

// accept is the part of [Server.Accept] that tests can give a session of theirs.
func (s *Server) accept(one session) *conn {
	c := &conn{server: s, session: one}
	c.slots = c.first[:0]
	c.mu.Lock()
	c.timeout = time.AfterFunc(s.settings().ConnectTimeout, c.timedOut)
	c.mu.Unlock()
	if one.Protocol() == 3 {
		c.enterRoot()
	}
	return c
}

// Receive implements [engineio.Receiver].
func (c *conn) Receive(data []byte, binary bool) error {
	err := c.receive(data, binary)
	var beyond *limitError
	if errors.As(err, &beyond) {
		c.limited(beyond.limit)
	}
	return err
}

func (c *conn) receive(data []byte, binary bool) error {
	if binary {
		return c.receiveBinary(data)
	}
	if c.partial != nil {
		return errText
	}
	p, err := parsePacket(data)
	if err != nil {
		return err
	}
	switch p.kind {
	case kindConnect:
		return c.receiveConnect(&p)
	case kindDisconnect:
		return c.receiveDisconnect(&p)
	case kindConnectError:
		return c.receiveError(&p)
	}
	in, err := newInbound(&p)
	if err != nil {
		return err
	}
	if in.missing == 0 {
		return c.deliver(in)
	}
	// Asked before anything is kept: a stranger is closed, as by the reference, and
	// what comes for a socket that is gone is read and forgotten.
	if in.socket = c.inside(in.namespace); in.socket == nil {
		in = &inbound{namespace: in.namespace, missing: in.missing}
	}
	c.partial = in
	return nil
}

func (c *conn) receiveBinary(data []byte) error {
	in := c.partial
	if in == nil {
		return errBinary
	}
	if err := in.attach(data, c.session.MaxPayload()); err != nil {
		c.partial = nil
		return err
	}
	if in.missing > 0 {
		return nil
	}
	c.partial = nil
	return c.deliver(in)
}

// deliver gives an event or ack to its socket: the one place where packets go
// past the library.
func (c *conn) deliver(in *inbound) error {
	if s := c.inside(in.namespace); s != nil {
		s.take(in)
	} else {
		c.control()
	}
	return nil
}

// control counts a packet that is no event for a socket. It reports false for a
// client that sends too many of them, which is closed if it keeps on.
func (c *conn) control() bool {
	v := c.meter.control(time.Now())
	if v == rateOK {
		return true
	}
	c.limited(incidents.ControlPackets, zap.Bool("closed", v == rateAbuse))
	if v == rateAbuse {
		c.session.Close(reasonForced)
	}
	return false
}

// limited counts and logs that the client has run into a limit.
func (c *conn) limited(l incidents.Limit, more ...zap.Field) {
	c.server.incidents().Limit(l, c.fields(more...)...)
}

// fields are those of every log line about the session. Who enters a namespace has
// more: see [Socket.fields].
func (c *conn) fields(more ...zap.Field) []zap.Field {
	return append([]zap.Field{
		zap.Stringer("remote_ip", c.session.Client().IP),
		zap.String("transport", c.session.Transport()),
		zap.String("user", c.User()),
	}, more...)
}

// inside returns the socket that a packet is for. It is nil where the client has
// left again, which it may not know yet. A client that has never entered the
// namespace, or has not been told yet that it has, is closed.
func (c *conn) inside(name string) *Socket {
	s, known := c.find(name)
	if !known {
		c.violate()
		return nil
	}
	if s == nil {
		return nil
	}
	switch s.phase.Load() {
	case phaseConnecting:
		c.violate()
		return nil
	case phaseClosed:
		return nil
	}
	return s
}

// violate closes the connection of a client whose packet its state does not
// allow, as the reference does.
func (c *conn) violate() { c.force("a packet out of turn") }

// force closes the connection and says why, to the log alone: sockets, whose ends
// are logged, there may be none.
func (c *conn) force(why string) {
	c.server.log().Debug("connection closed", c.fields(zap.String("reason", why))...)
	c.session.Close(reasonForced)
}

func (c *conn) receiveDisconnect(p *packet) error {
	if len(p.payload) > 0 {
		return errPayload
	}
	c.control()
	if s := c.inside(string(p.namespace)); s != nil {
		s.drop(reasonClient, false)
	}
	return nil
}

// receiveError refuses CONNECT_ERROR, which only a server may send.
func (c *conn) receiveError(p *packet) error {
	if validJSON(p.payload) != nil || p.payload[0] != '{' && p.payload[0] != '"' {
		return errPayload
	}
	c.violate()
	return nil
}

// find returns the socket in a namespace, and whether the client has ever entered it.
func (c *conn) find(name string) (s *Socket, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.slots {
		if c.slots[i].name == name {
			return c.slots[i].socket, true
		}
	}
	return nil, false
}

// place makes a place for a socket. It reports false when the client has too many.
func (c *conn) place(s *Socket, limit int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	free := -1
	for i := range c.slots {
		if c.slots[i].name == s.ns.name {
			c.slots[i].socket = s
			return true
		}
		if c.slots[i].socket == nil {
			free = i
		}
	}
	switch {
	case len(c.slots) < limit:
		c.slots = append(c.slots, slot{s.ns.name, s})
	case free >= 0:
		c.slots[free] = slot{s.ns.name, s}
	default:
		return false
	}
	return true
}

// leave gives up the place of a socket.
func (c *conn) leave(s *Socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.slots {
		if c.slots[i].socket == s {
			c.slots[i].socket = nil
		}
	}
}

func (c *conn) sockets() (all []*Socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.slots {
		if s := c.slots[i].socket; s != nil {
			all = append(all, s)
		}
	}
	return all
}

// Closed implements [engineio.Receiver].
func (c *conn) Closed(reason string) {
	c.mu.Lock()
	c.reason = reason
	c.mu.Unlock()
	c.closed.Store(true)
	c.stopTimeout()
	for _, s := range c.sockets() {
		c.lose(s, reason)
	}
	c.handing.Lock()
	defer c.handing.Unlock()
	for _, s := range c.sockets() { // those that are just connecting
		s.finish(reason)
	}
}

// timedOut closes a session that has no connected socket.
func (c *conn) timedOut() {
	for _, s := range c.sockets() {
		if s.Connected() {
			return
		}
	}
	c.limited(incidents.UnauthenticatedTimeout)
	c.force("no namespace entered in time")
}

// closeReason is the session's, or that of a socket which the server ends.
func (c *conn) closeReason() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reason != "" {
		return c.reason
	}
	return reasonServer
}

// identified is called for each socket whose client is let in.
func (c *conn) identified(user string) {
	if user != "" {
		c.user.CompareAndSwap(nil, &user)
	}
}

// entered is called for each socket whose client is about to be told of it.
func (c *conn) entered() {
	c.stopTimeout()
	c.session.Entered()
}

// User implements [engineio.UserReceiver]: the user of the first socket that has
// one. It stays when the session has ended.
func (c *conn) User() string {
	if user := c.user.Load(); user != nil {
		return *user
	}
	return ""
}

// stopTimeout is called once the session has a socket, or has ended.
func (c *conn) stopTimeout() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timeout != nil {
		c.timeout.Stop()
		c.timeout = nil
	}
}
