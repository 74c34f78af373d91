package report

import (
	"fmt"
	"html"
	"io"
	"math"
	"strings"
)

// Sizes of the plot, in its own units.
const (
	plotWidth   = 860
	plotLeft    = 300 // where bars begin
	plotRight   = 90  // kept free for the numbers behind the bars
	barHeight   = 13
	barGap      = 2
	groupGap    = 16
	headHeight  = 84
	labelOffset = 10
)

// style makes the plot legible on light and dark pages: it has no background,
// bars of middling lightness, and text that follows the reader's preference.
const style = `<style>
text{font:13px system-ui,sans-serif;fill:#24292f}
.title{font-weight:600;font-size:15px}.small{font-size:11px}.unit{stroke:#8c959f;stroke-dasharray:3 3}
.s0{fill:#1f8fd6}.s1{fill:#5a9e3e}.s2{fill:#c9822b}.s3{fill:#8c8f94}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}}
</style>
`

// WriteSVG writes a plot of the plain rows: for each metric one bar a server, as
// a multiple of the reference server. The scale is logarithmic below and above 1,
// since servers differ by more than ten times.
func (r *Results) WriteSVG(w io.Writer, title, reference string) error {
	var rows []*Row
	for _, row := range r.Rows {
		if row.Variant == "plain" && row.Medians[reference] > 0 {
			rows = append(rows, row)
		}
	}
	// Heights follow from the number of rows, so that the plot needs no layout.
	scale := newScale(rows, reference)
	group := len(r.Servers)*(barHeight+barGap) + groupGap
	height := headHeight + len(rows)*group + 10
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="%s">`+"\n%s",
		plotWidth, height, html.EscapeString(title), style)
	fmt.Fprintf(&b, `<text class="title" x="10" y="22">%s</text>`+"\n", html.EscapeString(title))
	r.legend(&b)
	x := scale.at(1)
	fmt.Fprintf(&b, `<line class="unit" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/>`+"\n", x, headHeight-12, x, height-6)
	fmt.Fprintf(&b, `<text class="small" text-anchor="middle" x="%.1f" y="%d">%s = 1</text>`+"\n", x, headHeight-16, html.EscapeString(reference))
	for i, row := range rows {
		r.group(&b, row, reference, scale, headHeight+i*group)
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// legend names the servers' colours.
func (r *Results) legend(b *strings.Builder) {
	for i, server := range r.Servers {
		x := 10 + i*150
		fmt.Fprintf(b, `<rect class="s%d" x="%d" y="36" width="11" height="11" rx="2"/>`, i%4, x)
		fmt.Fprintf(b, `<text x="%d" y="46">%s</text>`+"\n", x+16, html.EscapeString(server))
	}
}

// group draws the bars of one metric.
func (r *Results) group(b *strings.Builder, row *Row, reference string, s scale, y int) {
	bars := len(r.Servers) * (barHeight + barGap)
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n",
		plotLeft-labelOffset, y+bars/2+4, html.EscapeString(row.Title))
	for i, server := range r.Servers {
		median, ok := row.Medians[server]
		if !ok {
			continue
		}
		top := y + i*(barHeight+barGap)
		end := s.at(median / row.Medians[reference])
		fmt.Fprintf(b, `<rect class="s%d" x="%d" y="%d" width="%.1f" height="%d" rx="2"/>`,
			i%4, plotLeft, top, end-plotLeft, barHeight)
		fmt.Fprintf(b, `<text class="small" x="%.1f" y="%d">%s %s</text>`+"\n",
			end+5, top+barHeight-3, number(row.Medians, server), html.EscapeString(row.Unit))
	}
}

// scale maps ratios to x, by their logarithm.
type scale struct{ low, high float64 }

// newScale covers all bars, the shortest of which is still visible.
func newScale(rows []*Row, reference string) scale {
	low, high := 1.0, 1.0
	for _, row := range rows {
		for _, median := range row.Medians {
			if ratio := median / row.Medians[reference]; ratio > 0 {
				low, high = min(low, ratio), max(high, ratio)
			}
		}
	}
	return scale{math.Log(low / 2), math.Log(high * 1.01)}
}

// at is where the bar of a ratio ends.
func (s scale) at(ratio float64) float64 {
	part := (math.Log(max(ratio, math.Exp(s.low))) - s.low) / (s.high - s.low)
	return plotLeft + part*(plotWidth-plotLeft-plotRight)
}
