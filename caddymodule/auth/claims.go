package auth

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// longestUser is the longest user id in bytes. It travels with every peer.
const longestUser = 256

// identity is what verified claims say about the user.
func (j *JWT) identity(claims jwt.MapClaims) (*gateway.Identity, error) {
	user, ok := text(lookup(claims, j.User))
	if !ok {
		return nil, fmt.Errorf("%s, the user's id, is missing or no text", j.User)
	}
	if err := checkUser(user); err != nil {
		return nil, err
	}
	id := &gateway.Identity{ID: user, Claims: claims}
	id.Name = first(lookup(claims, j.DisplayName))
	id.Role = first(lookup(claims, j.Role))
	if j.Rooms != nil {
		id.Rooms = j.Rooms.names(claims)
	}
	var err error
	if id.Expires, err = expiry(claims, leeway(j.Leeway)); err != nil {
		return nil, err
	}
	return id, nil
}

// checkUser refuses ids that could not be shown, logged or compared safely.
func checkUser(id string) error {
	switch {
	case id == "":
		return errors.New("the user's id is empty")
	case len(id) > longestUser:
		return fmt.Errorf("the user's id has %d bytes, more than %d", len(id), longestUser)
	case !utf8.ValidString(id) || strings.ContainsFunc(id, unicode.IsControl):
		return errors.New("the user's id has characters that are no text")
	}
	return nil
}

// expiry is the time from which on a token is not accepted anymore; zero means
// never.
func expiry(claims jwt.MapClaims, leeway time.Duration) (time.Time, error) {
	exp, err := claims.GetExpirationTime()
	if err != nil || exp == nil {
		return time.Time{}, err
	}
	// A number that is no time is compared in undefined ways further on.
	if t := exp.Time; t.Year() >= 1970 && t.Year() <= 9999 {
		return t.Add(leeway), nil
	}
	return time.Time{}, errors.New("exp is no time")
}

// lookup returns a claim by its name or, if there is none of that name, by its
// path of names joined by dots.
func lookup(claims map[string]any, name string) any {
	if v, ok := claims[name]; ok {
		return v
	}
	head, rest, ok := strings.Cut(name, ".")
	if !ok {
		return nil
	}
	inner, _ := claims[head].(map[string]any)
	return lookup(inner, rest)
}

// text is the text of a claim that is a string or a whole number. Larger numbers
// than floats can tell apart are none: two users must not become one.
func text(claim any) (string, bool) {
	switch v := claim.(type) {
	case string:
		return v, true
	case float64:
		const exact = 1 << 53
		if v == math.Trunc(v) && math.Abs(v) < exact {
			return strconv.FormatInt(int64(v), 10), true
		}
	}
	return "", false
}

// first is the text of a claim, or of the first in its list; empty without any.
func first(claim any) string {
	for _, t := range texts(claim) {
		return t
	}
	return ""
}

// texts are the texts of a claim that is one or a list of them.
func texts(claim any) []string {
	list, ok := claim.([]any)
	if !ok {
		list = []any{claim}
	}
	var out []string
	for _, v := range list {
		if t, ok := text(v); ok {
			out = append(out, t)
		}
	}
	return out
}

// hasValue reports whether a claim is or contains one of the allowed values.
func hasValue(claims map[string]any, name string, allowed []string) bool {
	claim := lookup(claims, name)
	for _, a := range allowed {
		if b, ok := claim.(bool); ok && strconv.FormatBool(b) == a {
			return true
		}
		for _, t := range texts(claim) {
			if t == a {
				return true
			}
		}
	}
	return false
}

var placeholder = regexp.MustCompile(`\{claim\.([^{}]+)\}`)

// names are the names and patterns that claims allow, never nil, which would
// mean all.
func (s *Scope) names(claims map[string]any) []string {
	names := []string{}
	if s.Claim != "" {
		names = append(names, texts(lookup(claims, s.Claim))...)
	}
	for _, p := range s.Patterns {
		if name, ok := fill(p, claims); ok {
			names = append(names, name)
		}
	}
	return names
}

// fill replaces the placeholders of a pattern by claims. It fails for a missing
// claim, and for one with an asterisk, by which a user whose name is his own
// choice would widen what he may do.
func fill(pattern string, claims map[string]any) (string, bool) {
	ok := true
	filled := placeholder.ReplaceAllStringFunc(pattern, func(p string) string {
		v, found := text(lookup(claims, placeholder.FindStringSubmatch(p)[1]))
		if !found || v == "" || strings.Contains(v, "*") {
			ok = false
		}
		return v
	})
	return filled, ok
}

// matchAny reports whether one of the patterns matches the whole name.
func matchAny(patterns []string, name string) bool {
	for _, p := range patterns {
		if match(p, name) {
			return true
		}
	}
	return false
}

// match compares a name with a pattern in which an asterisk stands for any
// characters. It needs time in proportion to both lengths: the parts between
// asterisks are found from left to right, the last one at the end.
func match(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	rest, ok := strings.CutPrefix(name, parts[0])
	if !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}
