package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// names are the servers' names for readers, where they differ.
var names = map[string]string{
	"caddy-socketio": "**this module**", "node": "Node", "caddy-node": "Caddy → Node", "bare-go": "bare Go",
}

func display(server string) string {
	if name, ok := names[server]; ok {
		return name
	}
	return server
}

// WriteMarkdown writes the medians and ratios as tables: the plain runs with their
// bars, then what the first server's variants cost as multiples of its plain runs.
func (r *Results) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	r.plainTable(&b)
	r.variantTable(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

// Rounds is the most samples that a row of a variant has.
func (r *Results) Rounds(variant string) (n int) {
	for _, row := range r.Rows {
		if row.Variant == variant {
			n = max(n, len(row.Samples[r.Servers[0]]))
		}
	}
	return n
}

// Variants are those of the rows, in their order.
func (r *Results) Variants() (all []string) {
	for _, row := range r.Rows {
		if !slices.Contains(all, row.Variant) {
			all = append(all, row.Variant)
		}
	}
	return all
}

// WriteVariants writes the first server's medians in the variants side by side,
// each with the ratio to the second server.
func (r *Results) WriteVariants(w io.Writer, variants []string) error {
	var b strings.Builder
	ours, other := r.Servers[0], r.Servers[1]
	b.WriteString("| |")
	for _, v := range variants {
		fmt.Fprintf(&b, " %s | to %s |", v, display(other))
	}
	fmt.Fprintf(&b, "\n|---|%s\n", strings.Repeat("---|", 2*len(variants)))
	var written []string
	for _, one := range r.Rows {
		if slices.Contains(written, one.Name) {
			continue
		}
		written = append(written, one.Name)
		fmt.Fprintf(&b, "| %s, %s |", one.Title, one.Unit)
		for _, v := range variants {
			row := r.Row(one.Name, v)
			if row == nil {
				row = &Row{}
			}
			fmt.Fprintf(&b, " %s | %s |", number(row.Medians, ours), row.ratio(other))
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Results) plainTable(b *strings.Builder) {
	b.WriteString("| |")
	for _, server := range r.Servers {
		fmt.Fprintf(b, " %s |", display(server))
	}
	for _, server := range r.Servers[1:] {
		fmt.Fprintf(b, " to %s |", display(server))
	}
	fmt.Fprintf(b, "\n|---|%s\n", strings.Repeat("---|", 2*len(r.Servers)-1))
	for _, row := range r.Rows {
		if row.Variant != "plain" {
			continue
		}
		fmt.Fprintf(b, "| %s, %s |", row.Title, row.Unit)
		for _, server := range r.Servers {
			fmt.Fprintf(b, " %s |", number(row.Medians, server))
		}
		for _, server := range r.Servers[1:] {
			fmt.Fprintf(b, " %s |", row.ratio(server))
		}
		b.WriteByte('\n')
	}
}

// ratio is a ratio with its bar, and bold if it is over that.
func (r *Row) ratio(server string) string {
	text := number(r.Ratios, server)
	bar, ok := r.Bars[server]
	ratio, measured := r.Ratios[server]
	switch {
	case !ok || !measured:
		return text
	case ratio > bar:
		return fmt.Sprintf("**%s** (≤ %.2g)", text, bar)
	}
	return fmt.Sprintf("%s (≤ %.2g)", text, bar)
}

// variantTable has the metrics that were measured in more than one variant.
func (r *Results) variantTable(b *strings.Builder) {
	variants := slices.DeleteFunc(r.Variants(), func(v string) bool { return v == "plain" })
	if len(variants) == 0 {
		return
	}
	ours := r.Servers[0]
	fmt.Fprintf(b, "\n| %s | plain |", display(ours))
	for _, v := range variants {
		fmt.Fprintf(b, " %s |", v)
		if r.tells(v, "node") {
			fmt.Fprintf(b, " to Node, %s |", v)
		}
	}
	b.WriteString("\n|---|---|")
	for _, v := range variants {
		b.WriteString("---|")
		if r.tells(v, "node") {
			b.WriteString("---|")
		}
	}
	b.WriteByte('\n')
	for _, plain := range r.Rows {
		if plain.Variant != "plain" || r.Row(plain.Name, variants[0]) == nil {
			continue
		}
		fmt.Fprintf(b, "| %s, %s | %s |", plain.Title, plain.Unit, number(plain.Medians, ours))
		for _, v := range variants {
			r.variantCells(b, plain, v)
		}
		b.WriteByte('\n')
	}
}

// variantCells are the median of a variant, with what it is of the plain one, and
// the ratio to Node if Node was measured.
func (r *Results) variantCells(b *strings.Builder, plain *Row, variant string) {
	ours := r.Servers[0]
	row := r.Row(plain.Name, variant)
	if row == nil {
		row = &Row{}
	}
	fmt.Fprintf(b, " %s", number(row.Medians, ours))
	if now, before := row.Medians[ours], plain.Medians[ours]; now > 0 && before > 0 {
		fmt.Fprintf(b, " (× %.2f)", now/before)
	}
	b.WriteString(" |")
	if r.tells(variant, "node") {
		fmt.Fprintf(b, " %s |", number(row.Ratios, "node"))
	}
}

// tells reports whether a variant was measured on a server.
func (r *Results) tells(variant, server string) bool {
	return slices.ContainsFunc(r.Rows, func(row *Row) bool {
		_, ok := row.Medians[server]
		return row.Variant == variant && ok
	})
}
