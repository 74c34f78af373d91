package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
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

// clusterFile is where the results are kept.
const clusterFile = "cluster.json"

// measureClusters runs the rounds on clusters of ours and of Node, in turn, and
// writes JSON and table. Adapters take the place of variants.
func measureClusters(ctx context.Context, o *options, tools *server.Tools) error {
	results, err := start(ctx, o, tools, clusterFile)
	if err != nil {
		return err
	}
	var failures []error
	for round := range o.rounds {
		for _, adapter := range o.adapters {
			for _, c := range clusterCases {
				if !slices.Contains(o.cases, c.name) {
					continue
				}
				log.Printf("round %d of %d: %s, %s", round+1, o.rounds, c.name, adapter)
				failures = append(failures, measureCluster(ctx, o, tools, results, c, adapter)...)
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
			}
		}
	}
	if err := os.MkdirAll(o.results, 0o755); err != nil {
		return err
	}
	err = writeFile(filepath.Join(o.results, clusterFile), results.WriteJSON)
	return errors.Join(err, results.WriteTable(os.Stdout), errors.Join(failures...))
}

// start gives the results that this run adds its rounds to: those of the file, if
// that is asked for, or new ones.
func start(ctx context.Context, o *options, tools *server.Tools, name string) (*report.Results, error) {
	results, err := earlier(o, name)
	if err != nil || results != nil {
		return results, err
	}
	results = &report.Results{Environment: environment(ctx, tools)}
	for _, k := range o.servers {
		results.Servers = append(results.Servers, string(k))
	}
	return results, nil
}

// earlier are the results of a file, nil for none.
func earlier(o *options, name string) (*report.Results, error) {
	if !o.more {
		return nil, nil
	}
	file, err := os.Open(filepath.Join(o.results, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return report.Read(file)
}

// measureCluster runs one case on one cluster after another.
func measureCluster(ctx context.Context, o *options, tools *server.Tools, results *report.Results, c clusterCase, adapter string) (failures []error) {
	for _, k := range o.servers {
		values, err := runOnCluster(ctx, o, tools, k, c, adapter)
		if err != nil {
			err = fmt.Errorf("%s on %s, %s: %w", c.name, k, adapter, err)
			log.Print(err)
			failures = append(failures, err)
		}
		for i, metric := range c.metrics {
			value := math.NaN()
			if err == nil {
				value = values[i]
			}
			results.Add(metric, adapter, string(k), value)
		}
	}
	return failures
}

// runOnCluster runs one case on one cluster.
func runOnCluster(ctx context.Context, o *options, tools *server.Tools, k server.Kind, c clusterCase, adapter string) ([]float64, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, caseTimeout, errors.New("took too long"))
	defer cancel()
	cluster, err := tools.StartCluster(ctx, k, adapter, c.nodes)
	if err != nil {
		return nil, err
	}
	defer cluster.Stop()
	t := load.Target{Addr: cluster.Nodes[0].Addr}
	for _, n := range cluster.Nodes[1:] {
		t.Further = append(t.Further, n.Addr)
	}
	m := &clusterMeter{cluster: cluster}
	if o.profile != "" && k == server.Ours {
		m.profiler.Server = cluster.Nodes[o.node%c.nodes]
		m.profiler.file = filepath.Join(o.profile, fmt.Sprintf("%s-%s-%d.pprof", c.name, adapter, o.node%c.nodes))
		m.profiler.length = o.sizes.window.Measure
	}
	values, err := c.run(ctx, t, m, o.sizes)
	return values, errors.Join(err, m.profiler.profiled())
}

// clusterMeter reads all nodes of a cluster, and keeps the first and the last
// reading of each. It belongs to one goroutine.
type clusterMeter struct {
	cluster     *server.Cluster
	profiler    meter // of one node, if it has a file's name
	first, last server.Spent
	read        bool
}

// CPU is the processor time of all nodes so far.
func (m *clusterMeter) CPU() (time.Duration, error) {
	m.profiler.begin()
	s, err := m.cluster.Spent()
	if m.last = s; !m.read {
		m.first, m.read = s, true
	}
	return sum(s.Nodes), err
}

// spent is what was spent between the first reading and the last.
func (m *clusterMeter) spent() server.Spent { return m.last.Since(m.first) }

func sum(all []time.Duration) (total time.Duration) {
	for _, d := range all {
		total += d
	}
	return total
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
