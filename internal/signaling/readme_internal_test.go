package signaling

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// wire is what all tests of this package have seen.
var wire = record{codes: map[string]map[string]bool{}, shapes: map[string]*shape{}}

// record collects the fields of events and answers, and the codes of errors. All
// methods may be called concurrently.
type record struct {
	// readme is what it is compared with.
	readme string

	mu     sync.Mutex
	codes  map[string]map[string]bool // by event of a client
	shapes map[string]*shape          // by event, "ack " + event, or the name of an object
}

// shape is how often objects of a kind were seen, and each of their fields.
type shape struct {
	times  int
	large  int
	fields map[string]int
}

// error takes note of how an event was refused.
func (r *record) error(event string, err error) {
	var e *Error
	if !errors.As(err, &e) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.codes[event] == nil {
		r.codes[event] = map[string]bool{}
	}
	r.codes[event][e.Code] = true
}

// enough is how many large objects of a kind are looked into: a crowd is sent
// thousands that are alike.
const enough, large = 200, 8 << 10

// sent takes note of an event or an answer, and of the objects in it.
func (r *record) sent(name string, raw []byte) {
	if len(raw) > large && r.many(name) {
		return
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) != nil {
		return // the sender is told already
	}
	r.mu.Lock()
	s := r.shape(name)
	s.times++
	for field := range object {
		s.fields[field]++
	}
	r.mu.Unlock()
	for field, kind := range map[string]string{
		"self": "a peer", "peer": "a peer", "peers": "a peer", "joined": "a peer",
		"lock": "a lock", "locks": "a lock", "iceServers": "an ICE server",
	} {
		var many []json.RawMessage
		switch value := object[field]; {
		case len(value) == 0:
		case value[0] == '{':
			r.sent(kind, value)
		case json.Unmarshal(value, &many) == nil:
			for _, one := range many[:min(len(many), 3)] { // the rest of a large room is alike
				r.sent(kind, one)
			}
		}
	}
}

// many counts a large object and reports whether enough were seen.
func (r *record) many(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.shape(name)
	s.large++
	return s.large > enough
}

// shape must be called with mu held.
func (r *record) shape(name string) *shape {
	s := r.shapes[name]
	if s == nil {
		s = &shape{fields: map[string]int{}}
		r.shapes[name] = s
	}
	return s
}

// String is the shape as the README writes it, with the fields in order.
func (s *shape) String() string {
	var fields []string
	for field, times := range s.fields {
		if field == "ok" {
			continue
		}
		if times < s.times {
			field += "?"
		}
		fields = append(fields, field)
	}
	slices.Sort(fields)
	return strings.Join(fields, ", ")
}

// Codes that any event can be refused with, and events that are not this
// package's: the end-to-end tests of the README hold those.
var (
	general   = []string{CodeInvalidPayload, CodeUnknownEvent, CodeUnavailable, CodeInternal}
	elsewhere = []string{"ping", "renew", "pong", "exception", "token-expiring"}
)

// TestTheREADMEListsTheEvents compares the fields that the README says with those
// that the handlers read. What goes out is compared when all tests have run.
func TestTheREADMEListsTheEvents(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	accepted := acceptedFields(t)
	wire.readme = string(text)
	for _, row := range rows(wire.readme, "from the client") {
		for _, event := range row.names {
			want := strings.ReplaceAll(row.fields(1), "?", "")
			if got := accepted[event]; got != want && !slices.Contains(elsewhere, event) {
				t.Errorf("%s: the README has %q, the code %q", event, want, got)
			}
			delete(accepted, event)
		}
	}
	if len(accepted) > 0 {
		t.Errorf("the README lacks %v", accepted)
	}
}

// compare returns what the README says and the tests have not seen, or otherwise.
func (r *record) compare() (faults []string) {
	want, got := map[string]string{}, map[string]string{}
	for _, row := range rows(r.readme, "from the client") {
		for _, event := range row.names {
			want["answer to "+event] = row.fields(2)
			want["errors of "+event] = row.words(3)
		}
	}
	for _, row := range slices.Concat(rows(r.readme, "from the server"), rows(r.readme, "in them")) {
		for _, name := range row.names {
			want["fields of "+name] = row.fields(1)
		}
	}
	for _, event := range Events() {
		got["answer to "+event] = r.shape("ack " + event).String()
		got["errors of "+event] = r.errors(event)
	}
	for name, s := range r.shapes {
		if !strings.HasPrefix(name, "ack ") {
			got["fields of "+name] = s.String()
		}
	}
	for _, name := range elsewhere {
		for _, what := range []string{"answer to ", "errors of ", "fields of "} {
			delete(want, what+name)
		}
	}
	for _, what := range union(want, got) {
		if want[what] != got[what] {
			faults = append(faults, fmt.Sprintf("%s: it says %q, the tests have seen %q", what, want[what], got[what]))
		}
	}
	return faults
}

func union(a, b map[string]string) (keys []string) {
	for _, m := range []map[string]string{a, b} {
		for key := range m {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

func (r *record) errors(event string) string {
	var codes []string
	for code := range r.codes[event] {
		if !slices.Contains(general, code) {
			codes = append(codes, code)
		}
	}
	slices.Sort(codes)
	return strings.Join(codes, ", ")
}

// row is a row of a table; names are those in its first cell.
type row struct {
	names []string
	cells []string
}

var code = regexp.MustCompile("`([^`]+)`")

// rows are those of the table whose first heading is this.
func rows(text, heading string) (found []row) {
	_, table, _ := strings.Cut(text, "\n| "+heading+" |")
	table, _, _ = strings.Cut(table, "\n\n")
	for _, line := range strings.Split(table, "\n")[2:] {
		r := row{cells: strings.Split(strings.Trim(line, "|"), "|")}
		for _, name := range code.FindAllStringSubmatch(r.cells[0], -1) {
			r.names = append(r.names, name[1])
		}
		if r.names == nil {
			r.names = []string{strings.TrimSpace(r.cells[0])}
		}
		found = append(found, r)
	}
	return found
}

// fields are those of the cell's object; of two forms, "{…} or {…}", those that
// are not in both may be missing.
func (r *row) fields(cell int) string {
	forms := regexp.MustCompile("`\\{([^`]*)\\}`( or `\\{([^`]*)\\}`)?").FindStringSubmatch(r.cells[cell])
	if forms == nil {
		return ""
	}
	first := strings.Split(forms[1], ", ")
	if forms[3] != "" {
		second := strings.Split(forms[3], ", ")
		for _, field := range second {
			if !slices.Contains(first, field) {
				first = append(first, field+"?")
			}
		}
		for i, field := range first {
			if !slices.Contains(second, field) && !strings.HasSuffix(field, "?") {
				first[i] += "?"
			}
		}
	}
	slices.Sort(first)
	return strings.Join(first, ", ")
}

// words are the codes of a cell. What is in brackets explains them.
func (r *row) words(cell int) string {
	var words []string
	text := regexp.MustCompile(`\([^)]*\)`).ReplaceAllString(r.cells[cell], "")
	for _, word := range code.FindAllStringSubmatch(text, -1) {
		words = append(words, word[1])
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}

// acceptedFields finds the fields that each event's method reads, in the source:
// those of its first call of parse, in it or in what stands right behind it.
func acceptedFields(t *testing.T) map[string]string {
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	source := ""
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		source += string(text)
	}
	accepted := map[string]string{}
	for _, event := range Events() {
		method := event
		if first, second, found := strings.Cut(event, "-"); found {
			method = first + strings.ToUpper(second[:1]) + second[1:]
		}
		_, body, _ := strings.Cut(source, "func (c *Client) "+method+"(")
		_, call, _ := strings.Cut(body, "parse(raw, ")
		arguments, _, _ := strings.Cut(call, ")")
		fields := strings.Split(strings.ReplaceAll(arguments, `"`, ""), ", ")
		slices.Sort(fields)
		accepted[event] = strings.Join(fields, ", ")
	}
	return accepted
}
