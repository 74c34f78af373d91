package main

import (
	"context"
	"io"
	"time"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/server"
)

// meter reads a server and, if it has a file's name, takes a CPU profile from the
// first reading on: that is where a case's measured part begins, after set-up and
// warm-up. It belongs to one goroutine.
type meter struct {
	*server.Server
	file   string
	length time.Duration
	done   chan error // the profile's outcome; nil before it has begun
}

// CPU is the server's processor time so far.
func (m *meter) CPU() (time.Duration, error) {
	m.begin()
	return m.Server.CPU()
}

// begin begins the profile, once.
func (m *meter) begin() {
	if m.file != "" && m.done == nil {
		m.done = make(chan error, 1)
		go func() {
			m.done <- writeFile(m.file, func(w io.Writer) error {
				return m.Profile(context.Background(), m.length, w)
			})
		}()
	}
}

// profiled waits for the profile.
func (m *meter) profiled() error {
	if m.done == nil {
		return nil
	}
	return <-m.done
}
