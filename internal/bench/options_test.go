package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/report"
	"github.com/caddy-socketio/caddy-socketio/internal/bench/server"
)

func TestOptions(t *testing.T) {
	o, err := parseOptions([]string{"-cases", "relay,idle", "-servers", "node,caddy-socketio", "-variants", "tls+logs,plain"})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(o.cases, []string{"idle", "relay"}) || !slices.Equal(o.servers, []server.Kind{server.Ours, server.Node}) {
		t.Errorf("the order of the tables: got %v, %v", o.cases, o.servers)
	}
	if len(o.variants) != 2 || o.variants[0] != (server.Variant{}) || o.variants[1].String() != "tls+logs" {
		t.Errorf("got %v", o.variants)
	}
	if o, err = parseOptions([]string{"-quick"}); err != nil || o.rounds != 1 || len(o.variants) != 1 || o.sizes.idle >= full.idle {
		t.Errorf("quick: got %+v, %v", o, err)
	}
	if o, err = parseOptions([]string{"-faults", "-cases", "flood"}); err != nil || !slices.Equal(o.cases, []string{"flood"}) {
		t.Errorf("faults: got %+v, %v", o, err)
	}
	o, err = parseOptions([]string{"-cluster", "-cases", "nodes-relay-2", "-adapters", "all"})
	if err != nil || !slices.Equal(o.cases, []string{"nodes-relay-2"}) || !slices.Equal(o.adapters, server.Adapters) ||
		!slices.Equal(o.servers, []server.Kind{server.Ours, server.Node}) {
		t.Errorf("cluster: got %+v, %v", o, err)
	}
	o, err = parseOptions([]string{"-soak", "-for", "30s"})
	if err != nil || !o.soak || o.duration != 30*time.Second || !slices.Equal(o.servers, []server.Kind{server.Ours}) {
		t.Errorf("soak: got %+v, %v", o, err)
	}
}

func TestWrongOptionsAreNamed(t *testing.T) {
	for _, args := range [][]string{{"-cases", "nothing"}, {"-servers", "nothing"}, {"-variants", "nothing"},
		{"-faults", "-cases", "nothing"}, {"-cluster", "-cases", "nothing"}, {"-cluster", "-adapters", "nothing"}} {
		if _, err := parseOptions(args); err == nil || !strings.Contains(err.Error(), `"nothing"`) {
			t.Errorf("%v: got %v", args, err)
		}
	}
	if _, err := parseOptions([]string{"-soak", "-for", "0s"}); err == nil {
		t.Error("a soak of no time is accepted")
	}
	for _, rounds := range []string{"0", "101"} {
		if _, err := parseOptions([]string{"-rounds", rounds}); err == nil {
			t.Errorf("%s rounds are accepted", rounds)
		}
	}
}

func TestCasesAreDistinctAndMeasureSomething(t *testing.T) {
	names := slices.Concat(caseNames(), faultNames(), clusterCaseNames())
	for _, c := range cases {
		if len(c.metrics) == 0 || c.run == nil {
			t.Errorf("%s measures nothing", c.name)
		}
	}
	slices.Sort(names)
	if len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("the same name twice: %v", names)
	}
}

func TestPublishWritesJSONAndPlot(t *testing.T) {
	o := &options{results: filepath.Join(t.TempDir(), "results")}
	r := &report.Results{Servers: []string{string(server.Ours), string(server.Node)}}
	for _, s := range r.Servers {
		r.Add(cases[0].metrics[0], "plain", s, 1)
	}
	if err := publish(o, r); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"results.json": `"memory"`, "results.svg": "Memory per idle websocket"} {
		text, err := os.ReadFile(filepath.Join(o.results, name))
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %v, %.100s", name, err, text)
		}
	}
}
