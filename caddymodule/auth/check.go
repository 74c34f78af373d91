package auth

import (
	"fmt"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// optionError is a setting of auth jwt or auth caddy that cannot be.
type optionError struct {
	option string
	err    error
}

func (e *optionError) Error() string { return e.option + ": " + e.err.Error() }
func (e *optionError) Unwrap() error { return e.err }

func wrong(option, format string, args ...any) error {
	return &optionError{option, fmt.Errorf(format, args...)}
}

// source is the option that names the keys, and its value.
func (j *JWT) source() (option, value string) {
	switch {
	case j.Secret != "":
		return "secret", j.Secret
	case j.PublicKey != "":
		return "public_key", j.PublicKey
	default:
		return "jwks", j.JWKS
	}
}

// check tells the first thing that is wrong with a configuration.
func (j *JWT) check() error {
	for _, f := range []func() error{j.checkSource, j.checkPlaces, j.checkClaims} {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

func (j *JWT) checkSource() error {
	var named []string
	for _, o := range []struct{ name, value string }{
		{"secret", j.Secret}, {"public_key", j.PublicKey}, {"jwks", j.JWKS},
	} {
		if o.value != "" {
			named = append(named, o.name)
		}
	}
	switch {
	case len(named) == 0:
		return wrong("jwt", "it has nothing to verify tokens with; add secret, public_key or jwks")
	case len(named) > 1:
		return wrong(named[1], "it contradicts %s; tokens are verified in one way, remove one of them", named[0])
	case j.JWKS != "" && !strings.Contains(j.JWKS, "{"):
		return checkKeySetURL(j.JWKS)
	}
	return nil
}

func checkKeySetURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return wrong("jwks", "it is no URL; write one such as https://login.example.com/.well-known/jwks.json")
	case u.User != nil:
		return wrong("jwks", "the URL has a user and password, which would end up in logs; remove them")
	}
	return nil
}

func (j *JWT) checkPlaces() error {
	if j.Cookie != "" && !httpguts.ValidHeaderFieldName(j.Cookie) {
		return wrong("cookie", "%q is no cookie's name; use letters, digits, '-' and '_'", j.Cookie)
	}
	return checkHeaderName("header", j.Header)
}

func checkHeaderName(option, name string) error {
	if name == "" {
		return nil
	}
	if !httpguts.ValidHeaderFieldName(name) || strings.ContainsAny(name, "_.") {
		return wrong(option, "%q is no header's name; use letters, digits and '-'", name)
	}
	return nil
}

func (j *JWT) checkClaims() error {
	if j.Leeway < 0 {
		return wrong("leeway", "a duration cannot be negative; use one such as 30s")
	}
	for name, values := range j.Require {
		if name == "" || len(values) == 0 {
			return wrong("require", "it needs a claim and at least one value; write require role admin")
		}
	}
	for option, s := range map[string]*Scope{"rooms": j.Rooms, "namespaces": j.Namespaces} {
		if err := s.check(option); err != nil {
			return err
		}
	}
	return nil
}

func (s *Scope) check(option string) error {
	if s == nil {
		return nil
	}
	if s.Claim == "" && len(s.Patterns) == 0 {
		return wrong(option, "it would allow none; name a claim, or patterns")
	}
	for _, p := range s.Patterns {
		if rest := placeholder.ReplaceAllString(p, ""); p == "" || strings.ContainsAny(rest, "{}") {
			return wrong(option, "%q is no pattern; it is a name in which * stands for any characters and {claim.sub} for a claim", p)
		}
	}
	return nil
}
