package caddymodule

import (
	"errors"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	httpcaddyfile.RegisterHandlerDirective("socketio", parseCaddyfile)
	// Outside encode and templates: they must never touch what clients send to
	// each other, which templates would run.
	httpcaddyfile.RegisterDirectiveOrder("socketio", httpcaddyfile.Before, "encode")
}

func parseCaddyfile(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	handler := new(Handler)
	if err := handler.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	h.Reset()
	h.Next()
	if err := handler.checkTwin(h); err != nil {
		return nil, err
	}
	return handler, nil
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	socketio [<matcher>] {
//	    name               <name>
//	    path               <path>
//	    transports         polling | websocket ...
//	    ping_interval      <duration>
//	    ping_timeout       <duration>
//	    connect_timeout    <duration>
//	    upgrade_timeout    <duration>
//	    max_payload        <size>
//	    compression        <size> | off
//	    permessage_deflate <size> | off
//	    allow_eio3         [on | off]
//	    session_cookie     [<name>] {
//	        path           <path>
//	        domain         <domain>
//	        max_age        <duration>
//	        same_site      lax | strict | none
//	        secure         [on | off]
//	        script_access  [on | off]
//	    }
//	    serve_client       <dir>
//	    recovery           [<duration> | off]
//	    drain              <duration>
//	    cors {
//	        origins         <origin...>
//	        credentials     [on | off]
//	        methods         <method...>
//	        allowed_headers <header...>
//	        exposed_headers <header...>
//	        max_age         <duration>
//	    }
//	    auth <module> ...
//	    limits {
//	        connections        <number> | off
//	        connections_per_ip <number> | off
//	        handshakes_per_ip  <number>/s|m|h [<burst>] | off
//	        events_per_socket  <number>/s|m|h [<burst>] | off
//	        bytes_per_socket   <size>/s|m|h [<burst>] | off
//	        unauthenticated        <number> | off
//	        unauthenticated_per_ip <number> | off
//	        send_buffer        <size>
//	        rooms_per_socket   <number> | off
//	        exempt             <address or network...> | private_ranges
//	    }
//	    cluster <module> ...
//	    namespace <name> {
//	        auth    <module> ...
//	        gateway <module> ...
//	    }
//	}
//
// Only namespace, origins and exempt may repeat.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume directive name
	if d.NextArg() {
		return d.Errf("socketio takes no argument %q beside a matcher; options go into its block", d.Val())
	}
	b := block{name: "socketio", options: h.options()}
	if err := b.parse(d); err != nil {
		return err
	}
	return h.checkCaddyfile(d, b.places)
}

// options are those of the directive's block.
func (h *Handler) options() []option {
	return append(h.transportOptions(),
		text("name", &h.Name),
		text("path", &h.Path),
		text("serve_client", &h.ServeClient),
		option{name: "session_cookie", block: true, parse: h.parseSessionCookie},
		option{name: "cors", block: true, parse: h.parseCORS},
		option{name: "auth", block: true, parse: func(d *caddyfile.Dispenser, _ *block) error {
			return parseModule(d, authModules, &h.AuthRaw)
		}},
		option{name: "cluster", block: true, parse: func(d *caddyfile.Dispenser, _ *block) error {
			return parseModule(d, clusterModules, &h.ClusterRaw)
		}},
		option{name: "limits", block: true, parse: h.parseLimits},
		option{name: "namespace", block: true, repeats: true, parse: h.parseNamespace},
	)
}

func (h *Handler) transportOptions() []option {
	return []option{
		words("transports", &h.Transports),
		duration("ping_interval", &h.PingInterval),
		duration("ping_timeout", &h.PingTimeout),
		duration("connect_timeout", &h.ConnectTimeout),
		duration("upgrade_timeout", &h.UpgradeTimeout),
		duration("drain", &h.Drain),
		size("max_payload", &h.MaxPayload, nil),
		size("compression", &h.Compression, offAs(-1)),
		size("permessage_deflate", &h.PermessageDeflate, offAs(0)),
		flag("allow_eio3", &h.AllowEIO3),
		{name: "recovery", parse: h.parseRecovery},
	}
}

// checkCaddyfile checks the settings as Validate does, here with the lines that
// are to blame.
func (h *Handler) checkCaddyfile(d *caddyfile.Dispenser, places map[string]string) error {
	full := *h
	full.applyDefaults()
	err := full.check()
	var wrong *optionError
	if !errors.As(err, &wrong) {
		return err
	}
	var at []string
	for _, o := range wrong.options {
		if place := places[o]; place != "" {
			at = append(at, place)
		}
	}
	if len(at) == 0 {
		return d.WrapErr(err)
	}
	return errors.New(err.Error() + ", at " + strings.Join(at, " and "))
}

// twinKey is where the first directive without a name is noted while a
// Caddyfile is adapted.
const twinKey = "socketio.unnamed"

// checkTwin refuses a second directive without a name in one Caddyfile: whether
// the two sites are to share their clients and rooms is not for us to guess. A
// directive that several addresses of one site share is parsed once.
func (h *Handler) checkTwin(helper httpcaddyfile.Helper) error {
	if h.Name != "" {
		return nil
	}
	first, ok := helper.State[twinKey].(string)
	if !ok {
		helper.State[twinKey] = place(helper.Dispenser)
		return nil
	}
	return helper.Errf("name: this is the second socketio directive without a name, the first is at %s; give both a name: "+
		"the same name makes them one server, different names keep them apart", first)
}

// place says where the dispenser's current token stands: file, line and, if it
// was imported, from where.
func place(d *caddyfile.Dispenser) string {
	return strings.TrimPrefix(d.Err("").Error(), ", at ")
}

// Interface guard
var _ caddyfile.Unmarshaler = (*Handler)(nil)
