package main

import (
	"context"
	"time"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/load"
	"github.com/caddy-socketio/caddy-socketio/internal/bench/report"
	"github.com/caddy-socketio/caddy-socketio/internal/bench/server"
)

// benchCase is one kind of work that is put on every server.
type benchCase struct {
	name string
	// variants says that it is also run over TLS and with access logs.
	variants bool
	// bare says that the server without Socket.IO can do it.
	bare bool
	// twice says that a proxy, which holds two connections for each client,
	// would run out of files.
	twice bool
	// metrics are what run returns, in order.
	metrics []report.Metric
	run     func(ctx context.Context, t load.Target, m load.MemoryMeter, z sizes) ([]float64, error)
}

// sizes are the numbers of a run.
type sizes struct {
	window             load.Window
	idle, idleMany     int // sockets
	few, many, growth  int // sockets that ping
	pairs, rooms, hall int
	pollers            int
	rate               int // pings a second, for latencies
	relayRate          int // relays a second
	broadcastRate      int // broadcasts a second
}

// full is the sizes of the published figures, quick those of a first look.
var (
	full = sizes{window: load.Window{Warm: time.Second, Measure: 2 * time.Second},
		idle: 5000, idleMany: 15_000, few: 100, many: 1000, growth: 10_000,
		pairs: 500, rooms: 1000, hall: 1000, pollers: 50, rate: 5000, relayRate: 2000, broadcastRate: 20}
	quick = sizes{window: load.Window{Warm: 500 * time.Millisecond, Measure: time.Second},
		idle: 1000, idleMany: 3000, few: 100, many: 500, growth: 3000,
		pairs: 200, rooms: 100, hall: 300, pollers: 20, rate: 2000, relayRate: 1000, broadcastRate: 20}
)

// bars are the ratios that ours is meant to keep to, against the two Node servers.
func bars(node, proxied float64) map[string]float64 {
	return map[string]float64{string(server.Node): node, string(server.Proxied): proxied}
}

// serverCases are what every real-time server does.
var serverCases = []benchCase{
	{name: "idle", variants: true, bare: true, metrics: []report.Metric{
		{Name: "memory", Title: "Memory per idle websocket", Unit: "KB", Bars: bars(0.85, 0.15)},
		{Name: "connect", Title: "CPU per connect", Unit: "µs", Bars: bars(0.6, 0.25)},
	}, run: func(ctx context.Context, t load.Target, m load.MemoryMeter, z sizes) ([]float64, error) {
		r, err := load.Connections(ctx, t, m, z.idle)
		return []float64{r.BytesPerSocket / 1024, r.Connect.MicrosPerOp()}, err
	}},
	{name: "ping-100", variants: true, bare: true, metrics: []report.Metric{
		{Name: "ping-100", Title: "CPU per ping with ack, 100 sockets", Unit: "µs"},
	}, run: func(ctx context.Context, t load.Target, m load.MemoryMeter, z sizes) ([]float64, error) {
		c, err := load.Ping(ctx, t, m, z.window, z.few)
		return []float64{c.MicrosPerOp()}, err
	}},
	{name: "ping-1000", variants: true, bare: true, metrics: []report.Metric{
		{Name: "ping-1000", Title: "CPU per ping with ack, 1,000 sockets", Unit: "µs", Bars: bars(0.7, 0.35)},
	}, run: func(ctx context.Context, t load.Target, m load.MemoryMeter, z sizes) ([]float64, error) {
		c, err := load.Ping(ctx, t, m, z.window, z.many)
		return []float64{c.MicrosPerOp()}, err
	}},
	{name: "relay", variants: true, bare: true, metrics: []report.Metric{
		{Name: "relay", Title: "CPU per 1 KB candidate between pairs", Unit: "µs", Bars: bars(0.7, 0.35)},
	}, run: func(ctx context.Context, t load.Target, m load.MemoryMeter, z sizes) ([]float64, error) {
		c, err := load.Relay(ctx, t, m, z.window, z.pairs, 2)
		return []float64{c.MicrosPerOp()}, err
	}},
	{name: "broadcast", variants: true, bare: true, metrics: []report.Metric{
		{Name: "broadcast", Title: "CPU per delivery of 200 B to 1,000", Unit: "µs", Bars: bars(0.65, 0.25)},
	}, run: func(ctx context.Context, t load.Target, m load.MemoryMeter, z sizes) ([]float64, error) {
		c, err := load.Broadcast(ctx, t, m, z.window, z.hall)
		return []float64{c.MicrosPerOp()}, err
	}},
	{name: "polling", variants: true, metrics: []report.Metric{
		{Name: "polling", Title: "CPU per long-polling exchange", Unit: "µs", Bars: bars(1.1, 0.2)},
	}, run: func(ctx context.Context, t load.Target, m load.MemoryMeter, z sizes) ([]float64, error) {
		c, err := load.Polling(ctx, t, m, z.window, z.pollers)
		return []float64{c.MicrosPerOp()}, err
	}},
	{name: "latency", bare: true, metrics: []report.Metric{
		{Name: "p50", Title: "Median latency at 5,000 pings/s", Unit: "ms"},
		{Name: "p99", Title: "99th percentile at 5,000 pings/s", Unit: "ms", Bars: bars(1, 0.5)},
	}, run: func(ctx context.Context, t load.Target, m load.MemoryMeter, z sizes) ([]float64, error) {
		r, err := load.Latency(ctx, t, m, z.window, z.many, z.rate)
		return []float64{millis(r.P50), millis(r.P99)}, err
	}},
	{name: "growth", twice: true, bare: true, metrics: []report.Metric{
		{Name: "ping-10000", Title: "CPU per ping with ack, 10,000 sockets", Unit: "µs"},
	}, run: func(ctx context.Context, t load.Target, m load.MemoryMeter, z sizes) ([]float64, error) {
		c, err := load.Ping(ctx, t, m, z.window, z.growth)
		return []float64{c.MicrosPerOp()}, err
	}},
	{name: "idle-15000", twice: true, bare: true, metrics: []report.Metric{
		{Name: "memory-15000", Title: "Memory per idle websocket, 15,000", Unit: "KB"},
	}, run: func(ctx context.Context, t load.Target, m load.MemoryMeter, z sizes) ([]float64, error) {
		r, err := load.Connections(ctx, t, m, z.idleMany)
		return []float64{r.BytesPerSocket / 1024}, err
	}},
}

// millis keeps three decimals: latencies on loopback are fractions of a millisecond.
func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
