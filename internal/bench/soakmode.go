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

	"github.com/caddy-socketio/caddy-socketio/internal/bench/load"
	"github.com/caddy-socketio/caddy-socketio/internal/bench/server"
	"github.com/caddy-socketio/caddy-socketio/internal/bench/soak"
)

// soakFile is where the outcome is kept.
const soakFile = "soak.json"

// soaked soaks two servers, one without and one with abuse: only both together
// tell what the abuse has cost the others.
func soaked(ctx context.Context, o *options, tools *server.Tools) error {
	var reports []*soak.Report
	var wrong []error
	for _, abuse := range []bool{false, true} {
		log.Printf("soaking for %v, abuse: %v", o.duration, abuse)
		r, err := soakOne(ctx, tools, soak.Plan{For: o.duration, Abuse: abuse})
		if err != nil {
			return err
		}
		reports = append(reports, r)
		if err := r.Write(os.Stdout); err != nil {
			return err
		}
		if err := r.Check(); err != nil {
			wrong = append(wrong, fmt.Errorf("abuse %v: %w", abuse, err))
		}
	}
	if err := os.MkdirAll(o.results, 0o755); err != nil {
		return err
	}
	asJSON := func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(reports)
	}
	return errors.Join(writeFile(filepath.Join(o.results, soakFile), asJSON), errors.Join(wrong...))
}

func soakOne(ctx context.Context, tools *server.Tools, p soak.Plan) (*soak.Report, error) {
	s, err := tools.StartSite(ctx, soak.Site)
	if err != nil {
		return nil, err
	}
	defer s.Stop()
	return soak.Run(ctx, load.Target{Addr: s.Addr}, s, p)
}
