// Package server starts the servers that the benchmark compares, pinned to one
// core, and reads what they spend.
package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"time"
)

// Kind is one of the servers.
type Kind string

const (
	// Ours is Caddy with the socketio handler.
	Ours Kind = "caddy-socketio"
	// Node is socket.io by itself.
	Node Kind = "node"
	// Proxied is the same Node server behind Caddy's reverse_proxy.
	Proxied Kind = "caddy-node"
	// Bare is a Go websocket server without Socket.IO.
	Bare Kind = "bare-go"
)

// Kinds are all servers, in the order of the tables.
var Kinds = []Kind{Ours, Node, Proxied, Bare}

// Caddy reports whether the server has access logs to turn on.
func (k Kind) Caddy() bool { return k == Ours || k == Proxied }

// Variant is how a server is run. The zero value is plain HTTP without logs.
type Variant struct {
	TLS        bool
	AccessLogs bool
	// Heartbeat is the ping interval and the ping timeout. Default: what each
	// server has by default, 25 s and 20 s.
	Heartbeat time.Duration

	cluster *Cluster // what the server is a node of; nil for none
}

// String names the variant for tables.
func (v Variant) String() string {
	switch {
	case v.TLS && v.AccessLogs:
		return "tls+logs"
	case v.TLS:
		return "tls"
	case v.AccessLogs:
		return "logs"
	}
	return "plain"
}

// Tools are the programs and files that servers are started from.
type Tools struct {
	// Caddy is the binary with the socketio handler; it is the proxy, too.
	Caddy string
	// Self is the benchmark's own binary, which serves as the bare server.
	Self string
	// NodeDir is the folder of server.js and its node_modules.
	NodeDir string
	// Dir is a folder for logs and certificates.
	Dir string

	cert *certificate
	port int
}

// Server is a running server. Its methods may be called concurrently, except
// for Stop, which comes last.
type Server struct {
	// Addr is where clients connect.
	Addr string
	// TLS is their configuration, nil for plain HTTP.
	TLS *tls.Config

	processes []*process
	site      func(revision int) string // the whole Caddyfile, if it is to be reloaded
}

// Start starts a server, each time afresh: what a case leaves behind must not
// burden the next.
func (t *Tools) Start(ctx context.Context, k Kind, v Variant) (*Server, error) {
	addr, err := t.address()
	if err != nil {
		return nil, err
	}
	s := &Server{Addr: addr}
	if v.TLS {
		if t.cert == nil {
			if t.cert, err = newCertificate(t.Dir); err != nil {
				return nil, err
			}
		}
		s.TLS = t.cert.client
	}
	if err := t.launch(ctx, s, k, v); err != nil {
		s.Stop()
		return nil, fmt.Errorf("starting %s: %w", k, err)
	}
	return s, nil
}

// StartSite starts a Caddy whose site has the directives of revision 0, for
// [Server.Reload] to change.
func (t *Tools) StartSite(ctx context.Context, directives func(revision int) string) (*Server, error) {
	addr, err := t.address()
	if err != nil {
		return nil, err
	}
	p, err := t.caddy(ctx, addr, Variant{}, directives(0))
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", Ours, err)
	}
	s := &Server{Addr: addr, processes: []*process{p}}
	s.site = func(revision int) string { return t.caddyfile(addr, p.admin, Variant{}, directives(revision)) }
	return s, nil
}

// launch starts the server's processes, those behind others first.
func (t *Tools) launch(ctx context.Context, s *Server, k Kind, v Variant) error {
	var p *process
	var err error
	switch k {
	case Ours:
		p, err = t.caddy(ctx, s.Addr, v, socketioDirective(v))
	case Node:
		p, err = t.node(ctx, s.Addr, v)
	case Bare:
		p, err = t.bare(ctx, s.Addr, v.TLS)
	case Proxied:
		var upstream string
		// Between proxy and Node all is plain, as on one machine it would be.
		if upstream, err = t.address(); err != nil {
			return err
		}
		if p, err = t.node(ctx, upstream, Variant{Heartbeat: v.Heartbeat}); err != nil {
			return err
		}
		s.processes = append(s.processes, p)
		p, err = t.caddy(ctx, s.Addr, v, "\treverse_proxy "+upstream+"\n")
	default:
		return fmt.Errorf("no such server; there are %v", Kinds)
	}
	if err != nil {
		return err
	}
	s.processes = append(s.processes, p)
	return nil
}

// Stop kills the server's processes and waits for their end.
func (s *Server) Stop() {
	for _, p := range s.processes {
		p.kill()
	}
}

// Profile writes a CPU profile of d to w, if one of the processes is a Caddy.
func (s *Server) Profile(ctx context.Context, d time.Duration, w io.Writer) error {
	return s.admin(ctx, fmt.Sprintf("/debug/pprof/profile?seconds=%d", int(d.Seconds())), w)
}

// admin copies an answer of the Caddy's admin API to w.
func (s *Server) admin(ctx context.Context, path string, w io.Writer) error {
	for _, p := range s.processes {
		if p.admin != "" {
			return adminGet(ctx, p.admin, path, w)
		}
	}
	return fmt.Errorf("no process of %s has an admin API", s.Addr)
}
