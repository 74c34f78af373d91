package auth_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/golang-jwt/jwt/v5"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/auth"
	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

const testSecret = "0123456789abcdef0123456789abcdef"

// keys are made once: RSA keys take a while.
var keys = sync.OnceValue(func() map[string]crypto.Signer {
	rsaKey, err1 := rsa.GenerateKey(rand.Reader, 2048)
	p256, err2 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, err3 := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	_, ed, err4 := ed25519.GenerateKey(rand.Reader)
	for _, err := range []error{err1, err2, err3, err4} {
		if err != nil {
			panic(err)
		}
	}
	return map[string]crypto.Signer{"rsa": rsaKey, "p256": p256, "p384": p384, "ed": ed}
})

func provision(t testing.TB, j *auth.JWT) *auth.JWT {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	if err := j.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Cleanup(); err != nil {
			t.Error(err)
		}
	})
	return j
}

func sign(t testing.TB, method jwt.SigningMethod, key any, claims jwt.MapClaims) string {
	t.Helper()
	s, err := jwt.NewWithClaims(method, claims).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func hs256(t testing.TB, claims jwt.MapClaims) string {
	t.Helper()
	return sign(t, jwt.SigningMethodHS256, []byte(testSecret), claims)
}

func payload(token any) *gateway.Handshake {
	return &gateway.Handshake{Auth: map[string]any{"token": token}}
}

// refused asserts a refusal for a reason that does not give the token away.
func refused(t *testing.T, err error, token, reason string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), reason) {
		t.Fatalf("got error %v, want one with %q", err, reason)
	}
	for _, part := range strings.Split(token, ".") {
		if len(part) > 8 && strings.Contains(err.Error(), part) {
			t.Errorf("the error has a part of the token: %v", err)
		}
	}
}

func TestClaimsBecomeTheIdentity(t *testing.T) {
	exp := time.Now().Add(time.Hour).Truncate(time.Second)
	j := provision(t, &auth.JWT{Secret: testSecret, Role: "realm.roles", Leeway: caddy.Duration(time.Minute)})
	id, err := j.Authenticate(t.Context(), "/", payload(hs256(t, jwt.MapClaims{
		"sub": "u1", "name": "Ada", "exp": exp.Unix(), "realm": map[string]any{"roles": []string{"host", "x"}},
	})), nil)
	if err != nil {
		t.Fatal(err)
	}
	if id.ID != "u1" || id.Name != "Ada" || id.Role != "host" || id.Claims["sub"] != "u1" || id.Rooms != nil {
		t.Errorf("got %+v", id)
	}
	if want := exp.Add(time.Minute); !id.Expires.Equal(want) {
		t.Errorf("expires %v, want exp and leeway, %v", id.Expires, want)
	}
}

func TestTokenWithoutExpNeverExpires(t *testing.T) {
	j := provision(t, &auth.JWT{Secret: testSecret})
	id, err := j.Authenticate(t.Context(), "/", payload(hs256(t, jwt.MapClaims{"sub": 12345})), nil)
	if err != nil || !id.Expires.IsZero() || id.ID != "12345" {
		t.Fatalf("got %+v, %v", id, err)
	}
}

func TestRefusedTokens(t *testing.T) {
	now := time.Now()
	j := provision(t, &auth.JWT{
		Secret: testSecret, Issuer: "me", Audience: []string{"app", "admin"},
		Require: map[string][]string{"tier": {"gold", "true"}},
	})
	good := func(change jwt.MapClaims) jwt.MapClaims {
		c := jwt.MapClaims{"sub": "u", "iss": "me", "aud": "app", "tier": []any{"silver", "gold"}}
		for k, v := range change {
			c[k] = v
			if v == nil {
				delete(c, k)
			}
		}
		return c
	}
	if _, err := j.Authenticate(t.Context(), "/", payload(hs256(t, good(nil))), nil); err != nil {
		t.Fatalf("the token that the others are made of: %v", err)
	}
	for name, tc := range map[string]struct {
		change jwt.MapClaims
		reason string
	}{
		"expired":            {jwt.MapClaims{"exp": now.Add(-time.Second).Unix()}, "expired"},
		"not yet valid":      {jwt.MapClaims{"nbf": now.Add(time.Minute).Unix()}, "not valid yet"},
		"another issuer":     {jwt.MapClaims{"iss": "you"}, "issuer"},
		"no issuer":          {jwt.MapClaims{"iss": nil}, "iss claim is required"},
		"another audience":   {jwt.MapClaims{"aud": []string{"x", "y"}}, "audience"},
		"no audience":        {jwt.MapClaims{"aud": nil}, "aud claim is required"},
		"wrong claim":        {jwt.MapClaims{"tier": "bronze"}, "the claim tier is not as required"},
		"no claim":           {jwt.MapClaims{"tier": nil}, "the claim tier is not as required"},
		"no user":            {jwt.MapClaims{"sub": nil}, "sub, the user's id, is missing"},
		"empty user":         {jwt.MapClaims{"sub": ""}, "empty"},
		"user is an object":  {jwt.MapClaims{"sub": map[string]any{"a": 1}}, "is missing or no text"},
		"long user":          {jwt.MapClaims{"sub": strings.Repeat("u", 257)}, "257 bytes"},
		"control characters": {jwt.MapClaims{"sub": "a\nb"}, "no text"},
		"inexact number":     {jwt.MapClaims{"sub": float64(1 << 53)}, "is missing or no text"},
		"exp is a string":    {jwt.MapClaims{"exp": "soon"}, "exp"},
		"exp is no time":     {jwt.MapClaims{"exp": 1e300}, "exp"},
		"oversized":          {jwt.MapClaims{"x": strings.Repeat("x", 8<<10)}, "more than 8192"},
	} {
		t.Run(name, func(t *testing.T) {
			token := hs256(t, good(tc.change))
			_, err := j.Authenticate(t.Context(), "/", payload(token), nil)
			refused(t, err, token, tc.reason)
			_, err = j.Renew(t.Context(), "/", payload("x"), token)
			refused(t, err, token, tc.reason)
		})
	}
}

func TestRequireTakesBooleans(t *testing.T) {
	j := provision(t, &auth.JWT{Secret: testSecret, Require: map[string][]string{"verified": {"true"}}})
	if _, err := j.Authenticate(t.Context(), "/", payload(hs256(t, jwt.MapClaims{"sub": "u", "verified": true})), nil); err != nil {
		t.Error(err)
	}
	token := hs256(t, jwt.MapClaims{"sub": "u", "verified": false})
	_, err := j.Authenticate(t.Context(), "/", payload(token), nil)
	refused(t, err, token, "the claim verified")
}

func TestMalformedTokens(t *testing.T) {
	j := provision(t, &auth.JWT{Secret: testSecret})
	good := strings.Split(hs256(t, jwt.MapClaims{"sub": "user-of-this-token"}), ".")
	for name, token := range map[string]string{
		"no segments":     "not-a-token-at-all",
		"two segments":    good[0] + "." + good[1],
		"four segments":   strings.Join(append(good, "x"), "."),
		"no signature":    good[0] + "." + good[1] + ".",
		"other signature": good[0] + "." + good[1] + "." + strings.Repeat("A", 43),
		"changed claims":  good[0] + "." + "eyJzdWIiOiJhZG1pbiJ9" + "." + good[2],
		"no base64":       good[0] + ".???." + good[2],
		"claims are null": good[0] + ".bnVsbA." + good[2],
		"no algorithm":    "e30." + good[1] + "." + good[2],
	} {
		t.Run(name, func(t *testing.T) {
			_, err := j.Authenticate(t.Context(), "/", payload(token), nil)
			refused(t, err, token, "token")
		})
	}
	for _, v := range []any{42.0, true, map[string]any{}, []any{"x"}} {
		if _, err := j.Authenticate(t.Context(), "/", payload(v), nil); err == nil {
			t.Errorf("accepted the payload's token %v", v)
		}
	}
}

func TestCriticalExtensionsAreRefused(t *testing.T) {
	j := provision(t, &auth.JWT{Secret: testSecret})
	unsigned := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "u"})
	unsigned.Header["crit"] = []string{"b64"}
	token, err := unsigned.SignedString([]byte(testSecret))
	if err != nil {
		t.Fatal(err)
	}
	_, err = j.Authenticate(t.Context(), "/", payload(token), nil)
	refused(t, err, token, "extensions that are not supported")
}

func TestRenewRefusesEmptyToken(t *testing.T) {
	j := provision(t, &auth.JWT{Secret: testSecret})
	if _, err := j.Renew(t.Context(), "/", payload("x"), ""); err == nil {
		t.Fatal("accepted an empty token")
	}
	id, err := j.Renew(t.Context(), "/", payload("x"), hs256(t, jwt.MapClaims{"sub": "u"}))
	if err != nil || id.ID != "u" {
		t.Fatalf("got %v, %v", id, err)
	}
}

func writePublic(t *testing.T, keys ...crypto.Signer) string {
	t.Helper()
	var content []byte
	for _, key := range keys {
		der, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		content = append(content, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})...)
	}
	file := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestEveryAlgorithmFitsItsKindOfKeyAlone(t *testing.T) {
	k := keys()
	file := map[string]string{}
	for name, key := range k {
		file[name] = writePublic(t, key)
	}
	type method struct {
		m   jwt.SigningMethod
		key any
	}
	methods := map[string][]method{
		"secret": {
			{jwt.SigningMethodHS256, []byte(testSecret)}, {jwt.SigningMethodHS384, []byte(testSecret)}, {jwt.SigningMethodHS512, []byte(testSecret)},
		},
		"rsa": {
			{jwt.SigningMethodRS256, k["rsa"]}, {jwt.SigningMethodRS512, k["rsa"]}, {jwt.SigningMethodPS256, k["rsa"]}, {jwt.SigningMethodPS512, k["rsa"]},
		},
		"p256": {{jwt.SigningMethodES256, k["p256"]}},
		"p384": {{jwt.SigningMethodES384, k["p384"]}},
		"ed":   {{jwt.SigningMethodEdDSA, k["ed"]}},
		"none": {{jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType}},
	}
	for kind := range methods {
		if kind == "none" {
			continue
		}
		j := &auth.JWT{PublicKey: file[kind]}
		if kind == "secret" {
			j = &auth.JWT{Secret: testSecret}
		}
		provision(t, j)
		for other, ms := range methods {
			for _, m := range ms {
				token := sign(t, m.m, m.key, jwt.MapClaims{"sub": "u"})
				if _, err := j.Authenticate(t.Context(), "/", payload(token), nil); (err == nil) != (kind == other) {
					t.Errorf("%s with %s of %s: %v", kind, m.m.Alg(), other, err)
				}
			}
		}
	}
}

// The classic confusion: the attacker signs with the public key as a secret.
func TestPublicKeyIsNoSecret(t *testing.T) {
	file := writePublic(t, keys()["rsa"])
	j := provision(t, &auth.JWT{PublicKey: file})
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	token := sign(t, jwt.SigningMethodHS256, content, jwt.MapClaims{"sub": "admin"})
	_, err = j.Authenticate(t.Context(), "/", payload(token), nil)
	refused(t, err, token, "signing method HS256 is invalid")
}

func TestSeveralPublicKeys(t *testing.T) {
	k := keys()
	j := provision(t, &auth.JWT{PublicKey: writePublic(t, k["p256"], k["ed"])})
	for m, key := range map[jwt.SigningMethod]any{jwt.SigningMethodES256: k["p256"], jwt.SigningMethodEdDSA: k["ed"]} {
		if _, err := j.Authenticate(t.Context(), "/", payload(sign(t, m, key, jwt.MapClaims{"sub": "u"})), nil); err != nil {
			t.Errorf("%s: %v", m.Alg(), err)
		}
	}
}
