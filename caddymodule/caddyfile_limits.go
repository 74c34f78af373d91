package caddymodule

import (
	"math"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/dustin/go-humanize"
)

func (h *Handler) parseLimits(d *caddyfile.Dispenser, b *block) error {
	l := &h.Limits
	return b.inner(d, "limits", []option{
		number("connections", &l.Connections),
		number("connections_per_ip", &l.ConnectionsPerIP),
		number("rooms_per_socket", &l.RoomsPerSocket),
		rates("handshakes_per_ip", &l.HandshakesPerIP),
		rates("events_per_socket", &l.EventsPerSocket),
		byteRates("bytes_per_socket", &l.BytesPerSocket),
		number("unauthenticated", &l.Unauthenticated),
		number("unauthenticated_per_ip", &l.UnauthenticatedPerIP),
		size("send_buffer", &l.SendBuffer, nil),
		{name: "exempt", repeats: true, parse: l.parseExempt},
	})
}

// parseExempt reads addresses and networks; private_ranges stands for the
// private ones, as in other directives.
func (l *Limits) parseExempt(d *caddyfile.Dispenser, b *block) error {
	var args []string
	if err := more(d, b, "exempt", &args); err != nil {
		return err
	}
	for _, arg := range args {
		if arg == "private_ranges" {
			l.Exempt = append(l.Exempt, caddyhttp.PrivateRangesCIDR()...)
		} else {
			l.Exempt = append(l.Exempt, arg)
		}
	}
	return nil
}

// rates is an option of a rate of things, such as 50/s, and optionally a burst.
func rates(name string, v **Rate) option {
	return rateOption(name, "<number>/s <burst>", "50/s, 600/m or 1000/h", "200", v, func(s string) (float64, bool) {
		n, err := strconv.ParseFloat(s, 64)
		return n, err == nil
	})
}

// byteRates is an option of a rate of bytes, such as 5MB/s, and optionally a
// burst.
func byteRates(name string, v **Rate) option {
	return rateOption(name, "<size>/s <burst>", "500KB/s, 5MB/s or 100MiB/m", "20MB", v, func(s string) (float64, bool) {
		n, err := humanize.ParseBytes(s)
		return float64(n), err == nil
	})
}

// rateOption is an option of a rate. syntax, examples and burst are for messages;
// parse reads the number in front of the unit of time, and a burst.
func rateOption(name, syntax, examples, burst string, v **Rate, parse func(string) (float64, bool)) option {
	return option{name: name, parse: func(d *caddyfile.Dispenser, b *block) error {
		arg, err := one(d, b, syntax)
		if err != nil {
			return err
		}
		if arg == "off" {
			*v = &Rate{PerSecond: -1}
			return nil
		}
		r := Rate{}
		var ok bool
		if r.PerSecond, ok = parseRate(arg, parse); !ok {
			return d.Errf("%s: %q is not a rate; write one such as %s, or off", b.full(name), arg, examples)
		}
		if d.NextArg() {
			n, ok := parse(d.Val())
			if !ok || n < 1 || n > largestBurst || n != math.Trunc(n) {
				return d.Errf("%s: the burst %q is not a number above zero; write %s %s %s", b.full(name), d.Val(), name, arg, burst)
			}
			r.Burst = int(n)
		}
		*v = &r
		return nil
	}}
}

// largestBurst is what a burst may be without overflowing on any platform.
const largestBurst = math.MaxInt32

// parseRate reads a rate such as "600/m" as a number a second.
func parseRate(s string, parse func(string) (float64, bool)) (float64, bool) {
	count, unit, _ := strings.Cut(s, "/")
	n, ok := parse(count)
	if !ok || !(n > 0) || math.IsInf(n, 0) {
		return 0, false
	}
	switch unit {
	case "s":
	case "m":
		n /= 60
	case "h":
		n /= 3600
	default:
		return 0, false
	}
	return n, true
}
