package socketio

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	library "github.com/zishang520/socket.io/servers/socket/v3"
	"go.uber.org/zap"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
	"github.com/caddy-socketio/caddy-socketio/internal/engineio"
	"github.com/caddy-socketio/caddy-socketio/internal/incidents"
)

// Server serves Socket.IO over Engine.IO sessions. All methods may be called
// concurrently.
type Server struct {
	io      *library.Server
	parent  library.ParentNamespace
	workers *workers
	busy    busy         // sockets being let in, handlers that run, and acks that are waited for
	kept    atomic.Int64 // what recovery keeps, in bytes
	// heaviest is the history that keeps the most, about.
	heaviest atomic.Pointer[history]

	generation atomic.Pointer[generation]

	// nsMu guards which namespaces there are. It is taken before a namespace's mu
	// and after conn.life.
	nsMu       sync.RWMutex
	namespaces map[string]*namespace
	dynamic    int // how many of them are of /regexp/ names
	closed     bool
	// configuring makes configurations follow one another.
	configuring sync.Mutex
}

// NewServer makes a server and configures it; see [Server.Configure].
func NewServer(settings *Settings) (*Server, error) {
	g, err := newGeneration(settings)
	if err != nil {
		return nil, err
	}
	s := &Server{workers: newWorkers(), namespaces: map[string]*namespace{}}
	s.generation.Store(g)
	s.startLibrary()
	s.apply(g, nil)
	return s, nil
}

func (s *Server) settings() *Settings { return s.generation.Load().settings }

func (s *Server) log() *zap.Logger { return s.settings().Logger }

func (s *Server) incidents() *incidents.Book { return s.settings().Incidents }

// Accept makes the receiver of a new session's messages. It does not block.
func (s *Server) Accept(session *engineio.Session) engineio.Receiver { return s.accept(session) }

// Namespaces lists the live namespaces by name.
func (s *Server) Namespaces() []NamespaceStatus {
	s.nsMu.RLock()
	defer s.nsMu.RUnlock()
	list := make([]NamespaceStatus, 0, len(s.namespaces))
	for _, ns := range s.namespaces {
		list = append(list, ns.count())
	}
	slices.SortFunc(list, func(a, b NamespaceStatus) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// Namespace returns a live namespace, or nil.
func (s *Server) Namespace(name string) gateway.Namespace {
	if ns := s.namespace(name); ns != nil {
		return ns
	}
	return nil
}

func (s *Server) namespace(name string) *namespace {
	s.nsMu.RLock()
	defer s.nsMu.RUnlock()
	return s.namespaces[name]
}

// Rooms lists the rooms of a live namespace by name, the sockets' own left out.
func (s *Server) Rooms(namespace string) []RoomStatus {
	ns := s.namespace(namespace)
	if ns == nil {
		return nil
	}
	ns.mu.RLock()
	list := make([]RoomStatus, 0, len(ns.rooms))
	for name, r := range ns.rooms {
		list = append(list, RoomStatus{name, len(r.sockets)})
	}
	ns.mu.RUnlock()
	slices.SortFunc(list, func(a, b RoomStatus) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// State is what those values of a live namespace's State that can tell of
// themselves tell, by key.
func (s *Server) State(namespace string) map[string]any {
	ns := s.namespace(namespace)
	if ns == nil {
		return nil
	}
	return ns.status()
}

// Settle waits until no handler runs or waits for one and no ack is pending, or
// until ctx ends; then it returns ctx's error. New events keep being handled.
func (s *Server) Settle(ctx context.Context) error { return s.busy.wait(ctx) }

// Close ends all namespaces: their sockets are told nothing, for the sessions'
// closes tell them, which should come first. It waits for running handlers and
// disconnect hooks until ctx ends. No session may be accepted afterwards.
func (s *Server) Close(ctx context.Context) error {
	s.configuring.Lock()
	defer s.configuring.Unlock()
	s.nsMu.Lock()
	if s.closed {
		s.nsMu.Unlock()
		return nil
	}
	s.closed = true
	all := s.list()
	s.nsMu.Unlock()
	for _, ns := range all {
		for _, one := range ns.known() {
			one.drop(reasonShutdown, false)
		}
	}
	err := s.busy.wait(ctx)
	s.nsMu.Lock()
	rest := s.list()
	s.namespaces, s.dynamic = map[string]*namespace{}, 0
	for _, ns := range rest {
		s.closeLibrary(ns.lib)
	}
	s.nsMu.Unlock()
	for _, ns := range rest {
		err = errors.Join(err, ns.close())
	}
	s.generation.Load().stop()
	s.workers.close()
	return err
}

// list must be called with nsMu held.
func (s *Server) list() (all []*namespace) {
	for _, ns := range s.namespaces {
		all = append(all, ns)
	}
	return all
}

// NamespaceStatus describes a live namespace.
type NamespaceStatus struct {
	// Name is the namespace's, Configured that under which it was configured.
	Name, Configured string
	// Sockets are all of its sockets, Polling those that poll now, Authenticated
	// those whose user is known.
	Sockets, Polling, Authenticated int
	Rooms                           int
}

// RoomStatus describes a room.
type RoomStatus struct {
	Name    string
	Sockets int
}
