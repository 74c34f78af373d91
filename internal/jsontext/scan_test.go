package jsontext_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddy-socketio/caddy-socketio/internal/jsontext"
)

func TestArray(t *testing.T) {
	for raw, want := range map[string]string{
		`[]`: "", ` [1, "a" ,{"b":[2]}] `: `1|"a"|{"b":[2]}`, `[1,]`: "no", `[1`: "no", `{}`: "no", ``: "no", `[1]x`: "no", `["\u00"]`: "no",
		`[[[[1]]]]`: "no", // deeper than allowed
	} {
		var got []string
		ok := jsontext.Array([]byte(raw), 3, func(value []byte) { got = append(got, string(value)) })
		if ok != (want != "no") || ok && strings.Join(got, "|") != want {
			t.Errorf("%s: got %v, %q", raw, ok, got)
		}
	}
}

func FuzzObject(f *testing.F) {
	const depth = 100
	for _, seed := range []string{
		`{"a":[1,-0.5e+3,true,false,null,"\u00e9\n"],"b":{}}`, `{"a":01}`, `{"a":1,}`, `{,}`, ` {} `, `{}x`,
		`{"a":"\x"}`, `{"a":-}`, `{"a":1.}`, `{"a":1e}`, `{"a":tru}`, "{\"a\":\"\n\"}", `{"a" "b"}`, `{"a":[1 2]}`, `{"\u12g4":1}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		keys := map[string]string{}
		got := jsontext.Object(raw, depth, func(key, value []byte) {
			keys[jsontext.Unquote(key)] = string(value)
			if !json.Valid(value) {
				t.Errorf("%s is not a value", value)
			}
		})
		trimmed := strings.TrimLeft(string(raw), " \t\r\n")
		want := json.Valid(raw) && strings.HasPrefix(trimmed, "{") && strings.ToValidUTF8(string(raw), "") == string(raw)
		if got && !want {
			t.Fatalf("accepted %q", raw)
		}
		if want && !got && strings.Count(string(raw), "[")+strings.Count(string(raw), "{") <= depth {
			t.Fatalf("refused %q", raw)
		}
		if !got {
			return
		}
		var m map[string]json.RawMessage
		if err := json.Unmarshal(raw, &m); err != nil || len(m) != len(keys) {
			t.Fatalf("%q: %d members, encoding/json has %d (%v)", raw, len(keys), len(m), err)
		}
		for key, value := range m {
			if keys[key] != string(value) {
				t.Fatalf("%q: got %q for %q, want %q", raw, keys[key], key, value)
			}
		}
	})
}
