package auth_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/golang-jwt/jwt/v5"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/auth"
)

func TestSecretsComeFromEnvironmentAndFiles(t *testing.T) {
	t.Setenv("AUTH_TEST_SECRET", testSecret)
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(testSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"{env.AUTH_TEST_SECRET}", "{file." + file + "}"} {
		j := provision(t, &auth.JWT{Secret: secret})
		if _, err := j.Renew(t.Context(), "/", nil, hs256(t, jwt.MapClaims{"sub": "u"})); err != nil {
			t.Errorf("%s: %v", secret, err)
		}
		if j.Secret != secret {
			t.Errorf("the configuration now holds the secret of %s", secret)
		}
	}
}

func TestKeySetNeedsNoNetworkToLoad(t *testing.T) {
	// Nothing listens there, as when a configuration is validated elsewhere.
	provision(t, &auth.JWT{JWKS: "http://127.0.0.1:1/keys"})
}

func pemFile(t *testing.T, kind string, der []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestCertificatesAndOldRSAFilesAreRead(t *testing.T) {
	k := keys()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k["p256"].Public(), k["p256"])
	if err != nil {
		t.Fatal(err)
	}
	provision(t, &auth.JWT{PublicKey: pemFile(t, "CERTIFICATE", der)})
	der = x509.MarshalPKCS1PublicKey(k["rsa"].Public().(*rsa.PublicKey))
	provision(t, &auth.JWT{PublicKey: pemFile(t, "RSA PUBLIC KEY", der)})
}

func TestUnusableKeys(t *testing.T) {
	weak, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(keys()["ed"])
	if err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		j    auth.JWT
		want string
	}{
		"short secret":    {auth.JWT{Secret: "secret"}, "secret: 6 bytes can be guessed"},
		"unset variable":  {auth.JWT{Secret: "{env.AUTH_TEST_NONE}"}, "secret: "},
		"no file":         {auth.JWT{PublicKey: "/nonexistent.pem"}, "name a readable PEM file"},
		"empty file":      {auth.JWT{PublicKey: empty}, "it has no PEM block"},
		"private key":     {auth.JWT{PublicKey: pemFile(t, "PRIVATE KEY", private)}, "it holds a private key"},
		"broken key":      {auth.JWT{PublicKey: pemFile(t, "PUBLIC KEY", []byte{1})}, "public_key: "},
		"broken cert":     {auth.JWT{PublicKey: pemFile(t, "CERTIFICATE", []byte{1})}, "parsing the certificate"},
		"weak curve":      {auth.JWT{PublicKey: writePublic(t, weak)}, "cannot verify tokens; use RSA of 2048"},
		"no source":       {auth.JWT{}, "it has nothing to verify tokens with"},
		"URL by variable": {auth.JWT{JWKS: "{env.HOME}"}, "jwks: it is no URL"},
		"empty scope":     {auth.JWT{Secret: testSecret, Rooms: &auth.Scope{}}, "rooms: it would allow none"},
		"empty require":   {auth.JWT{Secret: testSecret, Require: map[string][]string{"a": nil}}, "require: it needs a claim"},
		"negative leeway": {auth.JWT{Secret: testSecret, Leeway: -1}, "leeway: a duration cannot be negative"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
			defer cancel()
			err := tc.j.Provision(ctx)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			// Caddy cleans up what has failed to provision, too.
			if err := tc.j.Cleanup(); err != nil {
				t.Error(err)
			}
		})
	}
}
