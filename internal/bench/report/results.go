// Package report turns the samples of the benchmark's rounds into medians and
// ratios, a table, JSON and a plot.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
)

// Sample is one measurement; NaN stands for one that failed, in JSON null.
type Sample float64

// MarshalJSON writes a number or null.
func (s Sample) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(s)) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(s))
}

// UnmarshalJSON reads a number or null.
func (s *Sample) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*s = Sample(math.NaN())
		return nil
	}
	return json.Unmarshal(text, (*float64)(s))
}

// Metric is a figure that is sampled once a round for each server. Less is better.
type Metric struct {
	// Name is its short name, such as "ping-1000".
	Name string `json:"name"`
	// Title tells people what it is.
	Title string `json:"title"`
	// Unit is the samples' unit, such as "µs".
	Unit string `json:"unit"`
	// Bars are the ratios to other servers that the first server is meant to
	// stay at or below, by server.
	Bars map[string]float64 `json:"bars,omitempty"`
}

// Row is one metric of all servers, in one variant.
type Row struct {
	Metric
	// Variant is how the servers were run: plain, tls, logs, tls+logs.
	Variant string `json:"variant"`
	// Samples are the rounds' values by server, in the order of the rounds.
	Samples map[string][]Sample `json:"samples"`
	// Medians are the samples' medians.
	Medians map[string]float64 `json:"medians"`
	// Ratios are, by server, the medians of the rounds' ratios of the first
	// server to it: what disturbs a whole round cancels out.
	Ratios map[string]float64 `json:"ratios"`
}

// Results is a whole run. It is not safe for concurrent use.
type Results struct {
	// Environment names versions and the machine.
	Environment map[string]string `json:"environment"`
	// Servers are in the order of the table; ratios are those of the first.
	Servers []string `json:"servers"`
	Rows    []*Row   `json:"rows"`
}

// Add adds a sample of one round. Every round adds one for each server, NaN if
// it has failed, so that equal places in the lists are the same round.
func (r *Results) Add(m Metric, variant, server string, value float64) {
	row := r.Row(m.Name, variant)
	if row == nil {
		row = &Row{Metric: m, Variant: variant, Samples: map[string][]Sample{}}
		r.Rows = append(r.Rows, row)
	}
	row.Samples[server] = append(row.Samples[server], Sample(value))
	row.summarize(r.Servers[0])
}

// Row finds a row, nil if there is none.
func (r *Results) Row(metric, variant string) *Row {
	i := slices.IndexFunc(r.Rows, func(row *Row) bool { return row.Name == metric && row.Variant == variant })
	if i < 0 {
		return nil
	}
	return r.Rows[i]
}

// summarize computes medians, and ratios over the rounds that both servers have.
func (r *Row) summarize(first string) {
	r.Medians, r.Ratios = map[string]float64{}, map[string]float64{}
	for server, samples := range r.Samples {
		var values, ratios []float64
		for i, sample := range samples {
			values = append(values, float64(sample))
			if i < len(r.Samples[first]) {
				ratios = append(ratios, float64(r.Samples[first][i]/sample))
			}
		}
		if m := Median(values); !math.IsNaN(m) {
			r.Medians[server] = m
		}
		if m := Median(ratios); server != first && !math.IsNaN(m) {
			r.Ratios[server] = m
		}
	}
}

// Median is the middle value, or the mean of the two in the middle. NaNs do not
// count; it is NaN of none.
func Median(values []float64) float64 {
	sorted := slices.DeleteFunc(slices.Sorted(slices.Values(values)), math.IsNaN)
	middle := len(sorted) / 2
	switch {
	case len(sorted) == 0:
		return math.NaN()
	case len(sorted)%2 == 1:
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// WriteJSON writes the results, indented.
func (r *Results) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("writing the results: %w", err)
	}
	return nil
}

// Read reads results that were written before, for more rounds to be added.
func Read(r io.Reader) (*Results, error) {
	results := new(Results)
	if err := json.NewDecoder(r).Decode(results); err != nil {
		return nil, fmt.Errorf("reading the results: %w", err)
	}
	return results, nil
}
