package auth_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/auth"
)

func TestRoomsOfAnIdentity(t *testing.T) {
	j := provision(t, &auth.JWT{Secret: testSecret, Rooms: &auth.Scope{
		Claim: "rooms", Patterns: []string{"lobby", "team-{claim.team}-*", "{claim.org.id}/{claim.sub}"},
	}})
	for name, tc := range map[string]struct {
		claims jwt.MapClaims
		rooms  []string
	}{
		"list, name and patterns": {
			jwt.MapClaims{"rooms": []string{"a", "b-*"}, "team": 7, "org": map[string]any{"id": "o"}},
			[]string{"a", "b-*", "lobby", "team-7-*", "o/u"},
		},
		"one name":          {jwt.MapClaims{"rooms": "a"}, []string{"a", "lobby"}},
		"missing claims":    {nil, []string{"lobby"}},
		"empty claim":       {jwt.MapClaims{"team": ""}, []string{"lobby"}},
		"asterisk in claim": {jwt.MapClaims{"team": "*"}, []string{"lobby"}},
		"other types":       {jwt.MapClaims{"rooms": []any{true, nil, "a", []any{"b"}}, "team": true}, []string{"a", "lobby"}},
	} {
		t.Run(name, func(t *testing.T) {
			claims := jwt.MapClaims{"sub": "u"}
			for k, v := range tc.claims {
				claims[k] = v
			}
			id, err := j.Authenticate(t.Context(), "/", payload(hs256(t, claims)), nil)
			if err != nil || !slices.Equal(id.Rooms, tc.rooms) {
				t.Fatalf("got %v, %v, want %v", id, err, tc.rooms)
			}
		})
	}
}

func TestNoRoomIsNotEveryRoom(t *testing.T) {
	j := provision(t, &auth.JWT{Secret: testSecret, Rooms: &auth.Scope{Claim: "rooms"}})
	id, err := j.Authenticate(t.Context(), "/", payload(hs256(t, jwt.MapClaims{"sub": "u"})), nil)
	if err != nil || id.Rooms == nil || len(id.Rooms) != 0 {
		t.Fatalf("got %#v, %v, want rooms that are empty and not nil", id, err)
	}
}

func TestNamespacesOfAToken(t *testing.T) {
	j := provision(t, &auth.JWT{Secret: testSecret, Namespaces: &auth.Scope{Claim: "ns"}})
	token := hs256(t, jwt.MapClaims{"sub": "u", "ns": []string{"/", "/team-*", "*-b-*-d"}})
	for ns, want := range map[string]bool{
		"/": true, "/team-1": true, "/team-": true, "/x-b-c-d": true, "a-b--d": true,
		"/team": false, "/other": false, "": false, "a-b-d": false, "a-b-c-de": false,
	} {
		_, err := j.Authenticate(t.Context(), ns, payload(token), nil)
		if (err == nil) != want {
			t.Errorf("%q: %v", ns, err)
		}
	}
	_, err := j.Renew(t.Context(), "/other", nil, token)
	refused(t, err, token, "namespace")
}

func FuzzToken(f *testing.F) {
	j := provision(f, &auth.JWT{
		Secret: testSecret, Require: map[string][]string{"a.b": {"x"}},
		Rooms: &auth.Scope{Claim: "rooms", Patterns: []string{"{claim.sub}-*"}},
	})
	f.Add(`{"sub":"u","exp":9999999999,"a":{"b":["x"]},"rooms":["r",1,null]}`)
	f.Add(`{"sub":1e400}`)
	f.Add(`{"sub":"u","exp":-1e308,"a.b":"x"}`)
	f.Add(`{"sub":"u","exp":253402300800,"nbf":null,"a":{"b":"x"}}`)
	f.Fuzz(func(t *testing.T, claims string) {
		head, _, _ := strings.Cut(hs256(t, nil), ".")
		text := head + "." + segment([]byte(claims))
		signature, err := jwt.SigningMethodHS256.Sign(text, []byte(testSecret))
		if err != nil {
			t.Fatal(err)
		}
		id, err := j.Authenticate(t.Context(), "/", payload(text+"."+segment(signature)), nil)
		if err != nil {
			return
		}
		if id.ID == "" || id.Rooms == nil || id.Claims["sub"] == nil {
			t.Fatalf("%s: an identity that others could not use: %+v", claims, id)
		}
		// What was just accepted has not ended.
		if !id.Expires.IsZero() && (id.Expires.Year() < 2020 || id.Expires.Year() > 9999) {
			t.Fatalf("%s: expires %v", claims, id.Expires)
		}
	})
}

func FuzzRawToken(f *testing.F) {
	j := provision(f, &auth.JWT{Secret: testSecret})
	f.Add("..")
	f.Add("eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1In0.")
	f.Add("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1In0.AAAA")
	f.Fuzz(func(t *testing.T, token string) {
		if id, err := j.Renew(t.Context(), "/", nil, token); err == nil {
			t.Fatalf("accepted %q, which nobody signed: %+v", token, id)
		}
	})
}

func segment(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
