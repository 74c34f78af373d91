package engineio

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

// CORS says which further origins may open sessions, and what browsers are told
// about it. The same origin always may.
type CORS struct {
	// Origins are allowed if one of the patterns matches. "*" does not cover
	// the origin "null", which must be listed.
	Origins []OriginPattern
	// Credentials lets browsers send cookies. With the origin "*" it would
	// open the users' sessions to every site: the caller must refuse that.
	Credentials bool
	// Methods that a preflight allows. Default: GET and POST.
	Methods []string
	// AllowedHeaders that a preflight allows. Default: those it asks for.
	AllowedHeaders []string
	// ExposedHeaders that scripts may read.
	ExposedHeaders []string
	// MaxAge is how long browsers keep a preflight's answer. 0: their default.
	MaxAge time.Duration
	// Expand evaluates the placeholders of a pattern for a request. Nil: there
	// are none.
	Expand func(r *http.Request, s string) string
}

// admit decides whether the request's origin may be served, and sets the
// headers that tell the browser. Without CORS settings c is nil.
func (c *CORS) admit(h http.Header, r *http.Request, client Client) bool {
	origin := r.Header.Get("Origin")
	// A cache must not hand one origin's headers to another, refusals included.
	if c != nil {
		addVary(h, "Origin")
	}
	if origin == "" {
		// No browser sends a cross-origin request that could read the answer
		// without Origin; but a foreign page's <img> opens sessions so, with
		// the user's cookies, and uses up the limits of the address.
		return r.Header.Get("Sec-Fetch-Site") != "cross-site"
	}
	listed := c != nil && slices.ContainsFunc(c.Origins, func(p OriginPattern) bool {
		return p.matches(origin, r, c.Expand)
	})
	if !listed {
		return sameOrigin(origin, client)
	}
	// Set, not Add: a handler in front may have set the same headers.
	h.Set("Access-Control-Allow-Origin", origin)
	if c.Credentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	} else if slices.ContainsFunc(c.Origins, OriginPattern.Any) {
		h.Set("Access-Control-Allow-Origin", "*")
	}
	if len(c.ExposedHeaders) > 0 {
		h.Set("Access-Control-Expose-Headers", strings.Join(c.ExposedHeaders, ", "))
	}
	return true
}

// sameOrigin compares host and port, with the scheme's own port where none is
// given.
func sameOrigin(origin string, client Client) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return false
	}
	scheme := "http"
	if client.Secure {
		scheme = "https"
	}
	own, err := url.Parse(scheme + "://" + client.Host)
	if err != nil {
		return false
	}
	return strings.EqualFold(u.Hostname(), own.Hostname()) && portOf(u) == portOf(own)
}

func portOf(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return defaultPort(u.Scheme)
}

// preflight answers OPTIONS, whose origin has been admitted.
func (c *CORS) preflight(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	if c != nil && r.Header.Get("Access-Control-Request-Method") != "" {
		methods := c.Methods
		if len(methods) == 0 {
			methods = []string{http.MethodGet, http.MethodPost}
		}
		h.Set("Access-Control-Allow-Methods", strings.Join(methods, ", "))
		headers := strings.Join(c.AllowedHeaders, ", ")
		// The origin has been admitted, so the headers it asks for may be sent.
		if headers == "" {
			headers = requestedHeaders(r)
			addVary(h, "Access-Control-Request-Headers")
		}
		if headers != "" {
			h.Set("Access-Control-Allow-Headers", headers)
		}
		if c.MaxAge > 0 {
			h.Set("Access-Control-Max-Age", strconv.Itoa(int(c.MaxAge/time.Second)))
		}
	}
	Protect(h) // browsers keep it for max_age all the same
	w.WriteHeader(http.StatusNoContent)
}

// mostRequested bounds what of a preflight is repeated in its answer, which is
// thereby never much larger than the question.
const mostRequested = 1024

// requestedHeaders are the headers that a preflight asks for, "" for what no
// browser sends.
func requestedHeaders(r *http.Request) string {
	asked := r.Header.Get("Access-Control-Request-Headers")
	if len(asked) > mostRequested || strings.ContainsFunc(asked, func(c rune) bool {
		return c != ',' && c != ' ' && !httpguts.IsTokenRune(c)
	}) {
		return ""
	}
	return asked
}

// addVary adds a field to Vary unless it is there.
func addVary(h http.Header, field string) {
	for _, line := range h.Values("Vary") {
		for one := range strings.SplitSeq(line, ",") {
			if one = strings.TrimSpace(one); one == "*" || strings.EqualFold(one, field) {
				return
			}
		}
	}
	h.Add("Vary", field)
}

// acceptsGzip reports whether the client takes gzip.
func acceptsGzip(r *http.Request) bool {
	for _, line := range r.Header.Values("Accept-Encoding") {
		for one := range strings.SplitSeq(line, ",") {
			coding, weight, _ := strings.Cut(one, ";")
			if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
				continue
			}
			q := strings.TrimPrefix(strings.ToLower(strings.ReplaceAll(weight, " ", "")), "q=")
			f, err := strconv.ParseFloat(q, 64)
			return weight == "" || err == nil && f > 0
		}
	}
	return false
}
