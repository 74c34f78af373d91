package socketio

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"go.uber.org/zap"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// generation is one configuration.
type generation struct {
	settings *Settings
	static   map[string]*Namespace
	patterns []pattern
	requests []gateway.RequestAuthenticator // see conn.Admits
	ctx      context.Context
	stop     context.CancelFunc
}

type pattern struct {
	re *regexp.Regexp
	ns *Namespace
}

func newGeneration(settings *Settings) (*generation, error) {
	g := &generation{settings: settings.withDefaults(), static: map[string]*Namespace{}}
	for i := range g.settings.Namespaces {
		n := &g.settings.Namespaces[i]
		re, err := ParseNamespace(n.Name)
		switch {
		case err != nil:
			return nil, err
		case n.Gateway == nil:
			return nil, fmt.Errorf("namespace %s has no gateway", n.Name)
		case re != nil:
			g.patterns = append(g.patterns, pattern{re, n})
		case g.static[n.Name] != nil:
			return nil, fmt.Errorf("namespace %s is configured twice", n.Name)
		default:
			g.static[n.Name] = n
		}
		g.requests = addRequestAuthenticator(g.requests, n.Authenticator)
	}
	g.ctx, g.stop = context.WithCancel(context.Background())
	return g, nil
}

// find returns who serves a namespace, nil for nobody.
func (g *generation) find(name string) *Namespace {
	if n := g.static[name]; n != nil {
		return n
	}
	if len(name) > MaxNamespaceName {
		return nil
	}
	for _, p := range g.patterns {
		if p.re.MatchString(name) {
			return p.ns
		}
	}
	return nil
}

// configured is the name under which a namespace is configured, "" for none:
// logs and metrics must not grow with the names that clients make up.
func (s *Server) configured(name string) string {
	if n := s.generation.Load().find(name); n != nil {
		return n.Name
	}
	return ""
}

// Configure replaces the settings in one step. Live sockets stay: the new
// gateway's Connect is called for each, before its next event. The sockets of
// namespaces that are no longer there are disconnected. Initializers of static
// namespaces are called before it returns. On an error nothing has changed.
func (s *Server) Configure(settings *Settings) error {
	g, err := newGeneration(settings)
	if err != nil {
		return err
	}
	s.configuring.Lock()
	defer s.configuring.Unlock()
	s.nsMu.RLock()
	closed := s.closed
	s.nsMu.RUnlock()
	if closed {
		return errors.New("the server is closed")
	}
	old := s.generation.Load()
	s.apply(g, old)
	return nil
}

// apply makes a generation the current one.
func (s *Server) apply(g, old *generation) {
	var bindings []*binding
	var removed []*namespace
	var left []*membership
	s.nsMu.Lock()
	s.generation.Store(g)
	for _, ns := range s.namespaces {
		n := g.find(ns.name)
		if old != nil && old.static[ns.name] != nil && g.static[ns.name] == nil {
			ns.users-- // the configuration's own; the sockets still hold it
		}
		if n == nil {
			ns.binding.Store(nil)
			removed = append(removed, ns)
			continue
		}
		left = append(left, ns.joinCluster(g.settings.Cluster))
		bindings = append(bindings, s.rebindNamespace(ns, n, g))
	}
	for name, n := range g.static {
		ns := s.namespaces[name]
		if ns == nil {
			ns = s.openNamespace(name, n, g)
			bindings = append(bindings, ns.binding.Load())
		}
		if old == nil || old.static[name] == nil {
			ns.users++
		}
	}
	s.nsMu.Unlock()
	for _, b := range bindings {
		if err := b.initialize(); err != nil {
			s.log().Error("namespace failed to initialize", zap.String("namespace", b.ns.name), zap.Error(err))
		}
		for _, one := range b.ns.known() {
			one.queue.wake(one)
		}
	}
	for _, ns := range removed {
		s.removeNamespace(ns)
	}
	for _, m := range left {
		if err := m.leave(); err != nil {
			s.log().Error("leaving the cluster", zap.Error(err))
		}
	}
	if old != nil {
		old.stop()
	}
}

// rebindNamespace must be called with nsMu held.
func (s *Server) rebindNamespace(ns *namespace, n *Namespace, g *generation) *binding {
	b := newBinding(ns, n, g.ctx)
	ns.setConfigured(n.Name)
	ns.binding.Store(b)
	ns.recover(g.settings.Recovery > 0)
	return b
}

// openNamespace must be called with nsMu held.
func (s *Server) openNamespace(name string, n *Namespace, g *generation) *namespace {
	ns := newNamespace(s, name)
	ns.lib = s.openLibrary(name)
	s.namespaces[name] = ns
	ns.joinCluster(g.settings.Cluster) // it was in none
	s.rebindNamespace(ns, n, g)
	return ns
}

// removeNamespace disconnects the sockets of a namespace that is not served any
// more; the last takes it away.
func (s *Server) removeNamespace(ns *namespace) {
	sockets := ns.known()
	s.log().Info("namespace removed", zap.String("namespace", ns.name), zap.Int("sockets", len(sockets)))
	for _, one := range sockets {
		one.drop(reasonServer, true)
	}
	s.hold(ns)
	s.leave(ns)
}

func (s *Server) hold(ns *namespace) {
	s.nsMu.Lock()
	defer s.nsMu.Unlock()
	ns.users++
}

// enter takes a place in a namespace, which is made if there is none yet. It
// returns nil when nobody serves that name, or when there are too many, and full
// then.
func (s *Server) enter(name string) (ns *namespace, full bool) {
	s.nsMu.Lock()
	defer s.nsMu.Unlock()
	g := s.generation.Load()
	n := g.find(name)
	if n == nil || s.closed {
		return nil, false
	}
	ns = s.namespaces[name]
	if ns == nil {
		if s.dynamic >= g.settings.DynamicNamespaces {
			return nil, true
		}
		ns = s.openNamespace(name, n, g)
		s.dynamic++
	}
	ns.users++
	return ns, false
}

// leave gives a place up, and with the last one the namespace.
func (s *Server) leave(ns *namespace) {
	s.nsMu.Lock()
	ns.users--
	if ns.users > 0 || s.namespaces[ns.name] != ns {
		s.nsMu.Unlock()
		return
	}
	delete(s.namespaces, ns.name)
	s.dynamic = len(s.namespaces) - len(s.generation.Load().static)
	s.closeLibrary(ns.lib)
	s.nsMu.Unlock()
	if err := ns.close(); err != nil {
		s.log().Error("closing the state of a namespace", zap.String("namespace", ns.name), zap.Error(err))
	}
}
