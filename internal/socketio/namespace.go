package socketio

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	library "github.com/zishang520/socket.io/servers/socket/v3"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

var errNamespaceGone = errors.New("the namespace is not served any more")

// namespace is a live namespace: its sockets and rooms. All methods may be called
// concurrently.
type namespace struct {
	target // the whole namespace; its ns is this one

	server  *Server
	name    string
	lib     library.Namespace
	binding atomic.Pointer[binding]
	ids     atomic.Uint64 // of acks, unique in the namespace
	history atomic.Pointer[history]
	member  atomic.Pointer[membership] // nil without a cluster

	configuredName atomic.Pointer[string]

	// The server's nsMu guards it.
	users int // sockets that have not ended, and 1 if the name is a static one

	// mu guards the following fields, and those of sockets that say so.
	mu      sync.RWMutex
	byID    map[string]*Socket // all that the library knows
	sockets []*Socket          // those that have been let in
	rooms   map[string]*room

	stateMu sync.Mutex
	state   map[string]any
	closed  bool
}

var _ gateway.Namespace = (*namespace)(nil)

func newNamespace(s *Server, name string) *namespace {
	ns := &namespace{
		server: s, name: name,
		byID: map[string]*Socket{}, rooms: map[string]*room{},
	}
	ns.target.ns = ns
	return ns
}

// Name implements [gateway.Namespace].
func (ns *namespace) Name() string { return ns.name }

// Server implements [gateway.Namespace].
func (ns *namespace) Server() string { return ns.server.settings().Name }

// Socket implements [gateway.Namespace].
func (ns *namespace) Socket(id string) gateway.Socket {
	if s := ns.socket(id); s != nil && s.Connected() {
		return s
	}
	return nil
}

func (ns *namespace) socket(id string) *Socket {
	ns.mu.RLock()
	defer ns.mu.RUnlock()
	return ns.byID[id]
}

// State implements [gateway.Namespace]. In a namespace that has ended, values are
// made but not kept.
func (ns *namespace) State(key string, init func() any) any {
	ns.stateMu.Lock()
	defer ns.stateMu.Unlock()
	if v, ok := ns.state[key]; ok {
		return v
	}
	v := init()
	if ns.closed {
		return v
	}
	if ns.state == nil {
		ns.state = map[string]any{}
	}
	ns.state[key] = v
	return v
}

// status asks the values of State that tell of themselves.
func (ns *namespace) status() map[string]any {
	ns.stateMu.Lock()
	state := maps.Clone(ns.state)
	ns.stateMu.Unlock()
	maps.DeleteFunc(state, func(_ string, v any) bool { _, tells := v.(teller); return !tells })
	for key, v := range state {
		state[key] = v.(teller).Status()
	}
	return state
}

// teller is a value of State that operators can look at.
type teller interface{ Status() any }

// closeState closes the values; State keeps none afterwards.
func (ns *namespace) closeState() (err error) {
	ns.stateMu.Lock()
	state := ns.state
	ns.state, ns.closed = nil, true
	ns.stateMu.Unlock()
	for _, v := range state {
		if c, ok := v.(io.Closer); ok {
			err = errors.Join(err, guard(c.Close))
		}
	}
	return err
}

// nextID is a fresh id for an ack.
func (ns *namespace) nextID() uint64 { return ns.ids.Add(1) - 1 }

// log is the record of what was sent, nil while recovery is off.
func (ns *namespace) log() *history { return ns.history.Load() }

// binding is the gateway of one namespace in one generation.
type binding struct {
	ns            *namespace
	gateway       gateway.Gateway
	authenticator gateway.Authenticator
	// events are those that the gateway names beside its handlers.
	events map[string]struct{}
	ctx    context.Context // ends with the generation or the namespace
	stop   context.CancelFunc

	once sync.Once
	err  error
}

func newBinding(ns *namespace, n *Namespace, generation context.Context) *binding {
	b := &binding{ns: ns, gateway: n.Gateway, authenticator: n.Authenticator}
	if namer, ok := n.Gateway.(gateway.EventNamer); ok {
		b.events = map[string]struct{}{}
		for _, event := range namer.Events() {
			b.events[event] = struct{}{}
		}
	}
	b.ctx, b.stop = context.WithCancel(generation)
	return b
}

// initialize calls the gateway's Init, once; its error refuses all sockets.
func (b *binding) initialize() error {
	b.once.Do(func() {
		if i, ok := b.gateway.(gateway.Initializer); ok {
			b.err = guard(func() error { return i.Init(b.ctx, b.ns) })
		}
	})
	return b.err
}

// authenticate returns who the client of a socket is.
func (b *binding) authenticate(s *Socket) (id *gateway.Identity, err error) {
	user, _ := s.conn.session.Client().User.(*gateway.Identity)
	if b.authenticator == nil {
		return user, nil
	}
	err = guard(func() (err error) {
		id, err = b.authenticator.Authenticate(s.ctx, b.ns.name, s.Handshake(), user)
		return err
	})
	return id, err
}

// known lists the sockets, those that are still being let in included.
func (ns *namespace) known() []*Socket {
	ns.mu.RLock()
	defer ns.mu.RUnlock()
	all := make([]*Socket, 0, len(ns.byID))
	for _, s := range ns.byID {
		all = append(all, s)
	}
	return all
}

// count counts what the namespace holds. It visits every socket, which is meant
// for operators and scrapes.
func (ns *namespace) count() NamespaceStatus {
	ns.mu.RLock()
	sockets, rooms := slices.Clone(ns.sockets), len(ns.rooms)
	ns.mu.RUnlock()
	out := NamespaceStatus{Name: ns.name, Configured: ns.configured(), Sockets: len(sockets), Rooms: rooms}
	for _, s := range sockets {
		if s.Transport() == "polling" {
			out.Polling++
		}
		if s.Identity() != nil {
			out.Authenticated++
		}
	}
	return out
}

// recover turns recovery on or off. What is kept is forgotten when another cluster
// keeps the messages from now on.
func (ns *namespace) recover(on bool) {
	if !on {
		ns.history.Swap(nil).close()
		return
	}
	var c *shared
	if m := ns.member.Load(); m != nil {
		if sessions := m.link.Sessions(); sessions != nil {
			c = &shared{ns: ns, link: m.link, sessions: sessions}
		}
	}
	if log := ns.log(); log == nil || log.shared.linked() != c.linked() {
		ns.history.Swap(newHistory(ns, c)).close()
	}
}

// setConfigured changes the name that logs and metrics get.
func (ns *namespace) setConfigured(name string) { ns.configuredName.Store(&name) }

// configured is the name under which the namespace is configured.
func (ns *namespace) configured() string { return *ns.configuredName.Load() }

// close ends what belongs to the namespace.
func (ns *namespace) close() error {
	if b := ns.binding.Load(); b != nil {
		b.stop()
	}
	ns.recover(false)
	return errors.Join(ns.closeState(), ns.member.Swap(nil).leave())
}
