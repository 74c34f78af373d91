package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The README's figures are those of the last run.
func TestReadmeHasTheFigures(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	want, err := withFigures(string(text), "results")
	if err != nil {
		t.Fatal(err)
	}
	if want != string(text) {
		t.Error("the README's figures are not those of results/: go run ./internal/bench -figures -readme README.md")
	}
}

func TestFiguresComeFromTheFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("results.json", `{"environment": {"go": "go1", "caddy": "v2 h1:abc="}, "servers": ["caddy-socketio", "node"], "rows": [
		{"name": "ping", "title": "Ping", "unit": "µs", "variant": "plain", "bars": {"node": 0.5},
			"samples": {"caddy-socketio": [6, null], "node": [10, 10]}, "medians": {"caddy-socketio": 6, "node": 10}, "ratios": {"node": 0.6}},
		{"name": "ping", "title": "Ping", "unit": "µs", "variant": "tls",
			"samples": {"caddy-socketio": [9]}, "medians": {"caddy-socketio": 9}, "ratios": {}}]}`)
	write("faults.json", `[{"fault": "f", "title": "Mischief", "server": "caddy-socketio", "values": [{"name": "left", "number": 0}]},
		{"fault": "f", "title": "Mischief", "server": "node", "error": "died"}]`)
	write("cluster.json", `{"environment": {"go": "go1"}, "servers": ["caddy-socketio", "node"], "rows": [
		{"name": "relay", "title": "Relay", "unit": "µs", "variant": "streams", "bars": {"node": 0.6},
			"samples": {"caddy-socketio": [4, 6]}, "medians": {"caddy-socketio": 5, "node": 10}, "ratios": {"node": 0.5}},
		{"name": "relay", "title": "Relay", "unit": "µs", "variant": "pubsub", "bars": {"node": 0.6},
			"samples": {"caddy-socketio": [7]}, "medians": {"caddy-socketio": 7, "node": 10}, "ratios": {"node": 0.7}}]}`)
	write("soak.json", `[{"seconds": 60, "reloads": 11, "Clients": 7, "Delivered": 5, "Latencies": {"polling": {"p50_ms": 1, "p99_ms": 2.25}}},
		{"seconds": 60, "abuse": true, "Attacks": {"guess": 2, "flood": 1}, "Lost": 3}]`)
	text := "a\n"
	for _, s := range sections {
		text += s.begin() + "stale\n" + s.end() + "z\n"
	}
	got, err := withFigures(text, dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"a\n" + sections[0].begin() + "Medians of 2 rounds", "caddy v2, go go1.",
		"| Ping, µs | 6.00 | 10.0 | **0.60** (≤ 0.5) |", "| Ping, µs | 6.00 | 9.00 (× 1.50) |",
		"| Mischief | left | 0 | – | – |\n" + sections[0].end() + "z\n",
		"Medians of 2 rounds of streams, one round of pubsub;", "| Relay, µs | 5.00 | 0.50 (≤ 0.6) | 7.00 | **0.70** (≤ 0.6) |",
		"| | without abuse | with abuse |", "| time, reloads, attacks | 60 s, 11, 0 | 60 s, 0, 3 |", "| acks over polling: p50, p99 | 1.00 ms, 2.2 ms | 0.00 ms, 0.0 ms |",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	if strings.Contains(got, "stale") {
		t.Error("the old figures have stayed")
	}
	if _, err := withFigures("nothing", dir); !errors.Is(err, errNoFigures) {
		t.Errorf("without the lines: got %v", err)
	}
	write("results.json", `{`)
	if _, err := withFigures(text, dir); err == nil {
		t.Error("a broken file is no error")
	}
}
