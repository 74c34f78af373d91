package socketio

import (
	"encoding/json"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// eventRenew is the event by which a client replaces its token.
const eventRenew = "renew"

const (
	// expiryNotice is how long before its end an identity's client is told.
	expiryNotice = 30 * time.Second
	// expiryCheck is how long at most the wall clock goes unread. Identities end
	// by it, while timers run by the monotonic clock, which nobody sets and which
	// stands still while a machine sleeps: one timer for the whole life of a token
	// would miss every jump of the wall clock.
	expiryCheck = 15 * time.Second
)

// expiry watches the end of a socket's identity. Its socket's mu guards it.
type expiry struct {
	timer *time.Timer
	told  bool // the client, that the end is near
}

func (e *expiry) stop() { e.timer.Stop() }

// left is how long an identity is still good for, by the wall clock.
func (s *Socket) left(id *gateway.Identity) time.Duration {
	// Without its monotonic reading, by which times are otherwise compared.
	return id.Expires.Sub(s.ns.server.settings().WallClock().Round(0))
}

// watchExpiry watches the end of the present identity, in place of an earlier one.
func (s *Socket) watchExpiry() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.expiry != nil {
		s.expiry.stop()
		s.expiry = nil
	}
	id := s.identity.Load()
	if id == nil || id.Expires.IsZero() || s.phase.Load() != phaseConnected {
		return
	}
	e := &expiry{}
	s.expiry = e
	// Not here: the client may be told at once, and the caller not be done.
	e.timer = time.AfterFunc(e.wait(s.left(id)), func() { s.checkExpiry(e) })
}

// wait is how long to wait for the next of what is due.
func (e *expiry) wait(left time.Duration) time.Duration {
	if !e.told {
		left -= expiryNotice
	}
	return max(0, min(left, expiryCheck))
}

// checkExpiry does what is due, and sets the timer for the rest.
func (s *Socket) checkExpiry(e *expiry) {
	s.mu.Lock()
	id := s.identity.Load()
	if s.expiry != e || id == nil {
		s.mu.Unlock()
		return
	}
	left := s.left(id)
	if left <= 0 {
		s.mu.Unlock()
		s.lapse(e)
		return
	}
	near := left <= expiryNotice
	tell := near && !e.told
	e.told = near // again, if the clock is set back
	e.timer.Reset(e.wait(left))
	s.mu.Unlock()
	if tell {
		s.tell("token-expiring", map[string]any{"expires": id.Expires.UnixMilli()})
	}
}

// lapsed reports whether the socket's identity has ended, and ends the socket
// then. It is asked for each event: none may pass between the end and the timer.
func (s *Socket) lapsed() bool {
	id := s.identity.Load()
	if id == nil || id.Expires.IsZero() || s.left(id) > 0 {
		return false
	}
	s.mu.Lock()
	e := s.expiry
	s.mu.Unlock()
	if e != nil {
		s.lapse(e)
	}
	return true
}

// lapse ends the socket, once: its timer and an event may come together.
func (s *Socket) lapse(e *expiry) {
	s.mu.Lock()
	current := s.expiry == e
	if current {
		e.stop()
		s.expiry = nil
	}
	s.mu.Unlock()
	if !current {
		return
	}
	s.tell("exception", map[string]any{
		"status": "error", "code": "token-expired", "message": "the token has expired",
	})
	s.drop(reasonServer, true)
}

// tell emits an event of ours; that the client has gone meanwhile is no error.
func (s *Socket) tell(event string, arg any) {
	if err := s.Emit(event, arg); err != nil && !errors.Is(err, gateway.ErrDisconnected) {
		s.logFailure(event, err)
	}
}

// renewer is who renews the socket's identity, nil if nobody does.
func (s *Socket) renewer() gateway.Renewer {
	if s.binding == nil {
		return nil
	}
	r, _ := s.binding.authenticator.(gateway.Renewer)
	return r
}

// renew handles the event of that name, in every namespace.
func (s *Socket) renew(r gateway.Renewer, ev *gateway.Event) (any, error) {
	var arg struct {
		Token json.RawMessage `json:"token"`
	}
	if err := ev.Args.Decode(0, &arg); err != nil {
		return nil, err
	}
	var token string
	if json.Unmarshal(arg.Token, &token) != nil || token == "" {
		return nil, &gateway.Error{Code: "invalid-payload", Message: "token must be a string"}
	}
	var fresh *gateway.Identity
	err := guard(func() (err error) {
		fresh, err = r.Renew(s.ctx, s.ns.name, s.Handshake(), token)
		return err
	})
	if err != nil {
		s.notRenewed("unauthorized", zap.NamedError("cause", err))
		return nil, &gateway.Error{Code: "unauthorized"}
	}
	old := s.identity.Load()
	if fresh == nil || old == nil || fresh.ID != old.ID {
		s.notRenewed("other_user")
		return nil, &gateway.Error{Code: "forbidden", Message: "the token is another user's"}
	}
	s.identity.Store(fresh)
	s.watchExpiry()
	answer := map[string]any{"ok": true}
	if !fresh.Expires.IsZero() {
		answer["expires"] = fresh.Expires.UnixMilli()
	}
	return answer, nil
}

// tellRenewed tells the gateway of a renewal.
func (s *Socket) tellRenewed() {
	w, ok := s.binding.gateway.(gateway.RenewalWatcher)
	if !ok {
		return
	}
	if err := guard(func() error { w.Renewed(s.ctx, s); return nil }); err != nil {
		s.logFailure(eventRenew, err)
	}
}

// notRenewed logs why a renewal was refused; the client may try again as it likes.
func (s *Socket) notRenewed(reason string, more ...zap.Field) {
	s.ns.server.incidents().Line(zap.WarnLevel, "renewal refused", reason, s.fields(more...)...)
}
