package caddymodule

import (
	"maps"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// option is one option of a block. parse is called with the dispenser at the
// option's name and consumes its arguments.
type option struct {
	name    string
	block   bool // it may have a block of its own, which parse consumes
	repeats bool
	parse   func(d *caddyfile.Dispenser, b *block) error
}

// block is a block of options while it is parsed. It refuses unknown and
// repeated options and superfluous arguments, so that no parser of an option has
// to.
type block struct {
	name    string
	options []option
	// places says where each option stands, those of inner blocks by their
	// full name such as "cors origins".
	places map[string]string
}

func (b *block) parse(d *caddyfile.Dispenser) error {
	if b.places == nil {
		b.places = map[string]string{}
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		o, err := b.find(d)
		if err != nil {
			return err
		}
		if first, ok := b.places[o.name]; ok && !o.repeats {
			return d.Errf("%s: it was already set at %s; keep one of the two", b.full(o.name), first)
		}
		b.places[o.name] = place(d)
		if err := o.parse(d, b); err != nil {
			return err
		}
		if err := b.end(d, o); err != nil {
			return err
		}
	}
	return nil
}

// find returns the option whose name the dispenser is at.
func (b *block) find(d *caddyfile.Dispenser) (option, error) {
	names := make([]string, len(b.options))
	for i, o := range b.options {
		if o.name == d.Val() {
			return o, nil
		}
		names[i] = o.name
	}
	return option{}, d.Errf("%s has no option %q%s", b.name, d.Val(), suggestion(d.Val(), names))
}

// end makes sure that an option's line ends after what it consumed.
func (b *block) end(d *caddyfile.Dispenser, o option) error {
	if d.NextArg() {
		return d.Errf("%s: one argument too many, %q; remove it", b.full(o.name), d.Val())
	}
	if o.block {
		return nil
	}
	// NextBlock steps over an empty block, to its end, and reports none.
	if before := d.Token(); d.NextBlock(d.Nesting()) || d.Token().Line != before.Line {
		return d.Errf("%s: it has no block; remove the braces", b.full(o.name))
	}
	return nil
}

// inner parses a block within an option of b, to whose places it adds its own.
func (b *block) inner(d *caddyfile.Dispenser, name string, options []option) error {
	in := block{name: b.full(name), options: options}
	err := in.parse(d)
	for option, place := range maps.All(in.places) {
		b.places[name+" "+option] = place
	}
	return err
}

// full is the name of an option in messages, within the directive.
func (b *block) full(name string) string {
	return strings.TrimPrefix(b.name+" "+name, "socketio ")
}
