package auth

import (
	"context"
	"errors"
	"net/http"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

func init() {
	caddy.RegisterModule(Caddy{})
}

// Caddy lets those in whom Caddy's own handlers have authenticated: those with a
// user `{http.auth.user.id}`, as `basic_auth` and other authentication handlers
// set it, or with a request header that `forward_auth` has copied from its
// answer. The identity is that of the request which opened the connection. It
// does not expire. Its claims are `name`, `username`, `email`, `role`, `roles`,
// `groups`, `realm` and `sub` of `{http.auth.user.*}`, as far as they are set.
//
// Name a header only where a `forward_auth` with `copy_headers`, or a trusted
// proxy, sets it on every request of the site: anyone else could send it too.
//
// All methods may be called concurrently.
type Caddy struct {
	// The request header with the user's id, such as `Remote-User`, for
	// requests without `{http.auth.user.id}`. Default: none.
	UserHeader string `json:"user_header,omitempty"`

	// The request header with the name to show to others. Default: none.
	NameHeader string `json:"name_header,omitempty"`

	// The request header with the user's role. Default: none.
	RoleHeader string `json:"role_header,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (Caddy) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.socketio.auth.caddy",
		New: func() caddy.Module { return new(Caddy) },
	}
}

// Validate checks the configuration.
func (c *Caddy) Validate() error {
	for _, o := range c.options() {
		if err := checkHeaderName(o.name, *o.value); err != nil {
			return err
		}
	}
	return nil
}

// Authenticate implements gateway.Authenticator.
func (c *Caddy) Authenticate(
	_ context.Context, _ string, h *gateway.Handshake, user *gateway.Identity,
) (*gateway.Identity, error) {
	var id gateway.Identity
	switch {
	case user != nil && user.ID != "":
		id = *user
	case c.UserHeader != "" && h.Header.Get(c.UserHeader) != "":
		id.ID = h.Header.Get(c.UserHeader)
	default:
		return nil, errors.New("no handler of the site has authenticated the request")
	}
	if err := checkUser(id.ID); err != nil {
		return nil, err
	}
	if id.Name == "" && c.NameHeader != "" {
		id.Name = h.Header.Get(c.NameHeader)
	}
	if id.Role == "" && c.RoleHeader != "" {
		id.Role = h.Header.Get(c.RoleHeader)
	}
	return &id, nil
}

// RequestUser implements gateway.RequestIdentifier.
func (c *Caddy) RequestUser(h http.Header) string {
	if c.UserHeader == "" {
		return ""
	}
	return h.Get(c.UserHeader)
}

// Interface guards
var (
	_ caddy.Validator           = (*Caddy)(nil)
	_ gateway.Authenticator     = (*Caddy)(nil)
	_ gateway.RequestIdentifier = (*Caddy)(nil)
)
