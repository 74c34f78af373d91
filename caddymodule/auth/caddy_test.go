package auth_test

import (
	"net/http"
	"reflect"
	"testing"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/auth"
	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

func TestCaddyTakesOverTheIdentity(t *testing.T) {
	user := &gateway.Identity{ID: "ada", Name: "Ada", Claims: map[string]any{"group": "x"}}
	id, err := new(auth.Caddy).Authenticate(t.Context(), "/", &gateway.Handshake{}, user)
	if err != nil || !reflect.DeepEqual(id, user) || id == user {
		t.Fatalf("got %+v, %v, want a copy of the user", id, err)
	}
}

func TestCaddyRefusesStrangers(t *testing.T) {
	h := &gateway.Handshake{Header: http.Header{"Remote-User": {"ada"}}}
	for name, user := range map[string]*gateway.Identity{
		"nobody": nil, "no id": {}, "no text": {ID: "a\x00"},
	} {
		if id, err := new(auth.Caddy).Authenticate(t.Context(), "/", h, user); err == nil {
			t.Errorf("%s: let in as %+v, by a header that no option names", name, id)
		}
	}
}

func TestCaddyReadsTheNamedHeaders(t *testing.T) {
	c := &auth.Caddy{UserHeader: "Remote-User", NameHeader: "Remote-Name", RoleHeader: "Remote-Role"}
	h := &gateway.Handshake{Header: http.Header{"Remote-User": {"ada"}, "Remote-Name": {"Ada"}, "Remote-Role": {"host"}}}
	id, err := c.Authenticate(t.Context(), "/", h, nil)
	if err != nil || id.ID != "ada" || id.Name != "Ada" || id.Role != "host" {
		t.Fatalf("got %+v, %v", id, err)
	}
	// Caddy's own user wins over a header.
	if id, err = c.Authenticate(t.Context(), "/", h, &gateway.Identity{ID: "bob"}); err != nil || id.ID != "bob" {
		t.Fatalf("got %+v, %v", id, err)
	}
}
