package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// WriteTable writes the medians of all servers, the ratios of the first to the
// others, and whether they keep to their bars.
func (r *Results) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "metric\tvariant\tunit")
	for _, server := range r.Servers {
		fmt.Fprintf(t, "\t%s", server)
	}
	for _, server := range r.Servers[1:] {
		fmt.Fprintf(t, "\t/ %s", server)
	}
	fmt.Fprintln(t, "\tbars")
	for _, row := range r.Rows {
		fmt.Fprintf(t, "%s\t%s\t%s", row.Name, row.Variant, row.Unit)
		for _, server := range r.Servers {
			fmt.Fprintf(t, "\t%s", number(row.Medians, server))
		}
		for _, server := range r.Servers[1:] {
			fmt.Fprintf(t, "\t%s", number(row.Ratios, server))
		}
		fmt.Fprintf(t, "\t%s\n", row.verdict())
	}
	return t.Flush()
}

// verdict compares the ratios with the bars.
func (r *Row) verdict() string {
	var b []string
	for _, server := range slices.Sorted(maps.Keys(r.Bars)) {
		ratio, ok := r.Ratios[server]
		if !ok {
			continue
		}
		word := "reached"
		if ratio > r.Bars[server] {
			word = "missed"
		}
		b = append(b, fmt.Sprintf("%s ≤ %.2g %s", server, r.Bars[server], word))
	}
	return strings.Join(b, ", ")
}

// number is a value with three significant digits, or a dash.
func number(values map[string]float64, server string) string {
	v, ok := values[server]
	switch {
	case !ok:
		return "–"
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
