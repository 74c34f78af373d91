package caddymodule

import (
	"fmt"
	"net/netip"
	"net/textproto"
	"regexp"
	"slices"
	"strings"

	"github.com/caddy-socketio/caddy-socketio/internal/engineio"
	"github.com/caddy-socketio/caddy-socketio/internal/socketio"
)

// optionError is a setting that cannot be. options are the concerned options,
// the one to change first; the Caddyfile parser adds where they stand.
type optionError struct {
	options []string
	problem string
}

func (e *optionError) Error() string { return e.options[0] + ": " + e.problem }

func wrong(option, format string, args ...any) error {
	return &optionError{[]string{option}, fmt.Sprintf(format, args...)}
}

// contradiction names both options: what is wrong is that they come together.
func contradiction(option, other, format string, args ...any) error {
	return &optionError{[]string{option, other}, fmt.Sprintf(format, args...)}
}

// check tells the first thing that is wrong with a configuration to which the
// defaults have been applied.
func (h *Handler) check() error {
	for _, f := range []func() error{
		h.checkName, h.checkPath, h.checkTransports, h.checkTimes, h.checkSizes,
		h.checkCookie, h.checkCORS, h.checkLimits, h.checkNamespaces,
	} {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

var nameSyntax = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// checkName keeps names usable as a segment of the admin API's paths and as a
// label of metrics.
func (h *Handler) checkName() error {
	switch {
	case !nameSyntax.MatchString(h.Name) || strings.Trim(h.Name, ".") == "":
		return wrong("name", "%q is not a name; use 1 to 64 letters, digits, '-', '_' and '.'", h.Name)
	case h.Name == "health":
		return wrong("name", "%q is taken by the admin API; choose another name", h.Name)
	}
	return nil
}

func (h *Handler) checkPath() error {
	switch {
	case !strings.HasPrefix(h.Path, "/"):
		return wrong("path", "%q must start with a slash; write %q", h.Path, "/"+h.Path)
	case strings.Trim(h.Path, "/") == "":
		return wrong("path", "%q would take the whole site; use a path such as /socket.io/", h.Path)
	case strings.ContainsAny(h.Path, "*?#{} "):
		return wrong("path", "%q must be one exact path, such as /socket.io/; use the directive's matcher for more", h.Path)
	}
	return nil
}

var transports = []string{"polling", "websocket"}

func (h *Handler) checkTransports() error {
	for i, name := range h.Transports {
		if !slices.Contains(transports, name) {
			return wrong("transports", "unknown transport %q%s", name, suggestion(name, transports))
		}
		if slices.Contains(h.Transports[:i], name) {
			return wrong("transports", "%q is given twice; name it once", name)
		}
	}
	if h.PermessageDeflate > 0 && !slices.Contains(h.Transports, "websocket") {
		return contradiction("permessage_deflate", "transports",
			"it compresses websocket messages, but transports leaves websocket out; add it there or remove permessage_deflate")
	}
	return nil
}

func (h *Handler) checkTimes() error {
	for _, o := range []struct {
		name  string
		value int64
	}{
		{"ping_interval", int64(h.PingInterval)}, {"ping_timeout", int64(h.PingTimeout)},
		{"connect_timeout", int64(h.ConnectTimeout)}, {"upgrade_timeout", int64(h.UpgradeTimeout)},
		{"recovery", int64(h.Recovery)}, {"drain", int64(h.Drain)},
	} {
		if o.value < 0 {
			return wrong(o.name, "a duration cannot be negative; use one such as 20s")
		}
	}
	return nil
}

// largestPayload is what a packet's size may be without overflowing sums of
// sizes on any platform.
const largestPayload = 1 << 30

func (h *Handler) checkSizes() error {
	switch {
	case h.MaxPayload < 0 || h.MaxPayload > largestPayload:
		return wrong("max_payload", "%d is not between 1 and %d bytes (1GiB)", h.MaxPayload, largestPayload)
	case h.Compression > largestPayload:
		return wrong("compression", "%d is more than any message; use a size such as 1KB, or off", h.Compression)
	case h.PermessageDeflate < 0 || h.PermessageDeflate > largestPayload:
		return wrong("permessage_deflate", "%d is not a size; use one such as 1KB, or leave the option out", h.PermessageDeflate)
	}
	return nil
}

func (h *Handler) checkCookie() error {
	c := h.SessionCookie
	if c == nil {
		return nil
	}
	switch {
	case c.SameSite != "lax" && c.SameSite != "strict" && c.SameSite != "none":
		return wrong("session_cookie same_site", "unknown value %q%s", c.SameSite, suggestion(c.SameSite, []string{"lax", "strict", "none"}))
	case c.SameSite == "none" && !c.Secure:
		return contradiction("session_cookie same_site", "session_cookie secure",
			"browsers ignore a cookie with none that is not secure; add secure")
	case c.MaxAge < 0:
		return wrong("session_cookie max_age", "a duration cannot be negative; use one such as 1h")
	}
	if err := h.cookie("x").Valid(); err != nil {
		return wrong("session_cookie", "it cannot be sent: %v", err)
	}
	return nil
}

func (h *Handler) checkCORS() error {
	c := h.CORS
	if c == nil {
		return nil
	}
	if len(c.Origins) == 0 {
		return wrong("cors", "it has no origins; add origins <origin...>, or remove cors for the same origin only")
	}
	for i, o := range c.Origins {
		switch _, err := engineio.ParseOrigin(o); {
		case err != nil:
			return wrong("cors origins", "%v", err)
		case slices.Contains(c.Origins[:i], o):
			return wrong("cors origins", "%q is given twice; name it once", o)
		case o == "*" && c.Credentials:
			return contradiction("cors credentials", "cors origins",
				"it cannot be used with the origin *, which would open the users' sessions to every page; list the origins")
		}
	}
	return c.checkHeaders()
}

func (c *CORS) checkHeaders() error {
	if c.MaxAge < 0 {
		return wrong("cors max_age", "a duration cannot be negative; use one such as 10m")
	}
	for option, words := range map[string][]string{
		"cors methods": c.Methods, "cors allowed_headers": c.AllowedHeaders, "cors exposed_headers": c.ExposedHeaders,
	} {
		for _, w := range words {
			if w == "" || textproto.TrimString(w) != w || strings.ContainsAny(w, " ,:;\r\n\t\"") {
				return wrong(option, "%q is not a name; separate names by spaces", w)
			}
		}
	}
	return nil
}

func (h *Handler) checkLimits() error {
	l := h.Limits
	if l.SendBuffer < h.MaxPayload {
		return contradiction("limits send_buffer", "max_payload",
			"%d bytes cannot hold one message of max_payload, %d bytes; raise it to that at least", l.SendBuffer, h.MaxPayload)
	}
	if l.SendBuffer > largestPayload {
		return wrong("limits send_buffer", "%d is more than %d bytes (1GiB)", l.SendBuffer, largestPayload)
	}
	for _, o := range []struct {
		name string
		rate *Rate
		like string
	}{
		{"limits handshakes_per_ip", l.HandshakesPerIP, "50/s 200"},
		{"limits events_per_socket", l.EventsPerSocket, "100/s 1000"},
		{"limits bytes_per_socket", l.BytesPerSocket, "5MB/s 20MB"},
	} {
		if o.rate.PerSecond == 0 || o.rate.Burst < 0 {
			return wrong(o.name, "it would let nothing through; use a rate and a burst such as %s, or off", o.like)
		}
	}
	_, err := l.exempt()
	return err
}

// exempt reads the addresses and networks without limits per address.
func (l *Limits) exempt() ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range l.Exempt {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			addr, err := netip.ParseAddr(s)
			if err != nil {
				return nil, wrong("limits exempt", "%q is neither an address nor a network; write one such as 10.0.0.0/8 or 2001:db8::1", s)
			}
			p = netip.PrefixFrom(addr, addr.BitLen())
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

func (h *Handler) checkNamespaces() error {
	for i, ns := range h.Namespaces {
		if ns == nil {
			return wrong("namespace", "number %d is null; give it a name", i+1)
		}
		if err := checkNamespaceName(ns.Name); err != nil {
			return err
		}
		if slices.ContainsFunc(h.Namespaces[:i], func(o *Namespace) bool { return o.Name == ns.Name }) {
			return wrong("namespace "+ns.Name, "it is defined twice; merge the blocks")
		}
	}
	return nil
}

func checkNamespaceName(name string) error {
	option := "namespace " + name
	switch {
	case name == "":
		return wrong("namespace", "it needs a name, such as / or /chat")
	case !strings.HasPrefix(name, "/"):
		return wrong(option, "a name starts with a slash; write %s", "/"+name)
	case len(name) > socketio.MaxNamespaceName:
		return wrong(option, "a name has %d bytes at most, and this one %d; shorten it", socketio.MaxNamespaceName, len(name))
	case name == "//":
		return wrong(option, "the regular expression is empty; for the main namespace write /")
	case isPattern(name):
		if _, err := regexp.Compile(name[1 : len(name)-1]); err != nil {
			return wrong(option, "a name that starts and ends with a slash is a regular expression, and this one is wrong: %v; "+
				"for the plain name write %s", err, strings.TrimRight(name, "/"))
		}
	case strings.ContainsAny(name, ",?") || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return wrong(option, "a name has no comma, question mark, space or control character; leave them out")
	}
	return nil
}

// isPattern reports whether a namespace's name is a regular expression.
func isPattern(name string) bool {
	return len(name) > 1 && strings.HasPrefix(name, "/") && strings.HasSuffix(name, "/")
}
