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
)

// What stands between these lines of the README is written by this program.
const (
	figuresBegin = "<!-- figures: ./xcaddy.sh bench -readme README.md writes what follows -->\n"
	figuresEnd   = "<!-- end of figures -->\n"
)

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
	before, rest, begun := strings.Cut(text, figuresBegin)
	_, after, ended := strings.Cut(rest, figuresEnd)
	if !begun || !ended {
		return "", errNoFigures
	}
	var b strings.Builder
	if err := figures(&b, results); err != nil {
		return "", err
	}
	return before + figuresBegin + b.String() + figuresEnd + after, nil
}

// figures are the tables of what was measured: a file that is not there is left out.
func figures(b *strings.Builder, dir string) error {
	var measured report.Results
	switch found, err := readJSON(filepath.Join(dir, "results.json"), &measured); {
	case err != nil:
		return err
	case found && len(measured.Servers) > 0:
		rounds := "One round"
		if n := measured.Rounds(); n > 1 {
			rounds = fmt.Sprintf("Medians of %d rounds", n)
		}
		fmt.Fprintf(b, "%s; ratios are medians of the rounds' ratios, in brackets what they are meant to keep to,\n"+
			"and bold where they do not. %s.\n\n",
			rounds, machine(measured.Environment))
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
