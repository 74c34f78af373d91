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
// its auth payload, and where that request had none, the one who has entered by the
// payload: someone else's credential is never its client's own.
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
		// Whoever has found what makes it fail can send that all day.
		c.server.incidents().Line(zap.ErrorLevel, "authenticator failed", "panic",
			zap.Error(err), zap.Stringer("remote_ip", c.session.Client().IP))
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
	owner := c.User()
	for _, one := range all {
		if !sameUser(r.Context(), one, first, now, owner, websocket) {
			return false
		}
	}
	// A websocket may lack what polls must have. And as long as nobody has entered,
	// a credential that came later is compared with no one.
	if !websocket && (owner != "" || fresh == prove(all, first)) {
		c.proof.Store(&fresh)
	}
	return true
}

// sameUser reports whether a request comes from the user of the first one, as far
// as an authenticator can tell. owner is who has entered, "" for nobody yet.
func sameUser(
	ctx context.Context, a gateway.RequestAuthenticator, first, now *gateway.Handshake, owner string, websocket bool,
) bool {
	had, always := a.RequestCredential(first)
	has, _ := a.RequestCredential(now)
	switch {
	case had == has, had == "" && owner == "":
		return true
	case has == "":
		return websocket && !always
	}
	user, err := a.CredentialUser(ctx, has)
	if err != nil {
		return false
	}
	if had != "" {
		// It may have run out by now, or its key is another one.
		if known, err := a.CredentialUser(ctx, had); err == nil {
			owner = known
		}
	}
	return user != "" && user == owner
}
