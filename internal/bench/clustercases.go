package main

import (
	"context"
	"fmt"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/load"
	"github.com/caddy-socketio/caddy-socketio/internal/bench/report"
	"github.com/caddy-socketio/caddy-socketio/internal/bench/server"
)

// clusterCase is one kind of work that is put on a cluster. Its figures are those
// of all nodes together.
type clusterCase struct {
	name  string
	nodes int
	// metrics are what run returns, in order.
	metrics []report.Metric
	run     func(ctx context.Context, t load.Target, m *clusterMeter, z sizes) ([]float64, error)
}

// clusterBars are those of the CPU and of latencies, against a cluster of Node.
var clusterBars = map[string]float64{string(server.Node): 0.6}
var latencyBars = map[string]float64{string(server.Node): 1}

// clusterCases are all cases of a cluster, in the order of the table.
var clusterCases = []clusterCase{
	relayNodes(2), relayNodes(4), relayNodes(8),
	{name: "nodes-broadcast", nodes: 2, metrics: []report.Metric{
		{Name: "nodes-broadcast", Title: "CPU per delivery of 200 B to 1,000 on two nodes", Unit: "µs", Bars: clusterBars},
		{Name: "nodes-broadcast-redis", Title: "CPU of Redis per broadcast", Unit: "µs"},
	}, run: func(ctx context.Context, t load.Target, m *clusterMeter, z sizes) ([]float64, error) {
		c, err := load.Broadcast(ctx, t, m, z.window, z.hall)
		broadcasts := float64(c.Ops) / float64(z.hall)
		return []float64{c.MicrosPerOp(), micros(m.spent().Redis) / broadcasts}, err
	}},
	{name: "nodes-latency", nodes: 2, metrics: []report.Metric{
		{Name: "nodes-p50", Title: "Median latency at 2,000 relays/s between two nodes", Unit: "ms"},
		{Name: "nodes-p99", Title: "99th percentile at 2,000 relays/s between two nodes", Unit: "ms", Bars: latencyBars},
	}, run: func(ctx context.Context, t load.Target, m *clusterMeter, z sizes) ([]float64, error) {
		r, err := load.RelayLatency(ctx, t, m, z.window, z.pairs, z.relayRate)
		return []float64{millis(r.P50), millis(r.P99)}, err
	}},
	{name: "nodes-broadcast-latency", nodes: 2, metrics: []report.Metric{
		{Name: "nodes-broadcast-p50", Title: "Median latency of 20 broadcasts/s to 1,000 on two nodes", Unit: "ms"},
		{Name: "nodes-broadcast-p99", Title: "99th percentile of 20 broadcasts/s to 1,000 on two nodes", Unit: "ms", Bars: latencyBars},
	}, run: func(ctx context.Context, t load.Target, m *clusterMeter, z sizes) ([]float64, error) {
		r, err := load.BroadcastLatency(ctx, t, m, z.window, z.hall, z.broadcastRate)
		return []float64{millis(r.P50), millis(r.P99)}, err
	}},
}

// relayNodes relays between two nodes, while the others of the cluster have
// nothing to do with it.
func relayNodes(nodes int) clusterCase {
	name := fmt.Sprintf("nodes-relay-%d", nodes)
	metrics := []report.Metric{
		{Name: name, Title: fmt.Sprintf("CPU per 1 KB candidate to another node, of %d nodes", nodes), Unit: "µs", Bars: clusterBars},
		{Name: name + "-redis", Title: fmt.Sprintf("CPU of Redis per candidate, %d nodes", nodes), Unit: "µs"},
	}
	if nodes > 2 {
		metrics = append(metrics, report.Metric{Name: name + "-other",
			Title: fmt.Sprintf("CPU per candidate of each node that it does not concern, of %d", nodes), Unit: "µs", Bars: clusterBars})
	}
	return clusterCase{name: name, nodes: nodes, metrics: metrics,
		run: func(ctx context.Context, t load.Target, m *clusterMeter, z sizes) ([]float64, error) {
			t.Further = t.Further[:1]
			c, err := load.Relay(ctx, t, m, z.window, z.pairs, 2)
			spent, relays := m.spent(), float64(c.Ops)
			values := []float64{c.MicrosPerOp(), micros(spent.Redis) / relays}
			if nodes > 2 {
				values = append(values, micros(sum(spent.Nodes[2:]))/relays/float64(nodes-2))
			}
			return values, err
		}}
}
