package webrtc

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

func provision(t *testing.T, config string) (*Gateway, error) {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	t.Cleanup(cancel)
	g := new(Gateway)
	if err := json.Unmarshal([]byte(config), g); err != nil {
		t.Fatal(err)
	}
	if err := g.Provision(ctx); err != nil {
		return g, err
	}
	return g, g.Validate()
}

func TestSecretsComeFromPlaceholders(t *testing.T) {
	t.Setenv("TURN_TEST_SECRET", "hush")
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("from a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g, err := provision(t, `{"turn":[
		{"urls":["turn:a"],"secret":"{env.TURN_TEST_SECRET}"},
		{"urls":["turn:b:1"],"secret":"{file.`+file+`}","ttl":120000000000},
		{"urls":["turn:c"],"username":"u","credential":"{env.TURN_TEST_SECRET}"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	o := g.options
	if len(o.TURN) != 2 || o.TURN[0].Secret != "hush" || o.TURN[0].TTL != time.Hour ||
		o.TURN[1].Secret != "from a file" || o.TURN[1].TTL != 2*time.Minute ||
		len(o.ICE) != 1 || o.ICE[0].Credential != "hush" {
		t.Fatalf("got %+v", o)
	}
	shown, err := json.Marshal(g)
	if err != nil || strings.Contains(string(shown), "hush") {
		t.Fatalf("the configuration shows the secret: %s, %v", shown, err)
	}
}

func TestProvisionErrors(t *testing.T) {
	t.Setenv("TURN_TEST_BLANK", "\n")
	for config, want := range map[string]string{
		`{"room_capacity":-1}`:                                            "the capacity of a room must be at least 1",
		`{"max_message":-5}`:                                              "sizes must be at least 1 byte",
		`{"departure_grace":-5}`:                                          "times must not be negative",
		`{"presence_interval":{"above":-1}}`:                              "presence needs at least 1 peer and 1ms",
		`{"duplicate_user":"x"}`:                                          `unknown treatment of duplicate users "x"`,
		`{"host":{"mode":"x"}}`:                                           `unknown host rule "x"`,
		`{"host":{"mode":"claim","claim":"role"}}`:                        "hosts by claim need its name and value",
		`{"host":{"mode":"first","claim":"role"}}`:                        `host: a claim is for the mode claim, not "first"`,
		`{"stun":["turn:a"]}`:                                             `stun: "turn:a" is not an address`,
		`{"turn":[{"secret":"s"}]}`:                                       "turn: it needs an address",
		`{"turn":[{"urls":["turn:a"]}]}`:                                  "turn turn:a: it needs a secret, or username and credential",
		`{"turn":[{"urls":["turn:a"],"secret":"s","ttl":1}]}`:             "turn turn:a: ttl must be at least 1m",
		`{"turn":[{"urls":["turn:a"],"secret":"{env.TURN_TEST_NONE}"}]}`:  "turn secret: ",
		`{"turn":[{"urls":["turn:a"],"secret":"{env.TURN_TEST_BLANK}"}]}`: "turn secret: it is empty",
		`{"turn":[{"urls":["turn:a"],"secret":"{nonsense}"}]}`:            "turn secret: ",
	} {
		if _, err := provision(t, config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", config, err, want)
		}
	}
}

func TestAddresses(t *testing.T) {
	for address, want := range map[string]bool{
		"turn:a": true, "turns:a:1": true, "turn:a.b.example:3478?transport=udp": true, "turn:192.0.2.1:1": true,
		"turn:[2001:db8::1]": true, "turns:[2001:db8::1]:443?transport=tcp": true,
		"turn": false, "turn:": false, ":a": false, "turnss:a": false, "stun:a": false, "turn://a": false, "turn:a/b": false,
		"turn:u@a": false, "turn:a:port": false, "turn:2001:db8::1": false, "turn:a?transport=sctp": false, "turn:a?x=1": false,
		"TURN:a b": false, "turn:a#b": false,
	} {
		if got := isAddress("turn", address); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
	if isAddress("stun", "stun:a?transport=udp") {
		t.Error("a STUN address has no transport")
	}
}
