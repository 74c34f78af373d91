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
	got, err := withFigures("a\n"+figuresBegin+"stale\n"+figuresEnd+"z\n", dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"a\n" + figuresBegin + "Medians of 2 rounds", "caddy v2, go go1.",
		"| Ping, µs | 6.00 | 10.0 | **0.60** (≤ 0.5) |", "| Ping, µs | 6.00 | 9.00 (× 1.50) |",
		"| Mischief | left | 0 | – | – |\n" + figuresEnd + "z\n",
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
	if _, err := withFigures(figuresBegin+figuresEnd, dir); err == nil {
		t.Error("a broken file is no error")
	}
}
