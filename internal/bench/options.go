package main

import (
	"flag"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/faults"
	"github.com/caddy-socketio/caddy-socketio/internal/bench/server"
)

// options are the command line.
type options struct {
	rounds   int
	cases    []string
	servers  []server.Kind
	variants []server.Variant
	sizes    sizes
	caddy    string
	nodeDir  string
	results  string
	profile  string
	readme   string
	figures  bool
	faults   bool
	soak     bool
	cluster  bool
	adapters []string
	more     bool // rounds are added to earlier ones
	node     int  // which node of a cluster is profiled
	duration time.Duration
}

// parseOptions reads the command line; unknown names are errors that list the
// known ones.
func parseOptions(args []string) (*options, error) {
	o := &options{sizes: full}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.IntVar(&o.rounds, "rounds", 5, "how often each case is measured on each server")
	names := f.String("cases", "all", "which cases, by comma: "+strings.Join(caseNames(), ","))
	servers := f.String("servers", "all", "which servers, by comma: "+fmt.Sprint(server.Kinds))
	variants := f.String("variants", "all", "plain, tls, logs or tls+logs, by comma")
	quickly := f.Bool("quick", false, "smaller numbers, one round and only plain, for a first look")
	f.StringVar(&o.caddy, "caddy", "", "a Caddy binary with the socketio handler (default: build one)")
	folder := f.String("dir", filepath.Join("internal", "bench"), "the folder of node/ and results/")
	f.BoolVar(&o.faults, "faults", false, "put misbehaving clients on the servers instead; -cases are then: "+strings.Join(faultNames(), ","))
	f.BoolVar(&o.soak, "soak", false, "keep Caddy under mixed load with reloads instead, first without and then with abuse")
	f.BoolVar(&o.cluster, "cluster", false, "measure clusters around a redis-server instead; -cases are then: "+strings.Join(clusterCaseNames(), ","))
	adapters := f.String("adapters", "streams", "with -cluster: streams, pubsub or all")
	f.BoolVar(&o.more, "more", false, "add the rounds to those of the last run")
	f.IntVar(&o.node, "node", 0, "with -cluster and -profile: which node, from 0")
	f.DurationVar(&o.duration, "for", 10*time.Minute, "how long each of the two soaks lasts")
	f.StringVar(&o.readme, "readme", "", "a README whose performance section gets the figures")
	f.BoolVar(&o.figures, "figures", false, "measure nothing, only write -readme from results/")
	f.StringVar(&o.profile, "profile", "", "a folder for CPU profiles of Caddy, one for each case")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	root, err := filepath.Abs(*folder)
	if err != nil {
		return nil, err
	}
	o.nodeDir, o.results = filepath.Join(root, "node"), filepath.Join(root, "results")
	// Quick overrides what would make it slow, whatever else was asked for.
	if *quickly {
		o.rounds, o.sizes, *variants = 1, quick, "plain"
	}
	known := caseNames()
	if o.faults {
		known = faultNames()
	}
	if o.cluster {
		known = clusterCaseNames()
	}
	if o.adapters, err = choose("adapter", *adapters, server.Adapters); err != nil {
		return nil, err
	}
	if o.cases, err = choose("case", *names, known); err != nil {
		return nil, err
	}
	if o.soak {
		*servers = string(server.Ours)
	}
	if o.cluster && *servers == "all" {
		*servers = string(server.Ours) + "," + string(server.Node)
	}
	if o.duration < time.Second {
		return nil, fmt.Errorf("-for is a second or more, not %v", o.duration)
	}
	if o.servers, err = choose("server", *servers, server.Kinds); err != nil {
		return nil, err
	}
	o.variants, err = chooseVariants(*variants)
	if o.rounds < 1 || o.rounds > 100 {
		return nil, fmt.Errorf("-rounds is from 1 to 100, not %d", o.rounds)
	}
	return o, err
}

// caseNames are in the order of the table.
func caseNames() []string {
	var names []string
	for _, c := range cases {
		names = append(names, c.name)
	}
	return names
}

// clusterCaseNames are in the order of the table.
func clusterCaseNames() []string {
	var names []string
	for _, c := range clusterCases {
		names = append(names, c.name)
	}
	return names
}

// faultNames are in the order of the report.
func faultNames() []string {
	var names []string
	for _, f := range faults.All {
		names = append(names, f.Name)
	}
	return names
}

// choose picks from what there is, and keeps its order.
func choose[T ~string](what, list string, from []T) ([]T, error) {
	if list == "all" {
		return from, nil
	}
	chosen := map[T]bool{}
	for name := range strings.SplitSeq(list, ",") {
		if !slices.Contains(from, T(name)) {
			return nil, fmt.Errorf("no %s %q; there are %v", what, name, from)
		}
		chosen[T(name)] = true
	}
	return slices.DeleteFunc(slices.Clone(from), func(v T) bool { return !chosen[v] }), nil
}

// chooseVariants picks variants by their names in tables.
func chooseVariants(list string) ([]server.Variant, error) {
	all := []server.Variant{{}, {AccessLogs: true}, {TLS: true}, {TLS: true, AccessLogs: true}}
	var names []string
	for _, v := range all {
		names = append(names, v.String())
	}
	chosen, err := choose("variant", list, names)
	return slices.DeleteFunc(all, func(v server.Variant) bool { return !slices.Contains(chosen, v.String()) }), err
}
