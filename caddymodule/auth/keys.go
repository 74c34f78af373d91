package auth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/golang-jwt/jwt/v5"
)

// keySource is where the keys that verify tokens come from.
type keySource interface {
	// methods are the algorithms that the kind of key is made for. Accepting
	// others would let a public key serve as a secret.
	methods() []string
	// key returns the key, or the keys, that a token may be signed with.
	key(ctx context.Context, t *jwt.Token) (any, error)
	close() error
}

var (
	symmetric  = []string{"HS256", "HS384", "HS512"}
	asymmetric = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)

// openKeys makes the key source that the configuration names. Placeholders are
// read here, so that secrets are in no configuration.
func (j *JWT) openKeys() (keySource, error) {
	option, value := j.source()
	value, err := caddy.NewReplacer().ReplaceOrErr(value, true, true)
	if err != nil {
		return nil, wrong(option, "%w; set the variable or file that it names", err)
	}
	switch option {
	case "secret":
		return newSecret(value)
	case "public_key":
		return readPublicKeys(value)
	default:
		return openKeySet(value, j.logger)
	}
}

// secret is a shared secret.
type secret []byte

// shortestSecret is what HS256 needs (RFC 7518, section 3.2): whoever has a
// token can try out shorter ones.
const shortestSecret = 32

func newSecret(value string) (secret, error) {
	if len(value) < shortestSecret {
		return nil, wrong("secret", "%d bytes can be guessed from any token; use %d or more, such as those of openssl rand -hex 32",
			len(value), shortestSecret)
	}
	return secret(value), nil
}

func (secret) methods() []string                              { return symmetric }
func (s secret) key(context.Context, *jwt.Token) (any, error) { return []byte(s), nil }
func (secret) close() error                                   { return nil }

// publicKeys are public keys without names.
type publicKeys []crypto.PublicKey

func readPublicKeys(file string) (publicKeys, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, wrong("public_key", "%w; name a readable PEM file", err)
	}
	keys, err := parsePublicKeys(content)
	if err != nil {
		return nil, wrong("public_key", "%s: %w", file, err)
	}
	return keys, nil
}

func parsePublicKeys(content []byte) (publicKeys, error) {
	var keys publicKeys
	for {
		var block *pem.Block
		if block, content = pem.Decode(content); block == nil {
			break
		}
		key, err := parsePublicKey(block)
		if err != nil {
			return nil, err
		}
		if len(methodsOf(key)) == 0 {
			return nil, fmt.Errorf("a key of type %T cannot verify tokens; "+
				"use RSA of 2048 bits or more, ECDSA P-256, P-384 or P-521, or Ed25519", key)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("it has no PEM block; export the public key with openssl pkey -pubout")
	}
	return keys, nil
}

func parsePublicKey(block *pem.Block) (crypto.PublicKey, error) {
	switch {
	case block.Type == "CERTIFICATE":
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("parsing the certificate: %w", err)
		}
		return cert.PublicKey, nil
	case block.Type == "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		return nil, errors.New("it holds a private key, which this server must not have; export the public key with openssl pkey -pubout")
	default:
		return x509.ParsePKIXPublicKey(block.Bytes)
	}
}

func (k publicKeys) methods() []string {
	var out []string
	for _, key := range k {
		out = append(out, methodsOf(key)...)
	}
	return out
}

func (k publicKeys) key(_ context.Context, t *jwt.Token) (any, error) {
	var fitting jwt.VerificationKeySet
	for _, key := range k {
		if slices.Contains(methodsOf(key), t.Method.Alg()) {
			fitting.Keys = append(fitting.Keys, key)
		}
	}
	return fitting, nil
}

func (publicKeys) close() error { return nil }

// methodsOf are the algorithms that a public key is good for, none for kinds of
// keys that are not used or too weak.
func methodsOf(key crypto.PublicKey) []string {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() >= 2048 {
			return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
		}
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return []string{"ES256"}
		case elliptic.P384():
			return []string{"ES384"}
		case elliptic.P521():
			return []string{"ES512"}
		}
	case ed25519.PublicKey:
		return []string{"EdDSA"}
	}
	return nil
}
