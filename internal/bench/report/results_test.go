package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
)

func TestMedian(t *testing.T) {
	nan := math.NaN()
	for _, tc := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 3, 2}, 2.5}, {[]float64{nan, 7, nan}, 7},
	} {
		before := append([]float64(nil), tc.values...)
		if got := Median(tc.values); got != tc.want {
			t.Errorf("%v: got %v, want %v", tc.values, got, tc.want)
		}
		for i := range before {
			if before[i] != tc.values[i] && !math.IsNaN(before[i]) {
				t.Errorf("%v was reordered to %v", before, tc.values)
			}
		}
	}
	if got := Median([]float64{nan}); !math.IsNaN(got) {
		t.Errorf("of none: got %v", got)
	}
}

// example has three rounds, of which the second was disturbed as a whole and in
// the third the proxied server has failed.
func example() *Results {
	r := &Results{Servers: []string{"ours", "node", "proxied"}, Environment: map[string]string{"go": "1"}}
	m := Metric{Name: "ping", Title: "Ping <1,000>", Unit: "µs", Bars: map[string]float64{"node": 0.7, "proxied": 0.2}}
	for _, round := range [][3]float64{{6, 10, 24}, {30, 50, 120}, {8, 10, math.NaN()}} {
		for i, server := range r.Servers {
			r.Add(m, "plain", server, round[i])
		}
	}
	r.Add(m, "tls", "ours", 12)
	return r
}

func TestRatiosAreOfEqualRounds(t *testing.T) {
	row := example().Row("ping", "plain")
	if row.Medians["ours"] != 8 || row.Medians["node"] != 10 || row.Medians["proxied"] != 72 {
		t.Errorf("medians: %v", row.Medians)
	}
	// 8/10 would be the ratio of the medians; round by round it is 0.6, 0.6, 0.8.
	if row.Ratios["node"] != 0.6 || row.Ratios["proxied"] != 0.25 {
		t.Errorf("ratios: %v", row.Ratios)
	}
	if _, ok := row.Ratios["ours"]; ok {
		t.Error("a ratio to itself")
	}
}

func TestTableTellsWhatIsReached(t *testing.T) {
	var b strings.Builder
	if err := example().WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\n")
	if !strings.Contains(lines[1], "node ≤ 0.7 reached, proxied ≤ 0.2 missed") {
		t.Errorf("got %q", lines[1])
	}
	if strings.Contains(lines[2], "reached") || !strings.Contains(lines[2], "–") {
		t.Errorf("bars are for plain runs, and what is missing is a dash: %q", lines[2])
	}
}

func TestJSONHasFailedSamplesAsNull(t *testing.T) {
	var b bytes.Buffer
	if err := example().WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Rows []struct {
			Name    string
			Samples map[string][]*float64
			Ratios  map[string]float64
		}
	}
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	samples := got.Rows[0].Samples["proxied"]
	if len(samples) != 3 || *samples[1] != 120 || samples[2] != nil || got.Rows[0].Ratios["node"] != 0.6 {
		t.Fatalf("got %s", b.Bytes())
	}
}

func TestRoundsAreAddedToEarlierResults(t *testing.T) {
	var b bytes.Buffer
	if err := example().WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	r, err := Read(&b)
	if err != nil {
		t.Fatal(err)
	}
	m := r.Row("ping", "plain").Metric
	r.Add(m, "plain", "ours", 4)
	r.Add(m, "plain", "proxied", 2)
	row := r.Row("ping", "plain")
	if row.Medians["ours"] != 7 || row.Ratios["proxied"] != 0.25 || len(row.Samples["proxied"]) != 4 {
		t.Fatalf("got %+v", row)
	}
	if _, err := Read(strings.NewReader("{")); err == nil {
		t.Fatal("half a file is read")
	}
}

func TestPlotIsWellFormedAndComplete(t *testing.T) {
	var b bytes.Buffer
	if err := example().WriteSVG(&b, "a & b", "node"); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	if strings.Count(text, "<rect") != 6 || !strings.Contains(text, "prefers-color-scheme:dark") {
		t.Errorf("want 3 bars and 3 of the legend: %s", text)
	}
	for d := xml.NewDecoder(&b); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestPlotScale(t *testing.T) {
	rows := []*Row{{Medians: map[string]float64{"ours": 1, "node": 2, "proxied": 20}}}
	s := newScale(rows, "node")
	if !(plotLeft < s.at(0.5) && s.at(0.5) < s.at(1) && s.at(1) < s.at(10) && s.at(10) < plotWidth-plotRight) {
		t.Fatalf("bars at %v, %v, %v", s.at(0.5), s.at(1), s.at(10))
	}
}
