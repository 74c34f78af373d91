package auth

import (
	"context"
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/zap"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

func init() {
	caddy.RegisterModule(JWT{})
}

// JWT lets those in who have a valid JSON Web Token, and makes its claims their
// identity. The token is the field `token` of the client's auth payload:
//
//	io({ auth: (cb) => cb({ token: currentToken() }) })
//
// or, where the client sends none, stands in a cookie, a header or the query, as
// far as those are named here. The first place that holds a token decides, in
// this order. If the request that opens a connection has a token in one of these
// further places, every later request of the connection must have it too, or
// another valid token of the same user, else it gets 403. Only a websocket may come
// without the header.
//
// Tokens are signed by one of: a shared secret (HS256, HS384, HS512), or a key of
// which this server knows the public half (RS*, PS*, ES*, EdDSA), from a file or
// from a JWKS endpoint. Only the algorithms that fit the kind of key are
// accepted, and never `none`. A socket's identity ends at the token's `exp` plus
// the leeway; the client can renew it before. Tokens over 8 KB are refused.
//
// All methods may be called concurrently, once it is provisioned.
type JWT struct {
	// The secret that tokens are signed with, at least 32 bytes. Placeholders
	// such as `{env.JWT_SECRET}` and `{file./run/secrets/jwt}` are read when the
	// configuration is loaded, and keep it out of the configuration.
	Secret string `json:"secret,omitempty"`

	// A PEM file with the public keys, or certificates, of the keys that
	// tokens are signed with. It is read when the configuration is loaded.
	PublicKey string `json:"public_key,omitempty"`

	// The URL of the key set (JWKS) of the token issuer. It is fetched when
	// the first token comes, again after an hour, and when a token names a key
	// that is not in it, though at most every ten seconds. While the issuer
	// cannot be reached, the keys known so far stay valid. Config reloads keep
	// them. Use https: over plain HTTP, for which the log has a warning unless
	// the host is this machine, whoever is on the way can sign tokens.
	JWKS string `json:"jwks,omitempty"`

	// The cookie that may hold the token. The server must then be closed to
	// pages of other origins, as it is by default. Default: none.
	Cookie string `json:"cookie,omitempty"`

	// The request header that may hold the token, alone or after `Bearer`.
	// Browsers cannot set headers for websockets. Default: none.
	Header string `json:"header,omitempty"`

	// The query parameter that may hold the token. Beware: URLs end up in the
	// logs of proxies; keep it out of Caddy's with the `filter` encoder.
	// Default: none.
	Query string `json:"query,omitempty"`

	// The issuer (`iss`) that a token must name. Default: any.
	Issuer string `json:"issuer,omitempty"`

	// The audiences (`aud`), one of which a token must name. Default: any.
	// Set it where the same issuer signs tokens for other services as well.
	Audience []string `json:"audience,omitempty"`

	// How far the clocks of issuer and server may differ. It also lengthens
	// the life of tokens. Default: 0.
	Leeway caddy.Duration `json:"leeway,omitempty"`

	// Further claims that a token must have, with the values of which one must
	// be the claim's, or among the claim's if it is a list. A claim inside of
	// others is named with dots, such as `realm_access.roles`.
	Require map[string][]string `json:"require,omitempty"`

	// The claim with the user's id; a token without it is refused.
	// Default: `sub`.
	User string `json:"user,omitempty"`

	// The claim with the name to show to others. Default: `name`.
	DisplayName string `json:"display_name,omitempty"`

	// The claim with the user's role; of a list, the first. Default: `role`.
	Role string `json:"role,omitempty"`

	// The rooms that the user may enter. Default: all.
	Rooms *Scope `json:"rooms,omitempty"`

	// The namespaces that the user may enter. Default: all.
	Namespaces *Scope `json:"namespaces,omitempty"`

	keys   keySource
	parser *jwt.Parser
	logger *zap.Logger
}

// Scope says which names a user may use: those in a claim of the token, those
// that match a pattern, or both.
type Scope struct {
	// The claim with a name or pattern, or a list of them. A token without it
	// allows none.
	Claim string `json:"claim,omitempty"`

	// Names or patterns, in which `*` stands for any characters and
	// `{claim.sub}` for the claim `sub`. One whose claim the token lacks
	// allows nothing.
	Patterns []string `json:"patterns,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (JWT) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.socketio.auth.jwt",
		New: func() caddy.Module { return new(JWT) },
	}
}

// Provision reads the keys. It uses no network.
func (j *JWT) Provision(ctx caddy.Context) error {
	j.logger = ctx.Logger()
	if err := j.check(); err != nil {
		return err
	}
	j.applyDefaults()
	var err error
	if j.keys, err = j.openKeys(); err != nil {
		return err
	}
	options := []jwt.ParserOption{
		jwt.WithValidMethods(j.keys.methods()),
		jwt.WithLeeway(leeway(j.Leeway)),
		jwt.WithStrictDecoding(),
	}
	if j.Issuer != "" {
		options = append(options, jwt.WithIssuer(j.Issuer))
	}
	if len(j.Audience) > 0 {
		options = append(options, jwt.WithAudience(j.Audience...))
	}
	j.parser = jwt.NewParser(options...)
	return nil
}

func (j *JWT) applyDefaults() {
	for v, d := range map[*string]string{&j.User: "sub", &j.DisplayName: "name", &j.Role: "role"} {
		if *v == "" {
			*v = d
		}
	}
}

// Validate checks the configuration.
func (j *JWT) Validate() error { return j.check() }

// Authenticate implements gateway.Authenticator.
func (j *JWT) Authenticate(
	ctx context.Context, ns string, h *gateway.Handshake, _ *gateway.Identity,
) (*gateway.Identity, error) {
	token, err := j.find(h)
	if err != nil {
		return nil, err
	}
	return j.identify(ctx, ns, token)
}

// Renew implements gateway.Renewer.
func (j *JWT) Renew(ctx context.Context, ns string, _ *gateway.Handshake, token string) (*gateway.Identity, error) {
	if token == "" {
		return nil, errors.New("the new token is empty")
	}
	return j.identify(ctx, ns, token)
}

// RequestCredential implements gateway.RequestAuthenticator. Browsers cannot set
// headers for websockets.
func (j *JWT) RequestCredential(h *gateway.Handshake) (token string, always bool) {
	if token := j.fromCookie(h); token != "" {
		return token, true
	}
	if token := j.fromHeader(h); token != "" {
		return token, false
	}
	return j.fromQuery(h), true
}

// CredentialUser implements gateway.RequestAuthenticator.
func (j *JWT) CredentialUser(ctx context.Context, token string) (string, error) {
	claims, err := j.verify(ctx, token)
	if err != nil {
		return "", err
	}
	id, err := j.identity(claims)
	if err != nil {
		return "", err
	}
	return id.ID, nil
}

// identify returns the identity that a token gives in a namespace.
func (j *JWT) identify(ctx context.Context, ns, token string) (*gateway.Identity, error) {
	claims, err := j.verify(ctx, token)
	if err != nil {
		return nil, err
	}
	if j.Namespaces != nil && !matchAny(j.Namespaces.names(claims), ns) {
		return nil, errors.New("the token does not allow this namespace")
	}
	id, err := j.identity(claims)
	if err != nil {
		return nil, fmt.Errorf("reading the token's claims: %w", err)
	}
	return id, nil
}

// Cleanup lets go of the keys.
func (j *JWT) Cleanup() error {
	if j.keys == nil {
		return nil
	}
	return j.keys.close()
}

// Interface guards
var (
	_ caddy.Provisioner            = (*JWT)(nil)
	_ caddy.Validator              = (*JWT)(nil)
	_ caddy.CleanerUpper           = (*JWT)(nil)
	_ gateway.Authenticator        = (*JWT)(nil)
	_ gateway.Renewer              = (*JWT)(nil)
	_ gateway.RequestAuthenticator = (*JWT)(nil)
)
