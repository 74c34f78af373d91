package soak

import (
	"bytes"
	"strings"
	"testing"
)

func good() *Report {
	steady := State{Goroutines: 400, HeapMB: 9}
	return &Report{Seconds: 600, Abuse: true, Sent: 10, Delivered: 30,
		Latencies: map[string]Latency{overPolling: {Acks: 10, P50: 1, P99: 7}}, Attacks: map[string]int64{"guesses": 3},
		Before: State{Goroutines: 12, HeapMB: 4, Files: 20}, After: State{Goroutines: 13, HeapMB: 5, Files: 20},
		Samples: []State{{Goroutines: 20, HeapMB: 4}, steady, steady, steady}}
}

func TestCheckNamesWhatIsWrong(t *testing.T) {
	if err := good().Check(); err != nil {
		t.Fatal(err)
	}
	for want, spoil := range map[string]func(*Report){
		"2 lost":                      func(r *Report) { r.Lost = 2 },
		"1 unanswered":                func(r *Report) { r.Unanswered = 1 },
		"1 doubled":                   func(r *Report) { r.Doubled = 1 },
		"1 disordered":                func(r *Report) { r.Disordered = 1 },
		"1 refused":                   func(r *Report) { r.Refused = 1 },
		"1 dropped":                   func(r *Report) { r.Dropped = 1 },
		"nothing was sent":            func(r *Report) { r.Sent = 0 },
		"left: 0 sessions, 1 sockets": func(r *Report) { r.After.Sockets = 1 },
		"12 goroutines have become":   func(r *Report) { r.After.Goroutines = 40 },
		"20 files have become":        func(r *Report) { r.After.Files = 40 },
		"has become 20.0":             func(r *Report) { r.After.HeapMB = 20 },
		"the heap grew":               func(r *Report) { r.Samples[3].HeapMB = 90 },
		"goroutines grew":             func(r *Report) { r.Samples[3].Goroutines = 900 },
	} {
		r := good()
		spoil(r)
		if err := r.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
}

func TestReportForPeople(t *testing.T) {
	var text bytes.Buffer
	if err := good().Write(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"600 s with abuse", "30 delivered, 0 lost", "p99 7.00 ms", "12 to 13", "400 in the last", "guesses"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, &text)
		}
	}
}

func TestRevisionsDiffer(t *testing.T) {
	if Site(1) == Site(2) || !strings.Contains(Site(0), "exempt 127.0.0.1/32") {
		t.Fatal(Site(0))
	}
}
