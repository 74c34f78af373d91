package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/report"
	"github.com/caddy-socketio/caddy-socketio/internal/bench/soak"
)

// section is a part of the README that this program writes, from the files of a
// folder of results: a file that is not there is left out.
type section struct {
	name  string
	write func(b *strings.Builder, dir string) error
}

var sections = []section{{"servers", serverFigures}, {"cluster", clusterFigures}, {"soak", soakFigures}}

// begin and end are the lines between which a section stands.
func (s section) begin() string {
	return "<!-- figures of " + s.name + ": ./xcaddy.sh bench -figures -readme README.md writes what follows -->\n"
}

func (s section) end() string { return "<!-- end of figures of " + s.name + " -->\n" }

var errNoFigures = errors.New("it has no lines between which the figures go")

// writeReadme puts the figures of the results' files into a README.
func writeReadme(path, results string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	now, err := withFigures(string(text), results)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, []byte(now), 0o644)
}

// withFigures is a README's text with the figures of the results' files.
func withFigures(text, results string) (string, error) {
	for _, s := range sections {
		before, rest, begun := strings.Cut(text, s.begin())
		_, after, ended := strings.Cut(rest, s.end())
		if !begun || !ended {
			return "", fmt.Errorf("%s: %w", s.name, errNoFigures)
		}
		var b strings.Builder
		if err := s.write(&b, results); err != nil {
			return "", err
		}
		text = before + s.begin() + b.String() + s.end() + after
	}
	return text, nil
}

// serverFigures compare this server with others, and show what misbehaving clients do.
func serverFigures(b *strings.Builder, dir string) error {
	var measured report.Results
	switch found, err := readJSON(filepath.Join(dir, "results.json"), &measured); {
	case err != nil:
		return err
	case found && len(measured.Servers) > 0:
		heading(b, rounds(measured.Rounds("plain")), measured.Environment)
		if err := measured.WriteMarkdown(b); err != nil {
			return err
		}
	}
	var faults []finding
	found, err := readJSON(filepath.Join(dir, "faults.json"), &faults)
	if err != nil || !found {
		return err
	}
	b.WriteString("\n| clients that misbehave | what is seen | this module | Node | Caddy → Node |\n|---|---|---|---|---|\n")
	writeFaults(b, faults)
	return nil
}

// clusterFigures compare clusters with those of Node.
func clusterFigures(b *strings.Builder, dir string) error {
	var measured report.Results
	found, err := readJSON(filepath.Join(dir, clusterFile), &measured)
	if err != nil || !found {
		return err
	}
	var counts []string
	adapters := measured.Variants()
	for _, adapter := range adapters {
		counts = append(counts, rounds(measured.Rounds(adapter))+" of "+adapter)
	}
	heading(b, strings.Join(counts, ", "), measured.Environment)
	return measured.WriteVariants(b, adapters)
}

// soakFigures show a soak without and with abuse.
func soakFigures(b *strings.Builder, dir string) error {
	var reports []*soak.Report
	found, err := readJSON(filepath.Join(dir, soakFile), &reports)
	if err != nil || !found {
		return err
	}
	return soak.WriteMarkdown(b, reports)
}

func rounds(n int) string {
	if n == 1 {
		return "one round"
	}
	return fmt.Sprintf("medians of %d rounds", n)
}

// heading says how the figures below it have come about.
func heading(b *strings.Builder, counts string, env map[string]string) {
	fmt.Fprintf(b, "%s; ratios are medians of the rounds' ratios, in brackets what they are meant to keep to,\n"+
		"and bold where they do not. %s.\n\n", strings.ToUpper(counts[:1])+counts[1:], machine(env))
}

// readJSON reports whether the file is there.
func readJSON(path string, into any) (found bool, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		err = fmt.Errorf("reading %s: %w", path, err)
	}
	return true, err
}

// machine names the environment in a line.
func machine(env map[string]string) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(env)) {
		value, _, _ := strings.Cut(env[key], " h1:") // Caddy's version has a checksum
		parts = append(parts, key+" "+value)
	}
	return strings.Join(parts, ", ")
}

// writeFaults writes a line for each number of each fault, with the servers side
// by side. A server that failed has no numbers.
func writeFaults(b *strings.Builder, faults []finding) {
	type key struct{ title, name string }
	var order []key
	cells := map[key]map[string]string{}
	for _, f := range faults {
		for _, v := range f.Values {
			k := key{f.Title, v.Name}
			if cells[k] == nil {
				cells[k] = map[string]string{}
				order = append(order, k)
			}
			cells[k][string(f.Server)] = strings.TrimSpace(fmt.Sprintf("%.4g %s", v.Number, v.Unit))
		}
	}
	last := ""
	for _, k := range order {
		title := k.title
		if title == last {
			title = ""
		}
		last = k.title
		fmt.Fprintf(b, "| %s | %s |", title, k.name)
		for _, server := range []string{"caddy-socketio", "node", "caddy-node"} {
			cell, ok := cells[k][server]
			if !ok {
				cell = "–"
			}
			fmt.Fprintf(b, " %s |", cell)
		}
		b.WriteByte('\n')
	}
}
