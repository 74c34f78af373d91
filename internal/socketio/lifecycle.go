package socketio

import (
	"context"
	"errors"
	"time"

	"github.com/zishang520/socket.io/v3/pkg/types"
	"go.uber.org/zap"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// errUnauthorized is what a client that is not let in gets; cause is logged.
func errUnauthorized(cause error) error {
	return &gateway.Error{Code: "unauthorized", Cause: cause}
}

// admit lets the client into the namespace or returns why not. It runs on a
// worker, before any handler.
func (s *Socket) admit() error {
	b := s.ns.binding.Load()
	if b == nil {
		return errUnauthorized(errNamespaceGone)
	}
	id, err := b.authenticate(s)
	if err != nil {
		return errUnauthorized(err)
	}
	s.identity.Store(id)
	if err := s.ns.admit(s); err != nil {
		return err
	}
	return s.bind(b)
}

// bind has a binding's gateway register the socket's handlers, which replace the
// present ones in one step.
func (s *Socket) bind(b *binding) (err error) {
	if err = b.initialize(); err != nil {
		return err
	}
	table := &handlers{}
	s.mu.Lock()
	s.building = table
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.building = nil
		s.mu.Unlock()
	}()
	if err = guard(func() error { return b.gateway.Connect(s.ctx, s) }); err != nil {
		// What it registered until then still cleans up after it, and after the
		// earlier binding.
		t := s.handlers.Load().clone()
		t.hooks = append(t.hooks, table.hooks...)
		s.handlers.Store(t)
		return err
	}
	s.handlers.Store(table.compact())
	s.binding = b
	if !s.Connected() {
		return context.Cause(s.ctx) // it may have gone meanwhile
	}
	return nil
}

// rebind lets a new generation's gateway take the socket over. It runs on the
// socket's worker before each event, so that no handler of the old generation
// starts after the new one has come.
func (s *Socket) rebind() {
	b := s.ns.binding.Load()
	if b == s.binding || b == nil || s.phase.Load() != phaseConnected {
		return
	}
	if err := s.bind(b); err != nil {
		s.binding = b
		s.logFailure("connect", err)
		s.drop(reasonServer, true)
	}
}

// refusal is what the client is told of an error of admit.
func (s *Socket) refusal(err error) *types.ExtendedError {
	reason := "gateway"
	var own *gateway.Error
	switch {
	case s.conn.closed.Load(), errors.Is(err, gateway.ErrDisconnected):
		reason = "closed"
	case errors.As(err, &own) && own.Code == "unauthorized":
		reason = "unauthorized"
	}
	s.ns.server.settings().Observer.Refused(s.ns.configured(), reason)
	s.ns.server.incidents().Line(zap.InfoLevel, "connection refused", reason, s.fields(zap.NamedError("cause", cause(err)))...)
	wire := toClient(err)
	data := map[string]any{}
	for k, v := range wire.Data {
		data[k] = v
	}
	data["code"] = wire.Code
	if !encodable(data) {
		data = map[string]any{"code": wire.Code}
	}
	return types.NewExtendedError(wire.Message, data)
}

// opening is called by the adapter right before CONNECT is written: from then on
// events may come, or the end, and whoever has read it may count on its place.
func (s *Socket) opening() {
	s.conn.identified(s.userID())
	if s.phase.CompareAndSwap(phaseConnecting, phaseOpening) {
		s.conn.entered()
	}
}

// ready is called when the client has been told that it is connected.
func (s *Socket) ready() {
	if !s.begin() {
		return
	}
	s.ns.server.settings().Observer.Connected(s.ns.configured(), s.Transport(), s)
	s.log().Info("client connected", s.fields(zap.String("session", s.conn.session.Label()))...)
	s.watchExpiry()
	s.release()
	if s.ctx.Err() != nil { // dropped when it was too late for admit to refuse it
		s.mu.Lock()
		reason := s.reason
		s.mu.Unlock()
		s.conn.takeDown(s.lib, thrownOut(reason))
	}
}

// begin sends what has waited for the client, and reports false if the socket is
// gone already.
func (s *Socket) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase.Load() != phaseOpening {
		return false
	}
	// It goes first: once the phase says so, others send without the lock.
	s.held.flush(s.conn.session)
	s.phase.Store(phaseConnected)
	s.connected = time.Now()
	s.openedNow()
	return true
}

// openedNow wakes those that wait for the end of the opening. It must be called
// with mu held.
func (s *Socket) openedNow() {
	if s.opened != nil {
		close(s.opened)
		s.opened = nil
	}
}

// awaitOpened waits for the end of the opening, which takes the library a few
// steps that wait for nobody.
func (s *Socket) awaitOpened() {
	s.mu.Lock()
	if s.phase.Load() != phaseOpening {
		s.mu.Unlock()
		return
	}
	if s.opened == nil {
		s.opened = make(chan struct{})
	}
	wait := s.opened
	s.mu.Unlock()
	<-wait
}

// drop ends the socket from our side, or on the client's DISCONNECT. tell sends
// it a DISCONNECT.
func (s *Socket) drop(reason string, tell bool) {
	s.setReason(reason)
	if s.phase.Load() == phaseConnecting {
		s.cancel(gateway.ErrDisconnected) // admit refuses it, or ready takes it down
		if s.phase.Load() == phaseConnecting {
			return
		}
	}
	s.awaitOpened()
	if s.phase.Load() == phaseConnected {
		s.conn.takeDown(s.lib, tell)
	}
}

// setReason keeps the first reason.
func (s *Socket) setReason(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reason == "" {
		s.reason = reason
	}
}

// finish is called once the library or the session has let the socket go, and may
// be called again. It ends everything but the handlers that run or wait; after
// them, end tells the hooks.
func (s *Socket) finish(reason string) {
	s.setReason(reason)
	rooms := s.ns.leave(s)
	s.mu.Lock()
	before := s.phase.Swap(phaseClosed)
	if before == phaseClosed {
		s.mu.Unlock()
		return
	}
	s.lastRooms = rooms
	s.held = held{}
	s.openedNow()
	pending := s.pending
	s.pending = nil
	if s.expiry != nil {
		s.expiry.stop()
	}
	s.mu.Unlock()
	s.cancel(gateway.ErrDisconnected)
	for id, sink := range pending {
		sink.gone(s, id)
	}
	s.conn.leave(s)
	s.ns.log().unwatch(s)
	if before < phaseConnected && s.restored != nil && s.conn.closed.Load() {
		s.ns.log().putBack(s.restored)
	}
	s.queue.end(s, thrownOut(s.reason))
	if before < phaseConnected {
		s.release()
	}
}

// end runs on a worker, after the last handler.
func (s *Socket) end() {
	s.mu.Lock()
	reason, connected := s.reason, s.connected
	rooms := append([]string(nil), s.lastRooms...)
	s.mu.Unlock()
	for _, hook := range s.handlers.Load().hooks {
		if err := guard(func() error { hook(reason, rooms); return nil }); err != nil {
			s.logFailure("disconnect", err)
		}
	}
	if !connected.IsZero() {
		s.ns.server.settings().Observer.Disconnected(s.ns.configured(), s.Transport(), s, reason)
		s.logEnd(reason, time.Since(connected))
	}
	s.ns.server.leave(s.ns)
}

// logEnd says what an access log cannot say of a websocket, whose line is written
// when it opens. The bytes are the session's, of all its namespaces.
func (s *Socket) logEnd(reason string, duration time.Duration) {
	line := s.log().Check(zap.InfoLevel, "client disconnected")
	if line == nil {
		return
	}
	in, out := s.conn.session.Bytes()
	line.Write(s.fields(
		zap.String("session", s.conn.session.Label()),
		zap.String("reason", reason), zap.Duration("duration", duration),
		zap.Uint64("bytes_in", in), zap.Uint64("bytes_out", out))...)
}

// thrownOut reports whether it was the server that ended the socket.
func thrownOut(reason string) bool { return reason == reasonServer }

func (s *Socket) log() *zap.Logger { return s.ns.server.log() }

// fields are those of every log line about the socket.
func (s *Socket) fields(more ...zap.Field) []zap.Field {
	return append([]zap.Field{
		zap.String("namespace", s.ns.name),
		zap.String("socket", s.id),
		zap.Stringer("remote_ip", s.conn.session.Client().IP),
		zap.String("transport", s.conn.session.Transport()),
		zap.String("user", s.userID()),
	}, more...)
}
