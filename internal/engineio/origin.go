package engineio

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// OriginPattern matches the origins of requests; [ParseOrigin] makes it. It is
// immutable.
type OriginPattern struct {
	kind originKind
	text string // normalized; of a wildcard the scheme; of a template as written
	rest string // of a wildcard: "." and what follows
	expr *regexp.Regexp
}

type originKind uint8

const (
	originExact originKind = iota
	originWildcard
	originRegexp
	originAny
	originTemplate
)

// ParseOrigin reads a pattern: "https://example.com", "https://*.example.com"
// (one or more labels in place of the asterisk), "/regexp/" over the whole
// origin, "*", "null", or one with placeholders, which are evaluated for each
// request and give one or more origins of the first two forms, separated by
// spaces. Errors name what is wrong and what would be right.
func ParseOrigin(s string) (OriginPattern, error) {
	switch {
	case s == "":
		return OriginPattern{}, fmt.Errorf("origin is empty; write one such as https://example.com")
	case s == "*":
		return OriginPattern{kind: originAny, text: s}, nil
	case s == "null":
		return OriginPattern{text: s}, nil
	case strings.HasPrefix(s, "/"):
		return parseOriginRegexp(s)
	case strings.ContainsAny(s, "{}"):
		return OriginPattern{kind: originTemplate, text: s}, nil
	}
	return parseOriginText(s)
}

func parseOriginRegexp(s string) (OriginPattern, error) {
	if len(s) < 3 || !strings.HasSuffix(s, "/") {
		return OriginPattern{}, fmt.Errorf("origin %q starts like a regexp; write /regexp/, or an origin such as https://example.com", s)
	}
	// By itself first: a stray parenthesis would end the anchored group, and what
	// it anchors with it.
	pattern := s[1 : len(s)-1]
	if _, err := regexp.Compile(pattern); err != nil {
		return OriginPattern{}, fmt.Errorf("origin %q: %w", s, err)
	}
	// Anchored: a pattern that is found anywhere would allow
	// https://example.com.evil.org, and authors forget that.
	expr, err := regexp.Compile(`^(?:` + pattern + `)$`)
	if err != nil {
		return OriginPattern{}, fmt.Errorf("origin %q: %w", s, err)
	}
	return OriginPattern{kind: originRegexp, text: s, expr: expr}, nil
}

func parseOriginText(s string) (OriginPattern, error) {
	scheme, host, ok := strings.Cut(strings.ToLower(s), "://")
	switch {
	case !ok || scheme == "":
		return OriginPattern{}, fmt.Errorf("origin %q has no scheme; write https://%s", s, strings.TrimPrefix(s, "//"))
	case strings.ContainsAny(host, "/?#@ "):
		bare := host[strings.IndexByte(host, '@')+1:]
		if i := strings.IndexAny(bare, "/?# "); i >= 0 {
			bare = bare[:i]
		}
		return OriginPattern{}, fmt.Errorf("origin %q has more than scheme, host and port; write %s://%s", s, scheme, bare)
	}
	// The rest is normalized as an origin of its own, so that ports fall away.
	if sub, wild := strings.CutPrefix(host, "*."); wild {
		if sub == "" || strings.Contains(sub, "*") {
			return OriginPattern{}, fmt.Errorf("origin %q: an asterisk stands for the first labels only; write https://*.example.com", s)
		}
		normal, err := normalOrigin(scheme + "://" + sub)
		if err != nil {
			return OriginPattern{}, fmt.Errorf("origin %q: %w", s, err)
		}
		return OriginPattern{kind: originWildcard, text: scheme + "://", rest: "." + strings.TrimPrefix(normal, scheme+"://")}, nil
	}
	if strings.Contains(host, "*") {
		return OriginPattern{}, fmt.Errorf(
			"origin %q: an asterisk stands for whole labels in front; write https://*.example.com, or a /regexp/", s)
	}
	normal, err := normalOrigin(scheme + "://" + host)
	if err != nil {
		return OriginPattern{}, fmt.Errorf("origin %q: %w", s, err)
	}
	return OriginPattern{text: normal}, nil
}

// normalOrigin brings an origin into the form that browsers send: lower case and
// without the scheme's own port.
func normalOrigin(s string) (string, error) {
	u, err := url.Parse(strings.ToLower(s))
	if err != nil {
		return "", err
	}
	if u.Hostname() == "" {
		return "", fmt.Errorf("no host; write one such as https://example.com")
	}
	if port := u.Port(); port == "" || port == defaultPort(u.Scheme) {
		u.Host = strings.TrimSuffix(strings.TrimSuffix(u.Host, port), ":")
	}
	return u.Scheme + "://" + u.Host, nil
}

func defaultPort(scheme string) string {
	switch scheme {
	case "http", "ws":
		return "80"
	case "https", "wss":
		return "443"
	}
	return ""
}

// Any reports whether the pattern is "*".
func (p OriginPattern) Any() bool { return p.kind == originAny }

// matches reports whether the pattern allows an origin as sent by a browser.
func (p OriginPattern) matches(origin string, r *http.Request, expand func(*http.Request, string) string) bool {
	switch p.kind {
	case originAny:
		// Sandboxed frames and local files share "null": it stands for anybody,
		// also where a list says "any site".
		return origin != "null"
	case originRegexp:
		return p.expr.MatchString(origin)
	case originTemplate:
		if expand == nil {
			return false
		}
		for _, one := range strings.Fields(expand(r, p.text)) {
			// What a placeholder gives may come from the request itself. "*" and
			// regexps are therefore not taken from it.
			if q, err := parseOriginText(one); err == nil && q.matches(origin, r, nil) {
				return true
			}
		}
		return false
	case originWildcard:
		host, ok := strings.CutPrefix(strings.ToLower(origin), p.text)
		labels, found := strings.CutSuffix(host, p.rest)
		return ok && found && validLabels(labels)
	}
	return strings.ToLower(origin) == p.text
}

// validLabels reports whether s can stand in front of a domain, so that nothing
// of an origin but a host name is taken for one.
func validLabels(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}
