package gateway

import (
	"context"
	"net/http"
)

// Authenticator decides who may enter a namespace. It is a Caddy module in the
// namespace "http.handlers.socketio.auth". All methods may be called
// concurrently.
type Authenticator interface {
	// Authenticate returns the identity of a client that enters ns, nil for an
	// anonymous one. An error refuses it: the client gets "connect_error" with
	// the message "unauthorized", and only the log gets the reason. user is
	// the identity that Caddy's own handlers gave the first request, nil
	// without one. ctx ends when the client goes away.
	Authenticate(ctx context.Context, ns string, h *Handshake, user *Identity) (*Identity, error)
}

// Renewer is implemented by authenticators whose identities expire and can be
// renewed while the socket lives.
type Renewer interface {
	// Renew returns the identity that a new token gives. The caller makes sure
	// that it is the same user's.
	Renew(ctx context.Context, ns string, h *Handshake, token string) (*Identity, error)
}

// RequestAuthenticator is implemented by authenticators that take a client's
// credential from its requests, such as a token in a cookie. If the request that
// opens a connection has one, all further requests of the connection must have the
// same, or another valid one of the same user; others are refused, so that a
// stolen session id is of no use to another user. The credential is compared as
// text, and verified only when it has changed.
type RequestAuthenticator interface {
	// RequestCredential returns what a request carries to prove its user, ""
	// for nothing; of h, Header and Query are set. always tells that the client
	// can send it with every request; otherwise a websocket may come without.
	// It is called for each request.
	RequestCredential(h *Handshake) (credential string, always bool)
	// CredentialUser returns the user whose valid credential it is. ctx ends
	// with the request.
	CredentialUser(ctx context.Context, credential string) (user string, err error)
}

// RequestIdentifier is implemented by authenticators that believe headers which a
// handler or proxy in front sets on every request. The requests of a connection
// must then all name the same user; others are refused, so that a stolen session
// id is of no use to another user.
type RequestIdentifier interface {
	// RequestUser returns the user that a request's headers name, "" for none.
	RequestUser(h http.Header) string
}
