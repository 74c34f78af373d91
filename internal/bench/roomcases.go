package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/load"
	"github.com/caddy-socketio/caddy-socketio/internal/bench/report"
)

// cases are all cases, in the order of the table.
var cases = slices.Concat(serverCases, roomCases,
	[]benchCase{presenceCase(125), presenceCase(250), presenceCase(500), presenceCase(1000), presenceCase(2000)})

// roomCases are the work of the signaling gateway.
var roomCases = []benchCase{
	{name: "rooms-relay", metrics: []report.Metric{
		{Name: "rooms-relay", Title: "CPU per 1 KB candidate, 1,000 rooms of 4", Unit: "µs", Bars: bars(0.7, 0.35)},
	}, run: func(ctx context.Context, t load.Target, m load.MemoryMeter, z sizes) ([]float64, error) {
		c, err := load.Relay(ctx, t, m, z.window, z.rooms, 4)
		return []float64{c.MicrosPerOp()}, err
	}},
	{name: "hall-relay", metrics: []report.Metric{
		{Name: "hall-relay", Title: "CPU per 1 KB candidate, one room of 1,000", Unit: "µs", Bars: bars(0.7, 0.35)},
	}, run: func(ctx context.Context, t load.Target, m load.MemoryMeter, z sizes) ([]float64, error) {
		c, err := load.Relay(ctx, t, m, z.window, 1, z.hall)
		return []float64{c.MicrosPerOp()}, err
	}},
	{name: "rooms-churn", metrics: []report.Metric{
		{Name: "rooms-churn", Title: "CPU per join or leave, 1,000 rooms of 4", Unit: "µs"},
	}, run: func(ctx context.Context, t load.Target, m load.MemoryMeter, z sizes) ([]float64, error) {
		c, err := load.Churn(ctx, t, m, z.window, z.rooms, 4)
		return []float64{c.MicrosPerOp()}, err
	}},
}

// churnRate is how many joins and leaves a second a large room has.
const churnRate = 100

// presenceCase is one room of that many members, told of joins and leaves in
// batches. Over several sizes it shows how cost grows with them.
func presenceCase(members int) benchCase {
	name := fmt.Sprint("presence-", members)
	return benchCase{name: name, metrics: []report.Metric{
		{Name: name, Title: fmt.Sprintf("CPU at %d joins and leaves/s, one room of %d", churnRate, members), Unit: "ms/s"},
		{Name: name + "-messages", Title: fmt.Sprintf("Messages to each member of %d", members), Unit: "/s"},
	}, run: func(ctx context.Context, t load.Target, m load.MemoryMeter, z sizes) ([]float64, error) {
		w := z.window
		w.Measure = max(w.Measure, 4*time.Second) // two batches
		r, err := load.Presence(ctx, t, m, w, members, churnRate)
		return []float64{float64(r.Cost.CPU.Milliseconds()) / r.Cost.Wall.Seconds(), r.MessagesPerMember}, err
	}}
}
