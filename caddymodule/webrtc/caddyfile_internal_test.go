package webrtc

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-socketio/caddy-socketio/internal/signaling"
)

func parse(text string) (*Gateway, error) {
	tokens, err := caddyfile.Tokenize([]byte(text), "Testfile")
	if err != nil {
		return nil, err
	}
	g := new(Gateway)
	return g, g.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens))
}

func TestAdapt(t *testing.T) {
	files, err := filepath.Glob("testdata/*.caddyfile")
	if err != nil || len(files) == 0 {
		t.Fatal("no test data:", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			input, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(strings.TrimSuffix(file, ".caddyfile") + ".json")
			if err != nil {
				t.Fatal(err)
			}
			g, err := parse(string(input))
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.MarshalIndent(g, "", "\t")
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != strings.TrimSpace(string(want)) {
				t.Fatalf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestTheDocumentedDefaultsAreTheDefaults(t *testing.T) {
	input, err := os.ReadFile("testdata/defaults.caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	g, err := parse(string(input))
	if err != nil {
		t.Fatal(err)
	}
	got, err := g.build()
	if want := signaling.DefaultOptions(); err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, %v, want %+v", got, err, want)
	}
}

func TestCaddyfileErrors(t *testing.T) {
	turn := "turn turn:t.example.com {\n"
	for _, tc := range [][2]string{
		{"rooms 5",
			`gateway webrtc: there is no option "rooms"; ` +
				`there are room_capacity, departure_grace, empty_timeout, presence_interval, duplicate_user, host, ` +
				`direct_messages, max_description, max_message, stun, turn`},
		{"room_capacity", "room_capacity: it needs a value; write room_capacity <peers>"},
		{"room_capacity 0", `room_capacity: "0" is not a number above zero; write one such as 16`},
		{"room_capacity -1", `room_capacity: "-1" is not a number above zero; write one such as 16`},
		{"room_capacity 8 9", `room_capacity: one argument too many, "9"; remove it`},
		{"room_capacity 8 {\nx\n}", "room_capacity: it has no block; remove the braces"},
		{"max_message 1KB\nmax_message 2", "max_message: it was already set in line 2; keep one of the two"},
		{"max_message", "max_message: it needs a value; write max_message <size>"},
		{"max_message big",
			`max_message: "big" is not a size above zero; write one such as 500KB, 1MB or 1MiB`},
		{"max_description 0",
			`max_description: "0" is not a size above zero; write one such as 500KB, 1MB or 1MiB`},
		{"max_description 1TB",
			`max_description: "1TB" is not a size above zero; write one such as 500KB, 1MB or 1MiB`},
		{"departure_grace", "departure_grace: it needs a value; write departure_grace <duration>"},
		{"departure_grace ten",
			`departure_grace: "ten" is not a duration; write one such as 500ms, 10s or 2m, or 0`},
		{"empty_timeout -1s",
			`empty_timeout: "-1s" is not a duration; write one such as 500ms, 10s or 2m, or 0`},
		{"presence_interval 50",
			"presence_interval: it needs a number of peers and a duration; write presence_interval 50 2s"},
		{"presence_interval 2s 50",
			`presence_interval: "2s" is not a number above zero; write presence_interval 50 2s`},
		{"presence_interval 50 0",
			`presence_interval: "0" is not a duration of at least 1ms; write presence_interval 50 2s`},
		{"presence_interval 1 2s 3",
			"presence_interval: it needs a number of peers and a duration; write presence_interval 50 2s"},
		{"duplicate_user", "duplicate_user: it needs a value; write duplicate_user allow, replace or reject"},
		{"duplicate_user deny", `duplicate_user: "deny" is unknown; write allow, replace or reject`},
		{"host", "host: it needs a value; write host none, first, or claim <name> <value>"},
		{"host last", `host: "last" is unknown; write none, first, or claim <name> <value>`},
		{"host claim role", "host: a claim needs a name and a value; write host claim <name> <value>"},
		{"host claim role a b", `host: one argument too many, "b"; remove it`},
		{"direct_messages", "direct_messages: it needs a value; write direct_messages on or off"},
		{"direct_messages yes", `direct_messages: "yes" is neither on nor off`},
		{"stun", "stun: it needs an address; write one such as stun:stun.example.com:3478"},
		{"stun stun.example.com",
			`stun: "stun.example.com" is not an address; write one such as stun:stun.example.com:3478`},
		{"stun stun:a {\nx\n}", "stun: it has no block; remove the braces"},
		{"turn {\n}",
			"turn: it needs an address; write one such as turn:turn.example.com:3478"},
		{"turn stun:a",
			`turn: "stun:a" is not an address; write one such as turn:turn.example.com:3478`},
		{"turn turn:t.example.com",
			"turn turn:t.example.com: it needs a secret, or username and credential"},
		{turn + "username u\n}",
			"turn turn:t.example.com: it needs a secret, or username and credential"},
		{turn + "secret s\nusername u\n}",
			"turn turn:t.example.com: a secret excludes username and credential; keep one of the two"},
		{turn + "ttl 1h\nusername u\ncredential c\n}",
			"turn turn:t.example.com: ttl is for credentials made from a secret; set secret, or remove ttl"},
		{turn + "secret s\nsecret t\n}",
			"secret: it was already set in line 3; keep one of the two"},
		{turn + "secret\n}",
			"secret: it needs a value; write secret <secret>"},
		{turn + "secret s t\n}",
			`secret: one argument too many, "t"; remove it`},
		{turn + "secret s\nttl 5s\n}",
			`ttl: "5s" is not a duration of at least 1m; write one such as 1h`},
		{turn + "password s\n}",
			`turn: there is no option "password"; there are secret, ttl, username, credential`},
	} {
		text, want := tc[0], tc[1]
		_, err := parse("webrtc {\n" + text + "\n}")
		if err == nil || !strings.HasPrefix(err.Error(), want+", at ") && !strings.HasPrefix(err.Error(), want+" at ") {
			t.Errorf("%s:\n got %v\nwant %s", text, err, want)
		}
		if err != nil && !strings.Contains(err.Error(), "Testfile:") {
			t.Errorf("%s: the error has no line: %v", text, err)
		}
	}
	if _, err := parse("webrtc room {\n}"); err == nil || !strings.Contains(err.Error(), `one argument too many, "room"`) {
		t.Errorf("got %v", err)
	}
}

// hasBrace reports whether a text that may hold placeholders holds a brace.
func hasBrace(g *Gateway) bool {
	texts := slices.Clone(g.STUN)
	for _, t := range g.TURN {
		texts = append(append(texts, t.Secret, t.Username, t.Credential), t.URLs...)
	}
	return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, "{") })
}

func FuzzCaddyfile(f *testing.F) {
	for _, name := range []string{"all", "defaults", "none"} {
		input, err := os.ReadFile("testdata/" + name + ".caddyfile")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(input))
	}
	f.Fuzz(func(t *testing.T, text string) {
		g, err := parse(text)
		if err != nil {
			return
		}
		// What the parser accepts, the rest of the way accepts too, unless it
		// depends on the environment.
		if hasBrace(g) {
			return
		}
		if o, err := g.build(); err != nil || o.Validate() != nil {
			t.Fatalf("%q: %v, %v", text, err, o.Validate())
		}
	})
}
