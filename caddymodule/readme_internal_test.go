package caddymodule

import (
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-socketio/caddy-socketio/internal/incidents"
)

// row is a line of a table in the README: names of options, their defaults in
// the same order, and what they do.
type row struct{ names, defaults, effect []string }

var quoted = regexp.MustCompile("`([^`]*)`")

// table reads the table below a line of the README that begins so.
func table(t *testing.T, header string) []row {
	t.Helper()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "\n"+header)
	if !found {
		t.Fatalf("the README has no table %q", header)
	}
	var rows []row
	for line := range strings.Lines(rest[strings.Index(rest, "|---"):]) {
		if cells := strings.Split(line, "|"); len(cells) > 4 && !strings.HasPrefix(cells[1], "---") {
			rows = append(rows, row{
				quotes(cells[1]), strings.Split(strings.ReplaceAll(strings.TrimSpace(cells[2]), "`", ""), ", "), quotes(cells[3]),
			})
		} else if !strings.HasPrefix(line, "|") {
			break
		}
	}
	return rows
}

// quotes are the words that begin what stands in backquotes.
func quotes(cell string) []string {
	var words []string
	for _, match := range quoted.FindAllStringSubmatch(cell, -1) {
		words = append(words, strings.Fields(match[1])[0])
	}
	return words
}

// fields are the JSON names of a struct's exported fields.
func fields(v any) []string {
	var names []string
	for field := range reflect.TypeOf(v).Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// absent are the options that do nothing unless they are given.
var absent = []string{"session_cookie", "serve_client", "cors", "auth", "cluster", "limits", "namespace", "exempt"}

func sameNames(t *testing.T, what string, documented, have []string) {
	t.Helper()
	slices.Sort(documented)
	slices.Sort(have)
	if !slices.Equal(documented, have) {
		t.Errorf("%s: documented are %v, there are %v", what, documented, have)
	}
}

func TestREADMEHasEveryOptionAndItsDefault(t *testing.T) {
	example, err := os.ReadFile("../Caddyfile.example")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []struct {
		header, before, after string
		have                  []string
	}{
		{"| option | default | effect |", "socketio {\n", "\n}", fields(Handler{})},
		{"| in `limits` |", "socketio {\nlimits {\n", "\n}\n}", fields(Limits{})},
	} {
		var names []string
		for _, r := range table(t, part.header) {
			names = append(names, r.names...)
			for i, name := range r.names {
				// The script checks the example with a build that has no cluster module.
				if name != "cluster" && !regexp.MustCompile(`(?m)^#?\s+`+name+`\b`).Match(example) {
					t.Errorf("Caddyfile.example lacks %s", name)
				}
				if slices.Contains(absent, name) {
					continue
				}
				block := part.before + name + " " + r.defaults[i] + part.after
				if got, want := defaulted(t, block), defaulted(t, "socketio"); got != want {
					t.Errorf("%s is not the default: got %s, want %s", block, got, want)
				}
			}
		}
		// Repeated in a Caddyfile, a list in JSON.
		if i := slices.Index(part.have, "namespaces"); i >= 0 {
			part.have[i] = "namespace"
		}
		sameNames(t, part.header, names, part.have)
	}
}

// defaulted is the JSON of a directive's handler, defaults filled in.
func defaulted(t *testing.T, directive string) string {
	t.Helper()
	h := new(Handler)
	if err := h.UnmarshalCaddyfile(caddyfile.NewTestDispenser(directive)); err != nil {
		t.Fatalf("%s: %v", directive, err)
	}
	h.applyDefaults()
	text, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestREADMENamesEveryLimit(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, limit := range incidents.Limits() {
		if !strings.Contains(string(text), "`"+string(limit)+"`") {
			t.Errorf("the README lacks %s", limit)
		}
	}
}

func TestREADMENamesInnerOptions(t *testing.T) {
	example, err := os.ReadFile("../Caddyfile.example")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range table(t, "| option | default | effect |") {
		if r.names[0] == "cors" || r.names[0] == "session_cookie" {
			for _, name := range r.effect {
				if !regexp.MustCompile(`(?m)^#\t\t\t` + name + `\b`).Match(example) {
					t.Errorf("Caddyfile.example lacks %s %s", r.names[0], name)
				}
			}
		}
		switch r.names[0] {
		case "cors":
			sameNames(t, "cors", r.effect, fields(CORS{}))
		case "session_cookie": // whose name is its argument
			sameNames(t, "session_cookie", append(r.effect, "name"), fields(SessionCookie{}))
		}
	}
}

// The gateway's own tests make sure that this file's values are its defaults.
func TestREADMEHasTheGatewaysDefaults(t *testing.T) {
	text, err := os.ReadFile("webrtc/testdata/defaults.caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	var documented, have []string
	_, rest, _ := strings.Cut(string(text), "{\n")
	for line := range strings.Lines(rest) {
		if line = strings.TrimSpace(line); line != "}" {
			have = append(have, strings.Join(strings.Fields(line), " "))
		}
	}
	for _, r := range table(t, "### The `webrtc` gateway\n\n| option |") {
		for i, name := range r.names {
			if name != "stun" && name != "turn" {
				documented = append(documented, name+" "+r.defaults[i])
			}
		}
	}
	sameNames(t, "the webrtc gateway", documented, have)
}
