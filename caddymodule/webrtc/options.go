package webrtc

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-socketio/caddy-socketio/internal/signaling"
)

// defaultTTL is how long TURN credentials are good for, minTTL the least: a client
// must have time to use and renew them.
const (
	defaultTTL = time.Hour
	minTTL     = time.Minute
)

// build makes the options of the domain, with defaults for what is not set.
func (g *Gateway) build() (signaling.Options, error) {
	o := signaling.DefaultOptions()
	set(&o.RoomCapacity, g.RoomCapacity)
	set(&o.MaxDescription, int(g.MaxDescription))
	set(&o.MaxMessage, int(g.MaxMessage))
	set(&o.DuplicateUser, signaling.DuplicateUser(g.DuplicateUser))
	o.DirectMessages = g.DirectMessages
	if g.DepartureGrace != nil {
		o.DepartureGrace = time.Duration(*g.DepartureGrace)
	}
	if g.EmptyTimeout != nil {
		o.EmptyTimeout = time.Duration(*g.EmptyTimeout)
	}
	if p := g.PresenceInterval; p != nil {
		set(&o.PresenceAbove, p.Above)
		set(&o.PresenceInterval, time.Duration(p.Interval))
	}
	if h := g.Host; h != nil {
		o.Host = signaling.HostRule{Mode: signaling.HostMode(h.Mode), Claim: h.Claim, Value: h.Value}
		if h.Mode != string(signaling.HostClaim) && (h.Claim != "" || h.Value != "") {
			return o, fmt.Errorf("host: a claim is for the mode claim, not %q", h.Mode)
		}
	}
	return o, g.servers(&o)
}

// set sets what is configured and leaves the default otherwise.
func set[T comparable](option *T, configured T) {
	var zero T
	if configured != zero {
		*option = configured
	}
}

// servers adds the ICE servers. Placeholders are replaced here and not in the
// configuration, which others can read.
func (g *Gateway) servers(o *signaling.Options) error {
	repl := caddy.NewReplacer()
	if len(g.STUN) > 0 {
		urls, err := addresses(repl, "stun", g.STUN)
		if err != nil {
			return err
		}
		o.ICE = append(o.ICE, signaling.ICEServer{URLs: urls})
	}
	for _, t := range g.TURN {
		if err := t.add(repl, o); err != nil {
			return err
		}
	}
	return nil
}

// contradiction finds options of a TURN server that do not go together.
func (t *TURN) contradiction() error {
	switch {
	case len(t.URLs) == 0:
		return errors.New("turn: it needs an address; write one such as turn:turn.example.com:3478")
	case t.Secret != "" && (t.Username != "" || t.Credential != ""):
		return fmt.Errorf("turn %s: a secret excludes username and credential; keep one of the two", t.URLs[0])
	case t.Secret == "" && t.TTL != 0:
		return fmt.Errorf("turn %s: ttl is for credentials made from a secret; set secret, or remove ttl", t.URLs[0])
	case t.Secret == "" && (t.Username == "" || t.Credential == ""):
		return fmt.Errorf("turn %s: it needs a secret, or username and credential", t.URLs[0])
	case t.TTL != 0 && time.Duration(t.TTL) < minTTL:
		return fmt.Errorf("turn %s: ttl must be at least 1m", t.URLs[0])
	}
	return nil
}

func (t *TURN) add(repl *caddy.Replacer, o *signaling.Options) error {
	if err := t.contradiction(); err != nil {
		return err
	}
	urls, err := addresses(repl, "turn", t.URLs)
	if err != nil {
		return err
	}
	if t.Secret != "" {
		secret, err := replace(repl, "turn secret", t.Secret)
		if err != nil {
			return err
		}
		server := signaling.TURNServer{URLs: urls, Secret: secret, TTL: defaultTTL}
		set(&server.TTL, time.Duration(t.TTL))
		o.TURN = append(o.TURN, server)
		return nil
	}
	server := signaling.ICEServer{URLs: urls}
	if server.Username, err = replace(repl, "turn username", t.Username); err != nil {
		return err
	}
	if server.Credential, err = replace(repl, "turn credential", t.Credential); err != nil {
		return err
	}
	o.ICE = append(o.ICE, server)
	return nil
}

// replace fills in placeholders. The error must not show the value.
func replace(repl *caddy.Replacer, name, value string) (string, error) {
	text, err := repl.ReplaceOrErr(value, true, true)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	if text = strings.TrimRight(text, "\r\n"); text == "" {
		return "", fmt.Errorf("%s: it is empty", name)
	}
	return text, nil
}

func addresses(repl *caddy.Replacer, scheme string, configured []string) ([]string, error) {
	urls := make([]string, len(configured))
	for i, c := range configured {
		address, err := replace(repl, scheme, c)
		if err != nil {
			return nil, err
		}
		if err := checkAddress(scheme, address); err != nil {
			return nil, err
		}
		urls[i] = address
	}
	return urls, nil
}

func checkAddress(scheme, address string) error {
	if isAddress(scheme, address) {
		return nil
	}
	return fmt.Errorf("%s: %q is not an address; write one such as %s:%s.example.com:3478", scheme, address, scheme, scheme)
}

// isAddress checks a URI of RFC 7064 or RFC 7065: scheme (or scheme and "s"), a
// host and maybe a port; for TURN also the transport. A browser refuses to make a
// connection with any other.
func isAddress(scheme, address string) bool {
	given, rest, _ := strings.Cut(address, ":")
	if given != scheme && given != scheme+"s" {
		return false
	}
	rest, query, hasQuery := strings.Cut(rest, "?")
	if hasQuery && (scheme != "turn" || query != "transport=udp" && query != "transport=tcp") {
		return false
	}
	u, err := url.Parse("//" + rest)
	if err != nil || u.Host != rest || u.Hostname() == "" {
		return false
	}
	// url.Parse accepts a bare IPv6 address, whose last group would be the port.
	return strings.Count(u.Host, ":") <= 1 || net.ParseIP(u.Hostname()) != nil && strings.HasPrefix(u.Host, "[")
}
