package webrtc

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"

	"github.com/caddy-socketio/caddy-socketio/internal/signaling"
)

// UnmarshalCaddyfile sets up the gateway from Caddyfile tokens. Syntax, with
// defaults:
//
//	gateway webrtc {
//		room_capacity     16
//		departure_grace   10s
//		empty_timeout     30s
//		presence_interval 50 2s
//		duplicate_user    allow | replace | reject
//		host              none | first | claim <name> <value>
//		direct_messages   off | on
//		max_description   64KB
//		max_message       32KB
//		stun <address...>
//		turn <address...> {
//			secret     <secret>
//			ttl        1h
//			username   <username>
//			credential <credential>
//		}
//	}
//
// stun and turn may repeat; a turn has either a secret or username and
// credential.
func (g *Gateway) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the module's name
	if d.NextArg() {
		return d.Errf("gateway webrtc: one argument too many, %q; its options go into a block", d.Val())
	}
	return options(d, "gateway webrtc", map[string]parser{
		"room_capacity":     g.parseCapacity,
		"departure_grace":   func(d *caddyfile.Dispenser) error { return optionalDuration(d, &g.DepartureGrace) },
		"empty_timeout":     func(d *caddyfile.Dispenser) error { return optionalDuration(d, &g.EmptyTimeout) },
		"presence_interval": g.parsePresence,
		"duplicate_user":    g.parseDuplicateUser,
		"host":              g.parseHost,
		"direct_messages":   g.parseDirectMessages,
		"max_description":   func(d *caddyfile.Dispenser) error { return size(d, &g.MaxDescription) },
		"max_message":       func(d *caddyfile.Dispenser) error { return size(d, &g.MaxMessage) },
		"stun":              g.parseSTUN,
		"turn":              g.parseTURN,
	})
}

// parser reads the arguments of the option whose name the dispenser is at.
type parser func(d *caddyfile.Dispenser) error

// options parses a block. It refuses unknown and repeated options and what is
// left of their lines.
func options(d *caddyfile.Dispenser, block string, parsers map[string]parser) error {
	lines := make(map[string]int)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		parse, known := parsers[name]
		if !known {
			return d.Errf("%s: there is no option %q; there are %s", block, name, names(parsers))
		}
		if line, repeated := lines[name]; repeated && name != "stun" && name != "turn" {
			return d.Errf("%s: it was already set in line %d; keep one of the two", name, line)
		}
		lines[name] = d.Line()
		if err := parse(d); err != nil {
			return err
		}
		if d.NextArg() {
			return d.Errf("%s: one argument too many, %q; remove it", name, d.Val())
		}
		if name == "turn" {
			continue
		}
		for inner := d.Nesting(); d.NextBlock(inner); {
			return d.Errf("%s: it has no block; remove the braces", name)
		}
	}
	return nil
}

// names lists options in the order of the documentation.
func names(parsers map[string]parser) string {
	var known []string
	for _, name := range []string{
		"room_capacity", "departure_grace", "empty_timeout", "presence_interval", "duplicate_user", "host",
		"direct_messages", "max_description", "max_message", "stun", "turn", "secret", "ttl", "username", "credential",
	} {
		if parsers[name] != nil {
			known = append(known, name)
		}
	}
	return strings.Join(known, ", ")
}

// one returns the single argument of an option. The form says what it looks like.
func one(d *caddyfile.Dispenser, form string) (string, error) {
	name := d.Val()
	if !d.NextArg() || d.Val() == "" {
		return "", d.Errf("%s: it needs a value; write %s %s", name, name, form)
	}
	return d.Val(), nil
}

func (g *Gateway) parseCapacity(d *caddyfile.Dispenser) error {
	arg, err := one(d, "<peers>")
	if err != nil {
		return err
	}
	n, err := strconv.ParseUint(arg, 10, 31)
	if err != nil || n == 0 {
		return d.Errf("room_capacity: %q is not a number above zero; write one such as 16", arg)
	}
	g.RoomCapacity = int(n)
	return nil
}

func optionalDuration(d *caddyfile.Dispenser, v **caddy.Duration) error {
	name := d.Val()
	arg, err := one(d, "<duration>")
	if err != nil {
		return err
	}
	t, err := caddy.ParseDuration(arg)
	if err != nil || t < 0 {
		return d.Errf("%s: %q is not a duration; write one such as 500ms, 10s or 2m, or 0", name, arg)
	}
	duration := caddy.Duration(t)
	*v = &duration
	return nil
}

func (g *Gateway) parsePresence(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) != 2 {
		return d.Errf("presence_interval: it needs a number of peers and a duration; write presence_interval 50 2s")
	}
	above, err := strconv.ParseUint(args[0], 10, 31)
	if err != nil || above == 0 {
		return d.Errf("presence_interval: %q is not a number above zero; write presence_interval 50 2s", args[0])
	}
	t, err := caddy.ParseDuration(args[1])
	if err != nil || t < time.Millisecond {
		return d.Errf("presence_interval: %q is not a duration of at least 1ms; write presence_interval 50 2s", args[1])
	}
	g.PresenceInterval = &Presence{Above: int(above), Interval: caddy.Duration(t)}
	return nil
}

func (g *Gateway) parseDuplicateUser(d *caddyfile.Dispenser) error {
	arg, err := one(d, "allow, replace or reject")
	if err != nil {
		return err
	}
	switch signaling.DuplicateUser(arg) {
	case signaling.DuplicateAllow, signaling.DuplicateReplace, signaling.DuplicateReject:
		g.DuplicateUser = arg
		return nil
	}
	return d.Errf("duplicate_user: %q is unknown; write allow, replace or reject", arg)
}

func (g *Gateway) parseHost(d *caddyfile.Dispenser) error {
	mode, err := one(d, "none, first, or claim <name> <value>")
	if err != nil {
		return err
	}
	g.Host = &Host{Mode: mode}
	switch signaling.HostMode(mode) {
	case signaling.HostNone, signaling.HostFirst:
		return nil
	case signaling.HostClaim:
		if !d.Args(&g.Host.Claim, &g.Host.Value) {
			return d.Errf("host: a claim needs a name and a value; write host claim <name> <value>")
		}
		return nil
	}
	return d.Errf("host: %q is unknown; write none, first, or claim <name> <value>", mode)
}

func (g *Gateway) parseDirectMessages(d *caddyfile.Dispenser) error {
	arg, err := one(d, "on or off")
	if err != nil {
		return err
	}
	if arg != "on" && arg != "off" {
		return d.Errf("direct_messages: %q is neither on nor off", arg)
	}
	g.DirectMessages = arg == "on"
	return nil
}

func size(d *caddyfile.Dispenser, v *int64) error {
	name := d.Val()
	arg, err := one(d, "<size>")
	if err != nil {
		return err
	}
	n, err := humanize.ParseBytes(arg)
	if err != nil || n == 0 || n > math.MaxInt32 {
		return d.Errf("%s: %q is not a size above zero; write one such as 500KB, 1MB or 1MiB", name, arg)
	}
	*v = int64(n)
	return nil
}

func (g *Gateway) parseSTUN(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 {
		return d.Errf("stun: it needs an address; write one such as stun:stun.example.com:3478")
	}
	g.STUN = append(g.STUN, args...)
	return checkAddresses(d, "stun", args)
}

func (g *Gateway) parseTURN(d *caddyfile.Dispenser) error {
	t := &TURN{URLs: d.RemainingArgs()}
	if len(t.URLs) == 0 {
		return d.Errf("turn: it needs an address; write one such as turn:turn.example.com:3478")
	}
	if err := checkAddresses(d, "turn", t.URLs); err != nil {
		return err
	}
	text := func(v *string) parser {
		return func(d *caddyfile.Dispenser) (err error) {
			*v, err = one(d, "<"+d.Val()+">")
			return err
		}
	}
	err := options(d, "turn", map[string]parser{
		"secret": text(&t.Secret), "username": text(&t.Username), "credential": text(&t.Credential),
		"ttl": func(d *caddyfile.Dispenser) error { return parseTTL(d, &t.TTL) },
	})
	if err != nil {
		return err
	}
	g.TURN = append(g.TURN, t)
	return t.check(d)
}

func parseTTL(d *caddyfile.Dispenser, v *caddy.Duration) error {
	arg, err := one(d, "<duration>")
	if err != nil {
		return err
	}
	ttl, err := caddy.ParseDuration(arg)
	if err != nil || ttl < minTTL {
		return d.Errf("ttl: %q is not a duration of at least 1m; write one such as 1h", arg)
	}
	*v = caddy.Duration(ttl)
	return nil
}

// checkAddresses leaves those with placeholders to Provision.
func checkAddresses(d *caddyfile.Dispenser, scheme string, args []string) error {
	for _, arg := range args {
		if err := checkAddress(scheme, arg); err != nil && !strings.Contains(arg, "{") {
			return d.WrapErr(err)
		}
	}
	return nil
}

// check finds contradictory options, which the line then tells of.
func (t *TURN) check(d *caddyfile.Dispenser) error {
	if err := t.contradiction(); err != nil {
		return d.WrapErr(err)
	}
	return nil
}
