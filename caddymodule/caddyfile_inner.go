package caddymodule

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func (h *Handler) parseSessionCookie(d *caddyfile.Dispenser, b *block) error {
	c := new(SessionCookie)
	h.SessionCookie = c
	if d.NextArg() {
		c.Name = d.Val()
	}
	return b.inner(d, "session_cookie", []option{
		text("path", &c.Path),
		text("domain", &c.Domain),
		duration("max_age", &c.MaxAge),
		text("same_site", &c.SameSite),
		flag("secure", &c.Secure),
		flag("script_access", &c.ScriptAccess),
	})
}

func (h *Handler) parseCORS(d *caddyfile.Dispenser, b *block) error {
	c := new(CORS)
	h.CORS = c
	return b.inner(d, "cors", []option{
		moreWords("origins", &c.Origins),
		flag("credentials", &c.Credentials),
		words("methods", &c.Methods),
		words("allowed_headers", &c.AllowedHeaders),
		words("exposed_headers", &c.ExposedHeaders),
		duration("max_age", &c.MaxAge),
	})
}

// parseRecovery reads the time a client has to come back; without one it is the
// reference server's two minutes.
func (h *Handler) parseRecovery(d *caddyfile.Dispenser, b *block) error {
	if !d.NextArg() {
		h.Recovery = caddy.Duration(2 * time.Minute)
		return nil
	}
	if d.Val() == "off" {
		return nil
	}
	return parseDuration(d, b, "recovery", d.Val(), &h.Recovery)
}

func (h *Handler) parseNamespace(d *caddyfile.Dispenser, b *block) error {
	at := place(d)
	name, err := one(d, b, "<name>")
	if err != nil {
		return err
	}
	ns := &Namespace{Name: name}
	h.Namespaces = append(h.Namespaces, ns)
	b.places["namespace "+name] = at
	return b.inner(d, "namespace "+name, []option{
		{name: "auth", block: true, parse: func(d *caddyfile.Dispenser, _ *block) error {
			return parseModule(d, authModules, &ns.AuthRaw)
		}},
		{name: "gateway", block: true, parse: func(d *caddyfile.Dispenser, _ *block) error {
			return parseModule(d, gatewayModules, &ns.GatewayRaw)
		}},
	})
}

// moduleKind is a namespace of guest modules.
type moduleKind struct{ option, namespace, inlineKey string }

var (
	authModules    = moduleKind{"auth", "http.handlers.socketio.auth", "provider"}
	gatewayModules = moduleKind{"gateway", "http.handlers.socketio.gateways", "module"}
	clusterModules = moduleKind{"cluster", "http.handlers.socketio.cluster", "provider"}
)

// parseModule reads "<option> <module> …" into the module's JSON. The rest is the
// module's own syntax; one without any needs no parser.
func parseModule(d *caddyfile.Dispenser, kind moduleKind, raw *json.RawMessage) error {
	if !d.NextArg() {
		return d.Errf("%s: it needs a module; write %s <module>%s", kind.option, kind.option, suggestion("", kind.names()))
	}
	name := d.Val()
	info, err := caddy.GetModule(kind.namespace + "." + name)
	if err != nil {
		return d.Errf("%s: there is no module %s.%s in this Caddy; build it in with xcaddy, or use another%s",
			kind.option, kind.namespace, name, suggestion(name, kind.names()))
	}
	mod := info.New()
	if u, ok := mod.(caddyfile.Unmarshaler); ok {
		if err := u.UnmarshalCaddyfile(d.NewFromNextSegment()); err != nil {
			return err
		}
	} else if segment := d.NextSegment(); len(segment) > 1 {
		return d.Errf("%s %s: the module takes no options in a Caddyfile; remove them", kind.option, name)
	}
	*raw = caddyconfig.JSONModuleObject(mod, kind.inlineKey, name, nil)
	return nil
}

// names are the modules of the kind that are built in.
func (k moduleKind) names() []string {
	var out []string
	for _, m := range caddy.GetModules(k.namespace) {
		out = append(out, strings.TrimPrefix(string(m.ID), k.namespace+"."))
	}
	return out
}
