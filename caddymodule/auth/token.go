package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/golang-jwt/jwt/v5"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// largestToken bounds the work that a stranger's token can cause.
const largestToken = 8 << 10

// find returns the token that a client has sent.
func (j *JWT) find(h *gateway.Handshake) (string, error) {
	switch token := h.Auth["token"].(type) {
	case string:
		if token != "" {
			return token, nil
		}
	case nil:
	default:
		return "", errors.New("the auth payload's token is not a string")
	}
	for _, place := range []func(*gateway.Handshake) string{j.fromCookie, j.fromHeader, j.fromQuery} {
		if token := place(h); token != "" {
			return token, nil
		}
	}
	return "", errors.New("the client sent no token")
}

func (j *JWT) fromCookie(h *gateway.Handshake) string {
	if j.Cookie == "" {
		return ""
	}
	for _, c := range h.Cookies() {
		if c.Name == j.Cookie {
			return c.Value
		}
	}
	return ""
}

func (j *JWT) fromHeader(h *gateway.Handshake) string {
	if j.Header == "" {
		return ""
	}
	value := strings.TrimSpace(h.Header.Get(j.Header))
	if scheme, rest, ok := strings.Cut(value, " "); ok && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(rest)
	}
	if strings.Contains(value, " ") {
		return "" // another scheme, such as Basic
	}
	return value
}

func (j *JWT) fromQuery(h *gateway.Handshake) string {
	if j.Query == "" {
		return ""
	}
	return h.Query.Get(j.Query)
}

// verify returns the claims of a token whose signature, times, issuer, audience
// and required claims are right.
func (j *JWT) verify(ctx context.Context, token string) (jwt.MapClaims, error) {
	if len(token) > largestToken {
		return nil, fmt.Errorf("the token has %d bytes, more than %d", len(token), largestToken)
	}
	claims := jwt.MapClaims{}
	_, err := j.parser.ParseWithClaims(token, claims, func(t *jwt.Token) (any, error) {
		// Extensions that must be understood (RFC 7515, section 4.1.11); none is.
		if _, critical := t.Header["crit"]; critical {
			return nil, errors.New("the token needs extensions that are not supported")
		}
		return j.keys.key(ctx, t)
	})
	if err != nil {
		return nil, err
	}
	for name, allowed := range j.Require {
		if !hasValue(claims, name, allowed) {
			return nil, fmt.Errorf("the claim %s is not as required", name)
		}
	}
	return claims, nil
}

func leeway(d caddy.Duration) time.Duration { return time.Duration(d) }
