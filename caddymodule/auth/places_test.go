package auth_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/auth"
	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

func TestFirstPlaceWithATokenDecides(t *testing.T) {
	j := provision(t, &auth.JWT{Secret: testSecret, Cookie: "session", Header: "Authorization", Query: "jwt"})
	of := func(user string) string { return hs256(t, jwt.MapClaims{"sub": user}) }
	h := gateway.Handshake{
		Header: http.Header{"Cookie": {"a=b; session=" + of("cookie")}, "Authorization": {"bearer " + of("header")}},
		Query:  url.Values{"jwt": {of("query")}},
		Auth:   map[string]any{"token": of("payload")},
	}
	check := func(want string) {
		t.Helper()
		if id, err := j.Authenticate(t.Context(), "/", &h, nil); err != nil || id.ID != want {
			t.Fatalf("got %+v, %v, want the token of the %s", id, err, want)
		}
	}
	check("payload")
	h.Auth["token"] = ""
	check("cookie")
	h.Auth = nil
	check("cookie")
	h.Header.Del("Cookie")
	check("header")
	h.Header.Set("Authorization", of("header"))
	check("header")
	h.Header.Set("Authorization", "Basic dTpw")
	check("query")
	h.Query = nil
	if _, err := j.Authenticate(t.Context(), "/", &h, nil); err == nil {
		t.Fatal("accepted a client without a token")
	}
}

func TestABadTokenIsNotPassedOver(t *testing.T) {
	j := provision(t, &auth.JWT{Secret: testSecret, Query: "jwt"})
	h := payload("bad")
	h.Query = url.Values{"jwt": {hs256(t, jwt.MapClaims{"sub": "u"})}}
	if _, err := j.Authenticate(t.Context(), "/", h, nil); err == nil {
		t.Fatal("a later place decided")
	}
}

func TestUnnamedPlacesAreNotRead(t *testing.T) {
	j := provision(t, &auth.JWT{Secret: testSecret})
	token := hs256(t, jwt.MapClaims{"sub": "u"})
	h := &gateway.Handshake{
		Header: http.Header{"Cookie": {"token=" + token}, "Authorization": {"Bearer " + token}},
		Query:  url.Values{"token": {token}},
	}
	if _, err := j.Authenticate(t.Context(), "/", h, nil); err == nil {
		t.Fatal("read a place that the configuration does not name")
	}
}
