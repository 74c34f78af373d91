package auth

import (
	"errors"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// UnmarshalCaddyfile sets up the authenticator from Caddyfile tokens. Syntax:
//
//	auth caddy {
//	    user_header <header>
//	    name_header <header>
//	    role_header <header>
//	}
func (c *Caddy) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	var options []option
	for _, o := range c.options() {
		options = append(options, word(o.name, o.value))
	}
	return parse(d, "caddy", options, c.Validate)
}

// options are the options by their names in a Caddyfile.
func (c *Caddy) options() []namedValue {
	return []namedValue{{"user_header", &c.UserHeader}, {"name_header", &c.NameHeader}, {"role_header", &c.RoleHeader}}
}

type namedValue struct {
	name  string
	value *string
}

// UnmarshalCaddyfile sets up the authenticator from Caddyfile tokens. Syntax:
//
//	auth jwt {
//	    secret       <secret>
//	    public_key   <file>
//	    jwks         <url>
//	    cookie       <name>
//	    header       [<name>]
//	    query        <name>
//	    issuer       <issuer>
//	    audience     <audience...>
//	    leeway       <duration>
//	    require      <claim> <value...>
//	    user         <claim>
//	    display_name <claim>
//	    role         <claim>
//	    rooms        <claim> | patterns <pattern...>
//	    namespaces   <claim> | patterns <pattern...>
//	}
//
// One of secret, public_key and jwks is needed. Only require, rooms and
// namespaces may repeat. The header is Authorization, unless it is named.
func (j *JWT) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return parse(d, "jwt", []option{
		word("secret", &j.Secret),
		word("public_key", &j.PublicKey),
		word("jwks", &j.JWKS),
		word("cookie", &j.Cookie),
		{name: "header", parse: j.parseHeader},
		word("query", &j.Query),
		word("issuer", &j.Issuer),
		{name: "audience", parse: func(d *caddyfile.Dispenser) error {
			j.Audience = d.RemainingArgs()
			return atLeast(d, 1, len(j.Audience), "audience <audience...>")
		}},
		{name: "leeway", parse: j.parseLeeway},
		{name: "require", repeats: true, parse: j.parseRequire},
		word("user", &j.User),
		word("display_name", &j.DisplayName),
		word("role", &j.Role),
		scope("rooms", &j.Rooms),
		scope("namespaces", &j.Namespaces),
	}, j.check)
}

func (j *JWT) parseHeader(d *caddyfile.Dispenser) error {
	j.Header = "Authorization"
	if d.NextArg() {
		j.Header = d.Val()
	}
	return nil
}

func (j *JWT) parseLeeway(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.Err("auth jwt leeway: it needs a value; write leeway <duration>")
	}
	t, err := caddy.ParseDuration(d.Val())
	if err != nil || t < 0 {
		return d.Errf("auth jwt leeway: %q is no duration; write one such as 30s", d.Val())
	}
	j.Leeway = caddy.Duration(t)
	return nil
}

func (j *JWT) parseRequire(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if err := atLeast(d, 2, len(args), "require <claim> <value...>"); err != nil {
		return err
	}
	if j.Require[args[0]] != nil {
		return d.Errf("auth jwt require: the claim %s is required twice; put all its values on one line", args[0])
	}
	if j.Require == nil {
		j.Require = map[string][]string{}
	}
	j.Require[args[0]] = args[1:]
	return nil
}

// scope is an option of one claim, or of patterns.
func scope(name string, v **Scope) option {
	return option{name: name, repeats: true, parse: func(d *caddyfile.Dispenser) error {
		args := d.RemainingArgs()
		if err := atLeast(d, 1, len(args), name+" <claim>, or "+name+" patterns <pattern...>"); err != nil {
			return err
		}
		if *v == nil {
			*v = new(Scope)
		}
		s := *v
		switch {
		case args[0] == "patterns" && len(args) > 1:
			s.Patterns = append(s.Patterns, args[1:]...)
		case len(args) > 1:
			return d.Errf("auth jwt %s: it takes one claim; for patterns write %s patterns %s", name, name, strings.Join(args, " "))
		case s.Claim != "":
			return d.Errf("auth jwt %s: the claim was already set to %s; keep one of the two", name, s.Claim)
		default:
			s.Claim = args[0]
		}
		return nil
	}}
}

// option is an option of a block; parse is called at its name and consumes its
// arguments.
type option struct {
	name    string
	repeats bool
	parse   func(d *caddyfile.Dispenser) error
}

// word is an option of one word.
func word(name string, v *string) option {
	return option{name: name, parse: func(d *caddyfile.Dispenser) error {
		if !d.NextArg() || d.Val() == "" {
			return d.Errf("auth %s: it needs a value; write %s <value>", name, name)
		}
		*v = d.Val()
		return nil
	}}
}

func atLeast(d *caddyfile.Dispenser, want, got int, syntax string) error {
	if got < want {
		return d.Errf("auth jwt: it needs a value; write %s", syntax)
	}
	return nil
}

// parse reads the block of a module, whose name the dispenser comes to, and
// checks the result as Validate does, here with the line that is to blame.
func parse(d *caddyfile.Dispenser, module string, options []option, check func() error) error {
	d.Next() // consume the module's name
	start := d.Token()
	if d.NextArg() {
		return d.Errf("auth %s: it takes no argument %q; options go into its block", module, d.Val())
	}
	lines := map[string]caddyfile.Token{}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		at := d.Token()
		if err := parseOption(d, module, options, lines); err != nil {
			return err
		}
		lines[at.Text] = at
	}
	err := check()
	if err == nil {
		return nil
	}
	at, problem := start, err
	var w *optionError
	if errors.As(err, &w) {
		if line, ok := lines[w.option]; ok {
			at = line
		}
		if w.option == module {
			problem = w.err
		}
	}
	blamed := caddyfile.NewDispenser([]caddyfile.Token{at})
	blamed.Next()
	return blamed.Errf("auth %s: %w", module, problem)
}

func parseOption(d *caddyfile.Dispenser, module string, options []option, lines map[string]caddyfile.Token) error {
	name := d.Val()
	i := slices.IndexFunc(options, func(o option) bool { return o.name == name })
	if i < 0 {
		names := make([]string, len(options))
		for i, o := range options {
			names[i] = o.name
		}
		return d.Errf("auth %s has no option %q; there are: %s", module, name, strings.Join(names, ", "))
	}
	if first, ok := lines[name]; ok && !options[i].repeats {
		return d.Errf("auth %s %s: it was already set at line %d; keep one of the two", module, name, first.Line)
	}
	if err := options[i].parse(d); err != nil {
		return err
	}
	if d.NextArg() {
		return d.Errf("auth %s %s: one argument too many, %q; remove it", module, name, d.Val())
	}
	return nil
}

// Interface guards
var (
	_ caddyfile.Unmarshaler = (*Caddy)(nil)
	_ caddyfile.Unmarshaler = (*JWT)(nil)
)
