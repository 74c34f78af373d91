package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/faults"
	"github.com/caddy-socketio/caddy-socketio/internal/bench/load"
	"github.com/caddy-socketio/caddy-socketio/internal/bench/server"
)

// finding is what one fault did to one server.
type finding struct {
	Fault  string         `json:"fault"`
	Title  string         `json:"title"`
	Server server.Kind    `json:"server"`
	Values []faults.Value `json:"values,omitempty"`
	// Error says how the server failed the others, if it did.
	Error string `json:"error,omitempty"`
}

// misbehave runs the faults on every server that speaks Socket.IO. A peer that
// fails is a finding; that ours fails is an error, too.
func misbehave(ctx context.Context, o *options, tools *server.Tools) error {
	var found []finding
	var failures []error
	for _, f := range faults.All {
		for _, k := range o.servers {
			if !slices.Contains(o.cases, f.Name) || k == server.Bare {
				continue
			}
			log.Printf("%s on %s", f.Name, k)
			// An error is kept and not returned: that a server breaks is a result.
			values, err := misbehaveOn(ctx, tools, k, f)
			one := finding{Fault: f.Name, Title: f.Title, Server: k, Values: values}
			if err != nil {
				one.Error = err.Error()
				log.Print(err)
			}
			if err != nil && k == server.Ours {
				failures = append(failures, fmt.Errorf("%s: %w", f.Name, err))
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			found = append(found, one)
		}
	}
	if err := writeFindings(os.Stdout, found); err != nil {
		return err
	}
	if err := os.MkdirAll(o.results, 0o755); err != nil {
		return err
	}
	asJSON := func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(found)
	}
	return errors.Join(writeFile(filepath.Join(o.results, "faults.json"), asJSON), errors.Join(failures...))
}

// misbehaveOn runs one fault on a server of its own, so that nothing of an
// earlier one is counted.
func misbehaveOn(ctx context.Context, tools *server.Tools, k server.Kind, f faults.Fault) ([]faults.Value, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, caseTimeout, errors.New("took too long"))
	defer cancel()
	s, err := tools.Start(ctx, k, server.Variant{Heartbeat: f.Heartbeat})
	if err != nil {
		return nil, err
	}
	defer s.Stop()
	target := load.Target{Addr: s.Addr}
	if err := warmUp(ctx, target); err != nil {
		return nil, err
	}
	return f.Run(ctx, target, s)
}

// warmUp makes the server do once what it does lazily, so that it does not look
// as if the fault had left it behind.
func warmUp(ctx context.Context, t load.Target) error {
	c, err := t.Dial(ctx, "")
	if err != nil {
		return err
	}
	_, err = c.Join("warm")
	if err = errors.Join(err, c.Close()); err != nil {
		return err
	}
	timer := time.NewTimer(200 * time.Millisecond) // for the server to notice
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// writeFindings writes one line a number.
func writeFindings(w io.Writer, found []finding) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	title := ""
	for _, f := range found {
		if f.Title != title {
			title = f.Title
			fmt.Fprintf(t, "%s\n", title)
		}
		for _, v := range f.Values {
			fmt.Fprintf(t, "  %s\t%s\t%.4g %s\n", f.Server, v.Name, v.Number, v.Unit)
		}
		if f.Error != "" {
			fmt.Fprintf(t, "  %s\tfailed\t%s\n", f.Server, f.Error)
		}
	}
	return t.Flush()
}
