package engineio

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

func origins(t *testing.T, patterns ...string) []OriginPattern {
	t.Helper()
	var out []OriginPattern
	for _, s := range patterns {
		p, err := ParseOrigin(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

const handshakeQuery = "EIO=4&transport=polling"

func TestOrigins(t *testing.T) {
	for name, c := range map[string]struct {
		origins []string // nil: no CORS
		header  map[string]string
		secure  bool
		status  int
		allowed string // Access-Control-Allow-Origin
	}{
		"no origin":           {nil, nil, false, 200, ""},
		"cross-site":          {[]string{"*"}, map[string]string{"Sec-Fetch-Site": "cross-site"}, false, 403, ""},
		"same-site":           {nil, map[string]string{"Sec-Fetch-Site": "same-site"}, false, 200, ""},
		"same origin":         {nil, map[string]string{"Origin": "http://example.com"}, false, 200, ""},
		"same origin, port":   {nil, map[string]string{"Origin": "http://example.com:80"}, false, 200, ""},
		"other scheme":        {nil, map[string]string{"Origin": "https://example.com"}, false, 403, ""},
		"same origin, https":  {nil, map[string]string{"Origin": "https://example.com"}, true, 200, ""},
		"other port":          {nil, map[string]string{"Origin": "http://example.com:81"}, false, 403, ""},
		"other host":          {nil, map[string]string{"Origin": "http://evil.org"}, false, 403, ""},
		"null":                {[]string{"*"}, map[string]string{"Origin": "null"}, false, 403, ""},
		"null listed":         {[]string{"null"}, map[string]string{"Origin": "null"}, false, 200, "null"},
		"listed":              {[]string{"https://app.org"}, map[string]string{"Origin": "https://app.org"}, false, 200, "https://app.org"},
		"not listed":          {[]string{"https://app.org"}, map[string]string{"Origin": "https://evil.org"}, false, 403, ""},
		"any":                 {[]string{"*"}, map[string]string{"Origin": "https://any.org"}, false, 200, "*"},
		"same beside listed":  {[]string{"https://app.org"}, map[string]string{"Origin": "http://example.com"}, false, 200, ""},
		"host in upper case":  {nil, map[string]string{"Origin": "http://EXAMPLE.com"}, false, 200, ""},
		"userinfo in origin":  {nil, map[string]string{"Origin": "http://example.com@evil.org"}, false, 403, ""},
		"malformed same host": {nil, map[string]string{"Origin": "example.com"}, false, 403, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := settings()
			if c.origins != nil {
				s.CORS = &CORS{Origins: origins(t, c.origins...)}
			}
			st := newSite(t, s)
			st.client = func(*http.Request) Client { return Client{Secure: c.secure} }
			a := st.get(handshakeQuery, func(r *http.Request) {
				for k, v := range c.header {
					r.Header.Set(k, v)
				}
			})
			if a.status != c.status || a.status == 403 && a.body != `{"code":4,"message":"Forbidden"}` {
				t.Fatalf("%+v", a)
			}
			if got := a.header.Get("Access-Control-Allow-Origin"); got != c.allowed {
				t.Fatalf("allowed %q, want %q", got, c.allowed)
			}
			var lines []string
			for k, v := range c.header {
				lines = append(lines, k+": "+v)
			}
			want := map[int]int{200: 101, 403: 403}[c.status]
			if _, res := st.tryWebSocket("EIO=4&transport=websocket", lines...); res.status != want {
				t.Fatalf("websocket: %d", res.status)
			}
		})
	}
}

func TestCORSHeaders(t *testing.T) {
	s := settings()
	s.CORS = &CORS{
		Origins: origins(t, "https://app.org"), Credentials: true,
		Methods: []string{"GET", "POST"}, AllowedHeaders: []string{"X-A", "X-B"}, ExposedHeaders: []string{"X-C"}, MaxAge: time.Hour,
	}
	st := newSite(t, s)
	// A handler in front that sets the same headers must not double them.
	inner := st.httpServ.Handler
	st.httpServ.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "https://other.org")
		w.Header().Set("Vary", "Accept, origin")
		inner.ServeHTTP(w, r)
	})
	want := func(a answer, key string, values ...string) {
		t.Helper()
		if got := a.header.Values(key); !slices.Equal(got, values) {
			t.Errorf("%s: %q, want %q", key, got, values)
		}
	}
	a := st.get(handshakeQuery, header("Origin", "https://app.org"))
	want(a, "Access-Control-Allow-Origin", "https://app.org")
	want(a, "Access-Control-Allow-Credentials", "true")
	want(a, "Access-Control-Expose-Headers", "X-C")
	want(a, "Vary", "Accept, origin")

	a = st.do("OPTIONS", handshakeQuery, "", header("Origin", "https://app.org"), header("Access-Control-Request-Method", "POST"))
	if a.status != 204 || a.body != "" {
		t.Fatalf("%+v", a)
	}
	want(a, "Access-Control-Allow-Methods", "GET, POST")
	want(a, "Access-Control-Allow-Headers", "X-A, X-B")
	want(a, "Access-Control-Max-Age", "3600")

	a = st.do("OPTIONS", handshakeQuery, "", header("Origin", "https://evil.org"), header("Access-Control-Request-Method", "POST"))
	if a.status != 403 {
		t.Fatalf("%+v", a)
	}
	want(a, "Access-Control-Allow-Methods")
}

func TestPreflightReflectsHeaders(t *testing.T) {
	s := settings()
	s.CORS = &CORS{Origins: origins(t, "https://app.org")}
	st := newSite(t, s)
	a := st.do("OPTIONS", handshakeQuery, "", header("Origin", "https://app.org"),
		header("Access-Control-Request-Method", "POST"), header("Access-Control-Request-Headers", "authorization"))
	if a.header.Get("Access-Control-Allow-Headers") != "authorization" ||
		!slices.Equal(a.header.Values("Vary"), []string{"Origin", "Access-Control-Request-Headers"}) {
		t.Fatalf("%+v", a)
	}
}

// A preflight's answer is never much larger than the question, and repeats only
// what a browser would ask.
func TestPreflightIsNoAmplifier(t *testing.T) {
	s := settings()
	s.CORS = &CORS{Origins: origins(t, "https://app.org")}
	st := newSite(t, s)
	for _, asked := range []string{strings.Repeat("x", mostRequested+1), "a<script>", "a;b", "ü"} {
		a := st.do("OPTIONS", handshakeQuery, "", header("Origin", "https://app.org"),
			header("Access-Control-Request-Method", "POST"), header("Access-Control-Request-Headers", asked))
		if got := a.header.Get("Access-Control-Allow-Headers"); a.status != 204 || got != "" {
			t.Errorf("%.20q: %d, allowed %.20q", asked, a.status, got)
		}
	}
	if n := st.srv.Len(); n != 0 {
		t.Errorf("preflights have opened %d sessions", n)
	}
	// An OPTIONS of nobody allows nothing.
	if a := st.do("OPTIONS", handshakeQuery, ""); a.status != 204 || a.header.Get("Access-Control-Allow-Methods") != "" {
		t.Errorf("%+v", a)
	}
}

func TestEveryAnswerIsProtected(t *testing.T) {
	st := newSite(t, settings())
	query, _ := st.open()
	for name, a := range map[string]answer{
		"handshake": st.get(handshakeQuery),
		"post":      st.do("POST", query, "4x"),
		"refusal":   st.get("EIO=4&transport=none"),
		"preflight": st.do("OPTIONS", handshakeQuery, ""),
	} {
		for key, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin", "Referrer-Policy": "no-referrer",
			"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
		} {
			if got := a.header.Get(key); got != want {
				t.Errorf("%s: %s is %q", name, key, got)
			}
		}
		if got := a.header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control is %q", name, got)
		}
	}
}

func TestCookieOverHTTPSIsSecure(t *testing.T) {
	s := settings()
	s.Cookie = &http.Cookie{Name: "io", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}
	st := newSite(t, s)
	st.client = func(*http.Request) Client { return Client{IP: netip.MustParseAddr("192.0.2.1"), Secure: true} }
	if got := st.get(handshakeQuery).header.Get("Set-Cookie"); !strings.HasSuffix(got, "; HttpOnly; Secure; SameSite=Lax") {
		t.Errorf("got %q", got)
	}
}

func TestPlaceholderOrigin(t *testing.T) {
	s := settings()
	s.CORS = &CORS{Origins: origins(t, "{header}"), Expand: func(r *http.Request, s string) string {
		return r.Header.Get("X-Tenant")
	}}
	st := newSite(t, s)
	for tenant, status := range map[string]int{"https://a.org": 200, "https://b.org": 403, "": 403} {
		a := st.get(handshakeQuery, header("Origin", "https://a.org"), header("X-Tenant", tenant))
		if a.status != status {
			t.Errorf("%q: %+v", tenant, a)
		}
	}
}

func TestCookie(t *testing.T) {
	s := settings()
	s.Cookie = &http.Cookie{Name: "io", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}
	st := newSite(t, s)
	a := st.get(handshakeQuery)
	sid := st.next().session.ID()
	if got, want := a.header.Get("Set-Cookie"), "io="+sid+"; Path=/; HttpOnly; SameSite=Lax"; got != want {
		t.Fatalf("%q, want %q", got, want)
	}
	if a := st.do("POST", handshakeQuery+"&sid="+sid, "4x"); a.header.Get("Set-Cookie") != "" {
		t.Fatal("the cookie is set again")
	}
	_, res := st.tryWebSocket("EIO=4&transport=websocket")
	if got, want := res.header.Get("Set-Cookie"), "io="+st.next().session.ID()+"; Path=/; HttpOnly; SameSite=Lax"; got != want {
		t.Fatalf("%q, want %q", got, want)
	}
}
