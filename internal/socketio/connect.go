package socketio

import (
	"encoding/json"
	"net/url"
	"strings"

	library "github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"
	"go.uber.org/zap"

	"github.com/caddy-socketio/caddy-socketio/internal/engineio"
	"github.com/caddy-socketio/caddy-socketio/internal/incidents"
)

// receiveConnect enters a namespace. The rest happens in four steps: the
// library's middleware hands our [Socket] its own, a worker lets the client in or
// not (admit), the library tells the adapter that CONNECT is about to be written
// (opening), and then that the socket is connected (ready).
func (c *conn) receiveConnect(p *packet) error {
	name, auth, err := c.readConnect(p)
	if err != nil {
		return err
	}
	if !c.control() {
		c.refuse(name, answerRate, "limit")
		return nil
	}
	if c.stillIn(name) {
		c.violate()
		return nil
	}
	if s := c.prepare(name); s != nil {
		c.handOver(s, auth)
	}
	return nil
}

// stillIn reports whether the client has a socket in the namespace. One that is
// being taken down is gone when it returns, from the library as well: the client
// may have been told already.
func (c *conn) stillIn(name string) bool {
	c.life.Lock()
	defer c.life.Unlock()
	s, _ := c.find(name)
	return s != nil
}

// readConnect returns the namespace's name and the auth payload, which version 3
// clients put into a query after the name.
func (c *conn) readConnect(p *packet) (name string, auth map[string]any, err error) {
	name = string(p.namespace)
	if c.session.Protocol() == 3 {
		name, query, _ := strings.Cut(name, "?")
		return name, queryAuth(query), nil
	}
	if len(p.payload) == 0 {
		return name, nil, nil
	}
	if err := validJSON(p.payload); err != nil {
		return "", nil, payloadError(err)
	}
	var payload any
	if err := json.Unmarshal(p.payload, &payload); err != nil {
		return "", nil, errPayload
	}
	fields, ok := payload.(map[string]any)
	if !ok && payload != nil {
		return "", nil, errPayload
	}
	// A stock client that has received no event yet knows no offset.
	if _, ok := fields["pid"].(string); ok {
		if offset, _ := fields["offset"].(string); offset == "" {
			fields["offset"] = noOffset
		}
	}
	return name, fields, nil
}

// queryAuth is a query as auth payload, nil without one.
func queryAuth(query string) map[string]any {
	if query == "" {
		return nil
	}
	auth := map[string]any{}
	values, _ := url.ParseQuery(query) // what of it is malformed is left out
	for k, v := range values {
		auth[k] = v
	}
	return auth
}

// enterRoot enters "/", as the library does for each version 3 client.
func (c *conn) enterRoot() {
	if s := c.prepare("/"); s != nil {
		c.handOver(s, nil)
	}
}

// handOver has the library take a socket, which waits for nobody. When the session
// has closed, it is ended.
func (c *conn) handOver(s *Socket, auth map[string]any) {
	c.handing.Lock()
	defer c.handing.Unlock()
	if c.closed.Load() {
		s.finish(reasonLost)
		s.release()
		return
	}
	if c.client == nil {
		c.client = library.NewClient(c.server.io, c)
	}
	c.connecting = s
	s.ns.lib.Add(c.client, auth, nil)
	c.connecting = nil
}

// prepare makes the socket of a namespace, and a place for it. It returns nil
// after refusing the client.
func (c *conn) prepare(name string) *Socket {
	ns, full := c.server.enter(name)
	switch {
	case full:
		c.limited(incidents.DynamicNamespaces)
		c.refuse(name, answerMany, "limit")
		return nil
	case ns == nil:
		c.refuse(name, answerInvalid, "invalid namespace")
		return nil
	}
	s := newSocket(c, ns)
	if !c.place(s, c.server.settings().NamespacesPerSession) {
		s.cancel(nil)
		c.server.leave(ns)
		c.limited(incidents.NamespacesPerSession)
		c.refuse(name, answerMany, "limit")
		return nil
	}
	c.server.busy.add(1) // until its queue is held no more
	return s
}

// Payloads of CONNECT_ERROR.
const (
	answerInvalid = `{"message":"Invalid namespace"}` // the reference's
	answerMany    = `{"message":"too many namespaces","data":{"code":"too-many-namespaces"}}`
	answerRate    = `{"message":"rate-limited","data":{"code":"rate-limited"}}`
)

// refuse answers a CONNECT that does not get to the library. The log has the name
// that was asked for, which the packet's parser has bounded.
func (c *conn) refuse(name, answer, reason string) {
	c.server.settings().Observer.Refused(c.server.configured(name), reason)
	c.server.incidents().Line(zap.DebugLevel, "connection refused", reason, c.fields(zap.String("namespace", name))...)
	text := []byte{byte(kindConnectError)}
	if name != "/" {
		text = append(append(text, name...), ',')
	}
	c.session.Send(engineio.Text(text, []byte(answer)))
}

// middleware is the only one of each namespace. The library calls it inside
// conn.forward or conn.bind.
func (s *Server) middleware(lib *library.Socket, next func(*types.ExtendedError)) {
	c := lib.Conn().(*conn)
	one := c.connecting
	if one == nil || one.ns.name != lib.Nsp().Name() {
		next(types.NewExtendedError("Invalid namespace", nil)) // by no way that we know
		return
	}
	lighten(lib)
	c.mu.Lock()
	one.lib, one.id = lib, string(lib.Id())
	c.mu.Unlock()
	if lib.Recovered() {
		one.restored, _ = lib.Data().(*record)
	}
	one.ns.register(one)
	s.workers.run(&admission{one, next})
}

// admission is the job that lets a client in.
type admission struct {
	socket *Socket
	next   func(*types.ExtendedError)
}

func (a *admission) run() {
	s := a.socket
	defer s.release()
	if err := s.admit(); err != nil {
		a.next(s.refusal(err))
		return
	}
	a.next(nil)
}

// onConnection is called by the library once it has written CONNECT and knows the
// socket by its namespace.
func (s *Server) onConnection(args ...any) {
	lib, ok := args[0].(*library.Socket)
	if !ok {
		return
	}
	c := lib.Conn().(*conn)
	if one := c.byLibrary(lib); one != nil {
		one.ready()
	}
	if c.closed.Load() {
		// The library may have missed the close: left alone, the socket would stay
		// in the namespace for good.
		c.takeDown(lib, false)
	}
}

func (c *conn) byLibrary(lib *library.Socket) *Socket {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.slots {
		if s := c.slots[i].socket; s != nil && s.lib == lib {
			return s
		}
	}
	return nil
}

// lose makes the library disconnect a socket whose session has closed. Before
// that recovery keeps what the client may come back for.
func (c *conn) lose(s *Socket, reason string) {
	c.life.Lock()
	defer c.life.Unlock()
	c.mu.Lock()
	lib := s.lib
	c.mu.Unlock()
	if lib == nil || !lib.Connected() {
		return
	}
	if log := s.ns.log(); log != nil && library.RECOVERABLE_DISCONNECT_REASONS.Has(reason) {
		log.keep(s)
	}
	lib.Disconnect(false) // the packet goes nowhere
}

// takeDown makes the library disconnect a socket, once. The adapter's DelAll then
// finishes ours.
func (c *conn) takeDown(lib *library.Socket, tell bool) {
	c.life.Lock()
	defer c.life.Unlock()
	if !lib.Connected() {
		return
	}
	c.mute = !tell
	lib.Disconnect(false)
	c.mute = false
}
