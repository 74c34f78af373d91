package soak

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// WriteMarkdown writes the outcomes side by side.
func WriteMarkdown(w io.Writer, reports []*Report) error {
	var b strings.Builder
	line := func(title string, cell func(*Report) string) {
		b.WriteString("| " + title)
		if title != "" {
			b.WriteByte(' ')
		}
		b.WriteByte('|')
		for _, r := range reports {
			fmt.Fprintf(&b, " %s |", cell(r))
		}
		b.WriteByte('\n')
	}
	line("", func(r *Report) string {
		if r.Abuse {
			return "with abuse"
		}
		return "without abuse"
	})
	b.WriteString("|---|" + strings.Repeat("---|", len(reports)) + "\n")
	line("time, reloads, attacks", func(r *Report) string {
		var attacks int64
		for _, n := range r.Attacks {
			attacks += n
		}
		return fmt.Sprintf("%.0f s, %d, %d", r.Seconds, r.Reloads, attacks)
	})
	line("messages delivered; lost, doubled, out of order, unanswered", func(r *Report) string {
		return fmt.Sprintf("%d; %d, %d, %d, %d", r.Delivered, r.Lost, r.Doubled, r.Disordered, r.Unanswered)
	})
	line("well-behaved clients; dropped, refused", func(r *Report) string {
		return fmt.Sprintf("%d; %d, %d", r.Clients, r.Dropped, r.Refused)
	})
	for _, how := range slices.Sorted(maps.Keys(reports[0].Latencies)) {
		line("acks over "+how+": p50, p99", func(r *Report) string {
			return fmt.Sprintf("%.2f ms, %.1f ms", r.Latencies[how].P50, r.Latencies[how].P99)
		})
	}
	line("goroutines before, second quarter, last quarter, after", func(r *Report) string {
		second, last := r.quarters()
		return fmt.Sprintf("%d, %d, %d, %d", r.Before.Goroutines, second.Goroutines, last.Goroutines, r.After.Goroutines)
	})
	line("heap likewise, MB", func(r *Report) string {
		second, last := r.quarters()
		return fmt.Sprintf("%.1f, %.1f, %.1f, %.1f", r.Before.HeapMB, second.HeapMB, last.HeapMB, r.After.HeapMB)
	})
	line("sessions, sockets, rooms left", func(r *Report) string {
		return fmt.Sprintf("%d, %d, %d", r.After.Sessions, r.After.Sockets, r.After.Rooms)
	})
	_, err := io.WriteString(w, b.String())
	return err
}
