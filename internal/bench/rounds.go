package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/load"
	"github.com/caddy-socketio/caddy-socketio/internal/bench/report"
	"github.com/caddy-socketio/caddy-socketio/internal/bench/server"
)

// resultsFile is where the results are kept.
const resultsFile = "results.json"

// caseTimeout bounds one case on one server.
const caseTimeout = 2 * time.Minute

// measure runs the rounds, writes JSON and plot, and prints the table. What has failed is
// missing from them and told at the end.
func measure(ctx context.Context, o *options, tools *server.Tools) error {
	results, err := start(ctx, o, tools, resultsFile)
	if err != nil {
		return err
	}
	var failures []error
	// Rounds are the outer loop: what the machine does meanwhile then falls on all
	// servers alike, and the ratios of a round compare minutes, not hours.
	for round := range o.rounds {
		for _, variant := range o.variants {
			for _, c := range cases {
				if !slices.Contains(o.cases, c.name) || variant != (server.Variant{}) && !c.variants {
					continue
				}
				log.Printf("round %d of %d: %s, %s", round+1, o.rounds, c.name, variant)
				failures = append(failures, measureCase(ctx, o, tools, results, c, variant)...)
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
			}
		}
		// After each round, so that a long run can be looked at and cut short.
		if err := publish(o, results); err != nil {
			return err
		}
	}
	return errors.Join(results.WriteTable(os.Stdout), errors.Join(failures...))
}

// measureCase runs one case on one server after another.
func measureCase(ctx context.Context, o *options, tools *server.Tools, results *report.Results, c benchCase, v server.Variant) (failures []error) {
	for _, k := range o.servers {
		if k == server.Bare && !c.bare || k == server.Proxied && c.twice || !k.Caddy() && v.AccessLogs {
			continue
		}
		values, err := runOn(ctx, o, tools, k, c, v)
		if err != nil {
			err = fmt.Errorf("%s on %s, %s: %w", c.name, k, v, err)
			log.Print(err)
			failures = append(failures, err)
		}
		for i, metric := range c.metrics {
			value := math.NaN()
			if err == nil {
				value = values[i]
			}
			if o.servers[0] != server.Ours || v != (server.Variant{}) {
				metric.Bars = nil // they are ours to pass, in plain runs
			}
			results.Add(metric, v.String(), string(k), value)
		}
	}
	return failures
}

// runOn runs one case on one server.
func runOn(ctx context.Context, o *options, tools *server.Tools, k server.Kind, c benchCase, v server.Variant) ([]float64, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, caseTimeout, errors.New("took too long"))
	defer cancel()
	s, err := tools.Start(ctx, k, v)
	if err != nil {
		return nil, err
	}
	defer s.Stop()
	m := &meter{Server: s}
	if o.profile != "" && k == server.Ours {
		m.file = filepath.Join(o.profile, c.name+"-"+v.String()+".pprof")
		m.length = o.sizes.window.Measure
	}
	values, err := c.run(ctx, load.Target{Addr: s.Addr, TLS: s.TLS, Bare: k == server.Bare}, m, o.sizes)
	return values, errors.Join(err, m.profiled())
}

// publish writes the files.
func publish(o *options, results *report.Results) error {
	if err := os.MkdirAll(o.results, 0o755); err != nil {
		return err
	}
	plot := func(w io.Writer) error {
		return results.WriteSVG(w, "Cost of the same work, as a multiple of Node's (less is better)", string(server.Node))
	}
	return errors.Join(
		writeFile(filepath.Join(o.results, resultsFile), results.WriteJSON),
		writeFile(filepath.Join(o.results, "results.svg"), plot))
}
