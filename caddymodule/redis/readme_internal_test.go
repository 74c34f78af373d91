package redis

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// keyOf is that of the options of a directive.
func keyOf(t *testing.T, directive string) string {
	t.Helper()
	d := caddyfile.NewTestDispenser(directive)
	r := new(Cluster)
	if err := r.UnmarshalCaddyfile(d); err != nil {
		t.Fatalf("%s: %v", directive, err)
	}
	o, err := r.build()
	if err != nil {
		t.Fatalf("%s: %v", directive, err)
	}
	return o.key()
}

func TestREADMEHasEveryOptionAndItsDefault(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "\n## Redis cluster\n")
	_, table, _ = strings.Cut(table, "\n|---|---|---|\n")
	if table, _, _ = strings.Cut(table, "\n\n"); !found {
		t.Fatal("the README has no such table")
	}
	const minimal = "redis redis://localhost"
	absent := []string{"url", "user", "password", "sentinel_user", "sentinel_password", "tls", "stream", "publish_on_specific_response_channel"}
	word := regexp.MustCompile("`<?([a-z_]+)[^`]*`")
	var documented, have []string
	for line := range strings.Lines(table + "\n") {
		cells := strings.Split(line, "|")
		if !strings.HasPrefix(line, "| `") || len(cells) < 5 {
			continue
		}
		defaults := strings.Split(strings.ReplaceAll(cells[2], "`", ""), ", ")
		for i, match := range word.FindAllStringSubmatch(strings.ReplaceAll(cells[1], `\|`, ""), -1) {
			name := match[1]
			documented = append(documented, name)
			if slices.Contains(absent, name) {
				continue
			}
			block := minimal + " {\n" + name + " " + strings.TrimSpace(defaults[i]) + "\n}"
			if keyOf(t, block) != keyOf(t, minimal) {
				t.Errorf("%s is not the default", block)
			}
		}
	}
	for field := range reflect.TypeFor[Cluster]().Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
			have = append(have, name)
		}
	}
	slices.Sort(documented)
	slices.Sort(have)
	if !slices.Equal(documented, have) {
		t.Errorf("documented are %v, there are %v", documented, have)
	}
}
