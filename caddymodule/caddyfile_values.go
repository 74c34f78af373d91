package caddymodule

import (
	"math"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"
)

// one consumes the single argument of an option.
func one(d *caddyfile.Dispenser, b *block, what string) (string, error) {
	name := d.Val()
	if !d.NextArg() || d.Val() == "" {
		return "", d.Errf("%s: it needs a value; write %s %s", b.full(name), name, what)
	}
	return d.Val(), nil
}

func text(name string, v *string) option {
	return option{name: name, parse: func(d *caddyfile.Dispenser, b *block) (err error) {
		*v, err = one(d, b, "<"+name+">")
		return err
	}}
}

// words is an option of one or more words.
func words(name string, v *[]string) option {
	return option{name: name, parse: func(d *caddyfile.Dispenser, b *block) error {
		return more(d, b, name, v)
	}}
}

// moreWords is an option of words whose lines add up.
func moreWords(name string, v *[]string) option {
	o := words(name, v)
	o.repeats = true
	return o
}

func more(d *caddyfile.Dispenser, b *block, name string, v *[]string) error {
	args := d.RemainingArgs()
	if len(args) == 0 {
		return d.Errf("%s: it needs at least one value; write %s <%s...>", b.full(name), name, strings.TrimSuffix(name, "s"))
	}
	*v = append(*v, args...)
	return nil
}

// flag is an option that is on by its name alone.
func flag(name string, v *bool) option {
	return option{name: name, parse: func(d *caddyfile.Dispenser, b *block) error {
		*v = true
		if !d.NextArg() {
			return nil
		}
		switch d.Val() {
		case "on":
		case "off":
			*v = false
		default:
			return d.Errf("%s: %q is neither on nor off; write %s, or leave it out", b.full(name), d.Val(), name)
		}
		return nil
	}}
}

func duration(name string, v *caddy.Duration) option {
	return option{name: name, parse: func(d *caddyfile.Dispenser, b *block) error {
		arg, err := one(d, b, "<duration>")
		if err != nil {
			return err
		}
		return parseDuration(d, b, name, arg, v)
	}}
}

func parseDuration(d *caddyfile.Dispenser, b *block, name, arg string, v *caddy.Duration) error {
	t, err := caddy.ParseDuration(arg)
	if err != nil || t <= 0 {
		return d.Errf("%s: %q is not a duration above zero; write one such as 500ms, 20s or 2m", b.full(name), arg)
	}
	*v = caddy.Duration(t)
	return nil
}

// offAs is the value that "off" stands for in a size or number.
func offAs(v int64) *int64 { return &v }

// size is an option of bytes. off is what the word "off" stands for, nil when it
// cannot be off.
func size(name string, v *int64, off *int64) option {
	return option{name: name, parse: func(d *caddyfile.Dispenser, b *block) error {
		arg, err := one(d, b, "<size>")
		if err != nil {
			return err
		}
		if off != nil && arg == "off" {
			*v = *off
			return nil
		}
		n, err := humanize.ParseBytes(arg)
		if err != nil || n == 0 || n > math.MaxInt64 {
			return d.Errf("%s: %q is not a size above zero; write one such as 500KB, 1MB or 1MiB%s", b.full(name), arg, orOff(off != nil))
		}
		*v = int64(n)
		return nil
	}}
}

// number is an option that counts something, -1 when it is off.
func number(name string, v *int) option {
	return option{name: name, parse: func(d *caddyfile.Dispenser, b *block) error {
		arg, err := one(d, b, "<number>")
		if err != nil {
			return err
		}
		if arg == "off" {
			*v = -1
			return nil
		}
		n, err := strconv.ParseUint(arg, 10, 31)
		if err != nil || n == 0 {
			return d.Errf("%s: %q is not a number above zero; write one, or off", b.full(name), arg)
		}
		*v = int(n)
		return nil
	}}
}

func orOff(possible bool) string {
	if possible {
		return ", or off"
	}
	return ""
}
