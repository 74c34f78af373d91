package redis

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"
)

// UnmarshalCaddyfile sets up the module from Caddyfile tokens. Syntax:
//
//	redis <url> {
//	    user              <name>
//	    password          <password>
//	    sentinel_user     <name>
//	    sentinel_password <password>
//	    tls {
//	        ca          <file>
//	        certificate <file> <key file>
//	        server_name <name>
//	    }
//	    prefix            <prefix>
//	    adapter           streams | pubsub
//	    stream            <name>
//	    session_prefix    <prefix>
//	    max_length        <number>
//	    timeout           <duration>
//	    request_timeout   <duration>
//	    queue_size        <size>
//	    publish_on_specific_response_channel
//	}
func (r *Cluster) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the module's name
	places := map[string]string{"": place(d), "url": place(d)}
	if !d.AllArgs(&r.URL) {
		return d.Err("cluster redis: it takes one URL; write one such as redis://localhost:6379")
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := r.option(d, places); err != nil {
			return err
		}
	}
	return located(r.check(), places)
}

// place is where the dispenser is, in words.
func place(d *caddyfile.Dispenser) string { return fmt.Sprintf("%s:%d", d.File(), d.Line()) }

// located adds to a problem where its option stands.
func located(err error, places map[string]string) error {
	var p *problem
	if !errors.As(err, &p) {
		return err
	}
	return fmt.Errorf("%w, at %s", err, places[p.option])
}

// option reads the option that the dispenser is at.
func (r *Cluster) option(d *caddyfile.Dispenser, places map[string]string) error {
	name := d.Val()
	options := r.parsers()
	parse := options[name]
	if parse == nil {
		var names []string
		for name := range options {
			names = append(names, name)
		}
		slices.Sort(names)
		return d.Errf("cluster redis has no option %q; there are: %s", name, strings.Join(names, ", "))
	}
	if first, ok := places[name]; ok {
		return d.Errf("cluster redis %s: it was already set at %s; keep one of the two", name, first)
	}
	places[name] = place(d)
	return parse(d)
}

// parsers are the options by their names.
func (r *Cluster) parsers() map[string]func(d *caddyfile.Dispenser) error {
	return map[string]func(d *caddyfile.Dispenser) error{
		"user": text(&r.User), "password": text(&r.Password),
		"sentinel_user": text(&r.SentinelUser), "sentinel_password": text(&r.SentinelPassword),
		"prefix": text(&r.Prefix), "adapter": text(&r.Adapter), "stream": text(&r.Stream), "session_prefix": text(&r.SessionPrefix),
		"timeout": duration(&r.Timeout), "request_timeout": duration(&r.RequestTimeout),
		"max_length": func(d *caddyfile.Dispenser) error {
			return one(d, "5000", func(v string) (err error) {
				r.MaxLength, err = strconv.ParseInt(v, 10, 64)
				return err
			})
		},
		"queue_size": func(d *caddyfile.Dispenser) error {
			return one(d, "16MB", func(v string) error {
				n, err := humanize.ParseBytes(v)
				r.QueueSize = int64(min(n, 1<<40)) // more than there is of memory
				return err
			})
		},
		"publish_on_specific_response_channel": func(d *caddyfile.Dispenser) error {
			r.SpecificResponses = true
			if name := d.Val(); d.NextArg() {
				return d.Errf("cluster redis %s: one argument too many, %q; remove it", name, d.Val())
			}
			return nil
		},
		"tls": func(d *caddyfile.Dispenser) error {
			r.TLS = new(TLS)
			return r.TLS.unmarshal(d)
		},
	}
}

// one reads an option's only argument. Neither is it shown in errors, nor what
// parse says of it: it may be a password in the wrong place.
func one(d *caddyfile.Dispenser, example string, parse func(v string) error) error {
	var v string
	name := d.Val()
	if !d.AllArgs(&v) {
		return d.Errf("cluster redis %s: it takes one argument; write it as %s %s", name, name, example)
	}
	if parse(v) != nil || v == "" {
		return d.Errf("cluster redis %s: this cannot be its value; write one such as %s", name, example)
	}
	return nil
}

func text(into *string) func(d *caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		return one(d, "<text>", func(v string) error {
			*into = v
			return nil
		})
	}
}

func duration(into *caddy.Duration) func(d *caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		return one(d, "3s", func(v string) error {
			parsed, err := caddy.ParseDuration(v)
			*into = caddy.Duration(parsed)
			return err
		})
	}
}

func (t *TLS) unmarshal(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.Err("cluster redis tls: it takes no argument, but a block; write tls { ... }")
	}
	places := map[string]string{}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name, syntax := d.Val(), "<file>"
		if first, ok := places[name]; ok {
			return d.Errf("cluster redis tls %s: it was already set at %s; keep one of the two", name, first)
		}
		places[name] = place(d)
		var ok bool
		switch name {
		case "ca":
			ok = d.AllArgs(&t.CA)
		case "certificate":
			ok, syntax = d.AllArgs(&t.Certificate, &t.Key), "<file> <key file>"
		case "server_name":
			ok, syntax = d.AllArgs(&t.ServerName), "<name>"
		default:
			return d.Errf("cluster redis tls has no option %q; there are: ca, certificate, server_name", name)
		}
		if !ok {
			return d.Errf("cluster redis tls %s: the number of arguments is wrong; write %s %s", name, name, syntax)
		}
	}
	return nil
}
