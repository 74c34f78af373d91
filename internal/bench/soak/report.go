package soak

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// Latency is how long acks took from when their events were due, in milliseconds.
type Latency struct {
	Acks  int     `json:"acks"`
	P50   float64 `json:"p50_ms"`
	P99   float64 `json:"p99_ms"`
	Worst float64 `json:"worst_ms"`
}

// Report is what a soak has shown.
type Report struct {
	Seconds float64 `json:"seconds"`
	Abuse   bool    `json:"abuse"`
	Reloads int64   `json:"reloads"`

	Clients, Visits int64 // well-behaved ones
	// Sent are their events. Delivered, lost, doubled and disordered are
	// counted at each receiver; refused are error answers, dropped are clients.
	Sent, Delivered, Lost, Unanswered, Doubled, Disordered, Refused, Dropped int64
	// Retries are requests and dials that a change of listeners broke.
	Retries int64
	// Latencies are by the way of connecting.
	Latencies map[string]Latency
	// Attacks are how often each was carried out.
	Attacks  map[string]int64 `json:",omitempty"`
	Problems []string         `json:",omitempty"`

	// Before and After are with no client left, Samples in between.
	Before, After State
	Samples       []State
}

func (s *stage) report(before, after State) *Report {
	t := s.tally
	return &Report{
		Seconds: s.plan.For.Seconds(), Abuse: s.plan.Abuse, Reloads: s.reloads.Load(),
		Clients: t.clients.Load(), Visits: t.visits.Load(), Sent: t.sent.Load(), Delivered: t.delivered.Load(),
		Lost: t.lost.Load(), Unanswered: t.unanswered.Load(), Doubled: t.doubled.Load(), Disordered: t.wrong.Load(),
		Refused: t.refused.Load(), Dropped: t.dropped.Load(), Retries: t.retries.Load(),
		Latencies: t.percentiles(), Attacks: s.attacks.by, Problems: t.problems,
		Before: before, After: after, Samples: s.samples,
	}
}

// Bounds of what may differ from before to after, and between the quarters of a
// run: a runtime's own goroutines come and go, and a heap is never twice the same.
const (
	spareGoroutines = 10
	spareFiles      = 4
	spareHeapMB     = 4
)

// Check says what is wrong with the outcome.
func (r *Report) Check() error {
	var errs []error
	wrong := func(is bool, format string, args ...any) {
		if is {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	for what, n := range map[string]int64{"lost": r.Lost, "unanswered": r.Unanswered, "doubled": r.Doubled,
		"disordered": r.Disordered, "refused": r.Refused, "dropped": r.Dropped} {
		wrong(n != 0, "%d %s", n, what)
	}
	wrong(r.Sent == 0, "nothing was sent")
	a, b := r.After, r.Before
	wrong(a.Sessions+a.Sockets+a.Rooms > 0, "left: %d sessions, %d sockets, %d rooms", a.Sessions, a.Sockets, a.Rooms)
	wrong(a.Goroutines > b.Goroutines+spareGoroutines, "%d goroutines have become %d", b.Goroutines, a.Goroutines)
	wrong(a.Files > b.Files+spareFiles, "%d files have become %d", b.Files, a.Files)
	wrong(a.HeapMB > b.HeapMB+spareHeapMB, "a heap of %.1f MB has become %.1f", b.HeapMB, a.HeapMB)
	first, last := r.quarters()
	wrong(last.HeapMB > first.HeapMB*1.25+spareHeapMB, "the heap grew from %.1f MB to %.1f", first.HeapMB, last.HeapMB)
	wrong(last.Goroutines > first.Goroutines*5/4+spareGoroutines, "goroutines grew from %d to %d", first.Goroutines, last.Goroutines)
	return errors.Join(errs...)
}

// quarters are the means of the second and the last quarter of the samples: in
// the first, those who attack are still on their way in.
func (r *Report) quarters() (second, last State) {
	n := len(r.Samples) / 4
	return mean(r.Samples[n : 2*n]), mean(r.Samples[len(r.Samples)-n:])
}

func mean(samples []State) (m State) {
	for _, s := range samples {
		m.Goroutines += s.Goroutines
		m.HeapMB += s.HeapMB
	}
	m.Goroutines /= max(len(samples), 1)
	m.HeapMB /= float64(max(len(samples), 1))
	return m
}

// Write writes the report for people.
func (r *Report) Write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	title := "without abuse"
	if r.Abuse {
		title = "with abuse"
	}
	fmt.Fprintf(t, "%.0f s %s, %d reloads\n", r.Seconds, title, r.Reloads)
	fmt.Fprintf(t, "  well-behaved clients\t%d\tin %d visits and the rooms that stay; %d requests or dials repeated\n",
		r.Clients, r.Visits, r.Retries)
	fmt.Fprintf(t, "  events\t%d sent\t%d delivered, %d lost, %d unanswered, %d doubled, %d out of order, %d refused, %d clients dropped\n",
		r.Sent, r.Delivered, r.Lost, r.Unanswered, r.Doubled, r.Disordered, r.Refused, r.Dropped)
	for _, how := range slices.Sorted(maps.Keys(r.Latencies)) {
		l := r.Latencies[how]
		fmt.Fprintf(t, "  acks over %s\tp50 %.2f ms\tp99 %.2f ms, worst %.0f ms, of %d\n", how, l.P50, l.P99, l.Worst, l.Acks)
	}
	second, last := r.quarters()
	fmt.Fprintf(t, "  goroutines\t%d to %d\t%d in the second quarter, %d in the last\n",
		r.Before.Goroutines, r.After.Goroutines, second.Goroutines, last.Goroutines)
	fmt.Fprintf(t, "  heap\t%.1f to %.1f MB\t%.1f MB in the second quarter, %.1f in the last\n",
		r.Before.HeapMB, r.After.HeapMB, second.HeapMB, last.HeapMB)
	fmt.Fprintf(t, "  left\t%d sessions\t%d sockets, %d rooms, %d files more than before\n",
		r.After.Sessions, r.After.Sockets, r.After.Rooms, r.After.Files-r.Before.Files)
	for _, name := range slices.Sorted(maps.Keys(r.Attacks)) {
		fmt.Fprintf(t, "  attack\t%d\t%s\n", r.Attacks[name], name)
	}
	if len(r.Problems) > 0 {
		fmt.Fprintf(t, "  problems\t\t%s\n", strings.Join(r.Problems, "; "))
	}
	return t.Flush()
}
