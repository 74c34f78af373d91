package caddymodule_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// handlers is a config of handlers, each of a JSON object's fields, on paths of
// their own.
func handlers(fields ...string) string {
	var routes []string
	for i, one := range fields {
		routes = append(routes, `{"handle": [{"handler": "socketio", "path": "/`+string(rune('a'+i))+`/"`+one+`}]}`)
	}
	return `{"admin": {"listen": "localhost:2999"}, "apps": {"http": {"servers": {"hand": {"listen": ["localhost:9080"],
		"routes": [` + strings.Join(routes, ",") + `]}}}}}`
}

// validate is what `caddy validate` says of a config.
func validate(t *testing.T, text string) error {
	t.Helper()
	var config caddy.Config
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		t.Fatal(err)
	}
	return caddy.Validate(&config)
}

// Config files that no Caddyfile has made are checked as well.
func TestErrorsInJSON(t *testing.T) {
	for name, tc := range map[string]struct{ fields, want string }{
		"unknown field":            {`"paht": "/x/"`, `unknown field "paht"`},
		"negative duration":        {`"ping_interval": -1`, "ping_interval: a duration cannot be negative; use one such as 20s"},
		"negative drain":           {`"drain": "-5s"`, "drain: a duration cannot be negative; use one such as 20s"},
		"negative recovery":        {`"recovery": "-5s"`, "recovery: a duration cannot be negative; use one such as 20s"},
		"negative preflight age":   {`"cors": {"origins": ["*"], "max_age": -1}`, "cors max_age: a duration cannot be negative; use one such as 10m"},
		"negative cookie age":      {`"session_cookie": {"max_age": -1}`, "session_cookie max_age: a duration cannot be negative; use one such as 1h"},
		"null namespace":           {`"namespaces": [null]`, "namespace: number 1 is null; give it a name"},
		"namespace without a name": {`"namespaces": [{}]`, "namespace: it needs a name, such as / or /chat"},
		"no handshakes":            {`"limits": {"handshakes_per_ip": {"per_second": 0}}`, "limits handshakes_per_ip: it would let nothing through; use a rate and a burst such as 50/s 200, or off"},
		"no events":                {`"limits": {"events_per_socket": {"per_second": 0, "burst": 5}}`, "limits events_per_socket: it would let nothing through; use a rate and a burst such as 100/s 1000, or off"},
		"negative burst":           {`"limits": {"bytes_per_socket": {"per_second": 5, "burst": -1}}`, "limits bytes_per_socket: it would let nothing through; use a rate and a burst such as 5MB/s 20MB, or off"},
		"negative payload":         {`"max_payload": -1`, "max_payload: -1 is not between 1 and 1073741824 bytes (1GiB)"},
		"negative deflate":         {`"permessage_deflate": -1`, "permessage_deflate: -1 is not a size; use one such as 1KB, or leave the option out"},
		"negative send buffer":     {`"limits": {"send_buffer": -1}`, "limits send_buffer: -1 bytes cannot hold one message of max_payload, 1000000 bytes; raise it to that at least"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := validate(t, handlers(`, `+tc.fields)); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
}

// Handlers of one name agree if their settings mean the same.
func TestSameSettingsInOtherWords(t *testing.T) {
	const left = `, "auth": {"provider": "jwt", "secret": "` + tokenSecret + `"}, "namespaces": [{"name": "/"}]`
	for name, tc := range map[string]struct {
		fields string
		same   bool
	}{
		"the default gateway":   {`, "auth": {"provider": "jwt", "secret": "` + tokenSecret + `"}, "namespaces": [{"name": "/", "gateway": {"module": "webrtc"}}]`, true},
		"another order of keys": {`, "namespaces": [{"name": "/"}], "auth": { "secret":"` + tokenSecret + `", "provider":"jwt" }`, true},
		"defaults and order":    {left + `, "max_payload": 1000000, "transports": ["websocket", "polling"]`, true},
		"another gateway":       {`, "auth": {"provider": "jwt", "secret": "` + tokenSecret + `"}, "namespaces": [{"name": "/", "gateway": {"module": "shout"}}]`, false},
		"another auth":          {`, "auth": {"provider": "jwt", "secret": "x` + tokenSecret + `"}, "namespaces": [{"name": "/"}]`, false},
		"no auth":               {`, "namespaces": [{"name": "/"}]`, false},
	} {
		t.Run(name, func(t *testing.T) {
			err := validate(t, handlers(left, tc.fields))
			if tc.same && err != nil || !tc.same && (err == nil || !strings.Contains(err.Error(), "different settings")) {
				t.Errorf("got %v", err)
			}
		})
	}
}
