package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
)

// Leftovers are what a server holds at a moment; -1 where it cannot tell.
type Leftovers struct {
	// Files are the open files and connections of all processes.
	Files int
	// Goroutines are those of Caddy.
	Goroutines int
	// Sessions, Sockets and Rooms are what our admin API counts.
	Sessions, Sockets, Rooms int
}

// Leftovers counts them.
func (s *Server) Leftovers(ctx context.Context) (Leftovers, error) {
	l := Leftovers{Goroutines: -1, Sessions: -1, Sockets: -1, Rooms: -1}
	if slices.ContainsFunc(s.processes, func(p *process) bool { return p.admin != "" }) {
		if err := s.counts(ctx, &l); err != nil {
			return l, err
		}
	}
	// Files last: the connection to the admin API, which stays, is then among them
	// at the first count as well.
	for _, p := range s.processes {
		files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
		if err != nil {
			return l, fmt.Errorf("counting the files of %s: %w", p.name, err)
		}
		l.Files += len(files)
	}
	return l, nil
}

// counts asks Caddy.
func (s *Server) counts(ctx context.Context, l *Leftovers) error {
	var text bytes.Buffer
	if err := s.admin(ctx, "/debug/pprof/goroutine?debug=1", &text); err != nil {
		return err
	}
	if _, err := fmt.Sscanf(text.String(), "goroutine profile: total %d", &l.Goroutines); err != nil {
		return fmt.Errorf("counting goroutines: %w", err)
	}
	return s.ours(ctx, l)
}

// ours asks our admin API; a Caddy without our server answers with none.
func (s *Server) ours(ctx context.Context, l *Leftovers) error {
	var servers struct {
		Servers []struct{ Sessions, Sockets int }
	}
	if err := s.adminJSON(ctx, "/socketio/", &servers); err != nil || len(servers.Servers) == 0 {
		return err
	}
	l.Sessions, l.Sockets = servers.Servers[0].Sessions, servers.Servers[0].Sockets
	var namespaces struct {
		Namespaces []struct{ Rooms int }
	}
	if err := s.adminJSON(ctx, "/socketio/default/namespaces", &namespaces); err != nil {
		return err
	}
	l.Rooms = 0
	for _, ns := range namespaces.Namespaces {
		l.Rooms += ns.Rooms
	}
	return nil
}

// adminJSON decodes an answer of the admin API.
func (s *Server) adminJSON(ctx context.Context, path string, to any) error {
	var text bytes.Buffer
	if err := s.admin(ctx, path, &text); err != nil {
		return err
	}
	if err := json.Unmarshal(text.Bytes(), to); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	return nil
}
