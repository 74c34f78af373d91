package jsontext_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/caddy-socketio/caddy-socketio/internal/jsontext"
)

func TestSkipPlain(t *testing.T) {
	// Every byte at every place of a word, after others that could carry into it.
	for before := range 18 {
		for c := range 256 {
			for _, fill := range []string{"a", "\xff", "\x80", "!", "#", "]"} {
				text := []byte(strings.Repeat(fill, before) + string([]byte{byte(c)}) + strings.Repeat(fill, 9))
				want := len(text)
				if c < ' ' || c == '"' || c == '\\' {
					want = before
				}
				if got := jsontext.SkipPlain(text, 0); got != want {
					t.Fatalf("%q: got %d, want %d", text, got, want)
				}
			}
		}
	}
}

func FuzzSkipPlain(f *testing.F) {
	f.Add([]byte(`no special one`))
	f.Add([]byte("\x80\x9f\xff\"\\\x1f"))
	f.Fuzz(func(t *testing.T, text []byte) {
		want := bytes.IndexFunc(text, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' })
		if want < 0 {
			want = len(text)
		}
		if got := jsontext.SkipPlain(text, 0); got != want {
			t.Fatalf("%q: got %d, want %d", text, got, want)
		}
	})
}
