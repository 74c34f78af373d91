// Package auth has the built-in authenticators, Caddy modules in the namespace
// "http.handlers.socketio.auth": "jwt" reads identities from signed tokens, and
// "caddy" takes over those that Caddy's own handlers found.
//
// No error of this package contains a token or a part of one, so that errors
// may be logged.
package auth
