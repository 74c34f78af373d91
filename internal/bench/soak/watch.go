package soak

import (
	"context"
	"fmt"
	"time"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/server"
)

// State is what the server holds at a moment.
type State struct {
	// Seconds since the clients began to talk.
	Seconds    float64 `json:"seconds"`
	Goroutines int     `json:"goroutines"`
	Sessions   int     `json:"sessions"`
	Sockets    int     `json:"sockets"`
	Rooms      int     `json:"rooms"`
	Files      int     `json:"files"`
	// HeapMB is after a collection, RSSMB what the kernel counts, in MiB.
	HeapMB float64 `json:"heap_mb"`
	RSSMB  float64 `json:"rss_mb"`
}

const mebibyte = 1 << 20

// look reads the server.
func (s *stage) look(ctx context.Context) (State, error) {
	l, err := s.host.Leftovers(ctx)
	if err != nil {
		return State{}, err
	}
	heap, err := s.host.Heap(ctx)
	if err != nil {
		return State{}, err
	}
	rss, err := s.host.RSS()
	return State{Goroutines: l.Goroutines, Sessions: l.Sessions, Sockets: l.Sockets, Rooms: l.Rooms, Files: l.Files,
		HeapMB: float64(heap) / mebibyte, RSSMB: float64(rss) / mebibyte}, err
}

// watch looks sixty times, but no more often than every two seconds: each look
// costs the server a collection.
func (s *stage) watch(ctx context.Context) error {
	began, every := time.Now(), max(s.plan.For/60, 2*time.Second)
	for pause(ctx, every) {
		// A reload closes the admin endpoint in between; the next look tells.
		state, err := s.look(ctx)
		if err != nil {
			continue
		}
		state.Seconds = time.Since(began).Seconds()
		s.samples = append(s.samples, state)
	}
	return nil
}

// settled waits until the server has come back to what it held before, or, at
// the first time, to no session at all; heartbeats, places kept for those who may
// come back, and empty rooms take their time. A server that does not come back
// is as it is after a minute.
func (s *stage) settled(ctx context.Context, before State) (now State, err error) {
	const most = 60
	for range most {
		if now, err = s.look(ctx); err != nil {
			return now, err
		}
		quiet := now.Sessions == 0 && now.Sockets == 0 && now.Rooms == 0
		if quiet && (before == State{} || now.Goroutines <= before.Goroutines && now.Files <= before.Files) {
			break
		}
		if !pause(ctx, time.Second) {
			return now, context.Cause(ctx)
		}
	}
	if before == (State{}) && now.Sessions != 0 {
		return now, fmt.Errorf("%d sessions are left after the warm-up", now.Sessions)
	}
	return now, nil
}

var _ Host = (*server.Server)(nil)
