package socketio

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"net/http"
	"reflect"
	"slices"

	"go.uber.org/zap"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// proof is the digest of the credentials of a request. The same ones need not be
// verified again, and are not kept as text.
type proof [sha256.Size]byte

// addRequestAuthenticator adds an authenticator that takes credentials from
// requests, once: namespaces may share it.
func addRequestAuthenticator(all []gateway.RequestAuthenticator, a gateway.Authenticator) []gateway.RequestAuthenticator {
	one, ok := a.(gateway.RequestAuthenticator)
	if !ok || reflect.TypeOf(one).Comparable() && slices.Contains(all, one) {
		return all
	}
	return append(all, one)
}

// prove is the digest of what the authenticators find in a request.
func prove(all []gateway.RequestAuthenticator, h *gateway.Handshake) (p proof) {
	sum := sha256.New()
	for _, one := range all {
		credential, _ := one.RequestCredential(h)
		// With its length, so that no two lists have the same text.
		_ = binary.Write(sum, binary.BigEndian, uint32(len(credential))) // never fails
		sum.Write([]byte(credential))
	}
	sum.Sum(p[:0])
	return p
}

// Admits implements [engineio.RequestReceiver]. The user of the session is the
// one of its first request's credential, whether a socket was let in by it or by
// its auth payload: someone else's credential is never its client's own.
func (c *conn) Admits(r *http.Request, websocket bool) (admitted bool) {
	all := c.server.generation.Load().requests
	if len(all) == 0 {
		return true
	}
	err := guard(func() error {
		admitted = c.admits(all, r, websocket)
		return nil
	})
	if err != nil {
		c.server.log().Error("authenticator failed", zap.Error(err))
	}
	return admitted
}

func (c *conn) admits(all []gateway.RequestAuthenticator, r *http.Request, websocket bool) bool {
	now := &gateway.Handshake{Header: r.Header, Query: r.URL.Query()}
	fresh := prove(all, now)
	if known := c.proof.Load(); known != nil && *known == fresh {
		return true
	}
	// The first of the further requests, a changed credential, or changed settings.
	first := &gateway.Handshake{Header: c.session.Header(), Query: c.session.Query()}
	for _, one := range all {
		if !c.sameUser(r.Context(), one, first, now, websocket) {
			return false
		}
	}
	if !websocket { // which may lack what polls must have
		c.proof.Store(&fresh)
	}
	return true
}

// sameUser reports whether a request comes from the user of the first one, as far
// as an authenticator can tell.
func (c *conn) sameUser(
	ctx context.Context, a gateway.RequestAuthenticator, first, now *gateway.Handshake, websocket bool,
) bool {
	had, always := a.RequestCredential(first)
	has, _ := a.RequestCredential(now)
	switch {
	case had == "", had == has:
		return true
	case has == "":
		return websocket && !always
	}
	user, err := a.CredentialUser(ctx, has)
	if err != nil {
		return false
	}
	owner, err := a.CredentialUser(ctx, had)
	if err != nil { // it has run out by now, or its key is another one
		owner = c.User()
	}
	return user != "" && user == owner
}
