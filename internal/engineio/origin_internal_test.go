package engineio

import (
	"net/http"
	"strings"
	"testing"
)

func TestOriginPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern     string
		match, fail []string
	}{
		{"https://example.com", []string{"https://example.com", "HTTPS://EXAMPLE.com"},
			[]string{"http://example.com", "https://example.com:8443", "https://a.example.com", "https://example.com.evil.org",
				"null", "https://example.com/"}},
		{"https://Example.com:443", []string{"https://example.com"}, []string{"https://example.com:8443"}},
		{"http://localhost:5173", []string{"http://localhost:5173"}, []string{"http://localhost", "http://localhost:5174"}},
		{"https://*.example.com", []string{"https://a.example.com", "https://a.b.example.com"},
			[]string{"https://example.com", "https://.example.com", "https://aexample.com", "https://a..example.com",
				"https://a.example.com.evil.org", "https://evil.org/.example.com", "https://evil.org#.example.com",
				"https://evil.org:80.example.com", "https://user@.example.com", "http://a.example.com"}},
		{"https://*.example.com:8443", []string{"https://a.example.com:8443"}, []string{"https://a.example.com"}},
		{"/https://(a|b)\\.example\\.com/", []string{"https://a.example.com"},
			[]string{"https://a.example.com.evil.org", "xhttps://a.example.com"}},
		{"/a|https://b/", []string{"a", "https://b"}, []string{"https://b.evil.org", "evil-a"}},
		{"*", []string{"https://any.org", "capacitor://localhost"}, []string{"null"}},
		{"null", []string{"null"}, []string{"https://null"}},
		{"capacitor://localhost", []string{"capacitor://localhost"}, []string{"http://localhost"}},
		{"https://[2001:db8::1]:8443", []string{"https://[2001:db8::1]:8443"}, []string{"https://[2001:db8::2]:8443"}},
		{"{allowed}", []string{"https://one.org", "https://x.two.org"}, []string{"https://three.org", "*", ""}},
		{"{none}", nil, []string{"", "null", "https://one.org"}},
		{"{star}", nil, []string{"https://one.org"}},
	} {
		p, err := ParseOrigin(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		expand := func(_ *http.Request, s string) string {
			return map[string]string{"{allowed}": "https://one.org https://*.two.org", "{star}": "* /.*/"}[s]
		}
		for _, o := range c.match {
			if !p.matches(o, nil, expand) {
				t.Errorf("%s refuses %s", c.pattern, o)
			}
		}
		for _, o := range c.fail {
			if p.matches(o, nil, expand) {
				t.Errorf("%s allows %s", c.pattern, o)
			}
		}
	}
}

func TestOriginErrors(t *testing.T) {
	for pattern, want := range map[string]string{
		"":                         "is empty; write one such as https://example.com",
		"example.com":              "has no scheme; write https://example.com",
		"//example.com":            "regexp",
		"*.example.com":            "has no scheme; write https://*.example.com",
		"https://example.com/":     "more than scheme, host and port; write https://example.com",
		"https://example.com/path": "write https://example.com",
		"https://a*.example.com":   "an asterisk stands for whole labels in front",
		"https://*.*.example.com":  "an asterisk stands for the first labels only",
		"https://":                 "no host",
		"https://*.":               "an asterisk stands for the first labels only",
		"/(/":                      "missing closing )",
		"/https:..a)|(?:b/":        "unexpected )", // or it would end the group that is anchored
		"https://example.com:x":    "invalid port",
	} {
		if _, err := ParseOrigin(pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", pattern, err, want)
		}
	}
}

func FuzzOrigin(f *testing.F) {
	f.Add("https://*.example.com", "https://a.example.com")
	f.Add("/a+/", "aaa")
	f.Add("*", "null")
	f.Fuzz(func(t *testing.T, pattern, origin string) {
		p, err := ParseOrigin(pattern)
		if err != nil {
			return
		}
		matched := p.matches(origin, nil, func(_ *http.Request, s string) string { return strings.Trim(s, "{}") })
		if matched && p.kind == originExact && strings.ToLower(origin) != p.text {
			t.Fatalf("%q matched %q", pattern, origin)
		}
		if matched && p.kind == originWildcard {
			// The label must be the only difference.
			host := strings.TrimPrefix(strings.ToLower(origin), p.text)
			if !strings.HasSuffix(host, p.rest) || strings.ContainsAny(host[:len(host)-len(p.rest)], "/@:#?") {
				t.Fatalf("%q matched %q", pattern, origin)
			}
		}
	})
}
