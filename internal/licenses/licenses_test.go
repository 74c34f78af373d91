package licenses_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite licenses.md")

// texts are what the licenses that may be linked say of themselves, in this order.
// A license that is none of these, as every copyleft one, fails the test.
var texts = []struct {
	name string
	text *regexp.Regexp
}{
	{"Apache-2.0", regexp.MustCompile(`Apache License\s+Version 2\.0`)},
	{"BSD-3-Clause", regexp.MustCompile(`(?s)Redistribution and use in source and binary.*(N|n)either the names?`)},
	{"BSD-2-Clause", regexp.MustCompile(`Redistribution and use in source and binary`)},
	{"MIT", regexp.MustCompile(`Permission is hereby granted, free of charge`)},
	{"ISC", regexp.MustCompile(`Permission to use, copy, modify,? and(/or)? distribute`)},
	{"CC0-1.0", regexp.MustCompile(`public domain with CC0 1\.0|CC0 1\.0 Universal`)},
}

// copyleft is what no license that is linked may say. Apache's own text has none
// of it, nor do the others.
var copyleft = regexp.MustCompile(`GNU (AFFERO |LESSER |LIBRARY )?GENERAL PUBLIC LICENSE|(?i:Mozilla Public License|Eclipse Public License|` +
	`Common Development and Distribution)`)

// module is a module whose packages are linked. own tells that our code uses it.
type module struct {
	path, dir string
	own       bool
}

// linked are the modules of the binary that the script builds, with its tags.
func linked(t *testing.T) []module {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-tags", "nobadger,nomysql,nopgx",
		"-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Dir}} {{.Indirect}}{{end}}{{end}}",
		"github.com/caddyserver/caddy/v2/cmd/caddy", "github.com/caddy-socketio/caddy-socketio/caddymodule/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var modules []module
	lines := strings.Fields(string(out))
	for ; len(lines) >= 3; lines = lines[3:] {
		modules = append(modules, module{lines[0], lines[1], lines[2] == "false"})
	}
	slices.SortFunc(modules, func(a, b module) int { return strings.Compare(a.path, b.path) })
	return slices.Compact(modules)
}

// license is the license of a module by the file in its folder.
func (m module) license() (string, error) {
	for _, pattern := range []string{"LICENSE*", "LICENCE*", "License*", "license*", "COPYING*"} {
		files, err := filepath.Glob(filepath.Join(m.dir, pattern))
		if err != nil {
			return "", err
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return "", err
			}
			if found := copyleft.Find(text); found != nil {
				return "", fmt.Errorf("%s has a %s", m.path, found)
			}
			if names := licensesOf(text); len(names) > 0 {
				return strings.Join(names, ", "), nil
			}
		}
	}
	return "", fmt.Errorf("%s has no license that may be linked", m.path)
}

// licensesOf are the licenses in a file, which may hold several for parts of a
// module.
func licensesOf(text []byte) (names []string) {
	for _, known := range texts {
		// The shorter BSD license is a part of the longer.
		if known.text.Match(text) && !(known.name == "BSD-2-Clause" && slices.Contains(names, "BSD-3-Clause")) {
			names = append(names, known.name)
		}
	}
	return names
}

func TestLicensesAreListedAndNoneIsCopyleft(t *testing.T) {
	var own, others strings.Builder
	for _, m := range linked(t) {
		license, err := m.license()
		if err != nil {
			t.Error(err)
			continue
		}
		part := &others
		if m.own {
			part = &own
		}
		fmt.Fprintf(part, "| %s | %s |\n", m.path, license)
	}
	const head = "| module | license |\n|---|---|\n"
	want := "# Licenses of what is linked\n\nWritten by `go test ./internal/licenses -update`, and checked by it without.\n\n" +
		"## Used by this module\n\n" + head + own.String() + "\n## Used by Caddy and by these\n\n" + head + others.String()
	if *update {
		if err := os.WriteFile("licenses.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile("licenses.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("licenses.md is not what is linked; run go test ./internal/licenses -update\n%s", want)
	}
}

func TestCopyleftIsSeen(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]string{
		"GNU GENERAL PUBLIC LICENSE\nVersion 3": "has a GNU GENERAL PUBLIC LICENSE",
		"Mozilla Public License Version 2.0":    "has a Mozilla Public License",
		"All rights reserved.":                  "has no license that may be linked",
	} {
		if err := os.WriteFile(filepath.Join(dir, "LICENSE"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := (module{path: "example.com/x", dir: dir}).license(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
