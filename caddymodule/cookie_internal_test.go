package caddymodule

import (
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func TestSessionCookieHasTheAttributesAskedFor(t *testing.T) {
	for options, want := range map[string]string{
		"session_cookie": "io=x; Path=/; HttpOnly; SameSite=Lax",
		"session_cookie s {\nsame_site strict\npath /rt\n}":                                          "s=x; Path=/rt; HttpOnly; SameSite=Strict",
		"session_cookie {\ndomain example.com\nmax_age 1h\nsame_site none\nsecure\nscript_access\n}": "io=x; Path=/; Domain=example.com; Max-Age=3600; Secure; SameSite=None",
	} {
		h := new(Handler)
		if err := h.UnmarshalCaddyfile(caddyfile.NewTestDispenser("socketio {\n" + options + "\n}")); err != nil {
			t.Fatal(err)
		}
		h.applyDefaults()
		if got := h.cookie("x").String(); got != want {
			t.Errorf("%s: got %q, want %q", options, got, want)
		}
	}
}
