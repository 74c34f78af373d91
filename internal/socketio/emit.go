package socketio

import (
	"context"
	"errors"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
	"github.com/caddy-socketio/caddy-socketio/internal/incidents"
)

// Bounds of what waits for a client that is just connecting.
const (
	maxHeld      = 256
	maxHeldBytes = 1e6
)

// maxPendingAcks bounds the acks that one client owes us.
const maxPendingAcks = 1000

var (
	errHeld        = errors.New("too much was sent before the client was connected")
	errPendingAcks = errors.New("too many acks are pending")
)

// held are messages that wait for the client to be connected.
type held struct {
	missed   []message // what a recovered socket has missed
	messages []message
	bytes    int
}

func (h *held) add(m message) bool {
	if len(h.messages) >= maxHeld || h.bytes+m.size() > maxHeldBytes {
		return false
	}
	h.messages = append(h.messages, m)
	h.bytes += m.size()
	return true
}

func (h *held) flush(one session) {
	for _, m := range h.missed {
		one.Send(m...)
	}
	for _, m := range h.messages {
		one.Send(m...)
	}
	*h = held{}
}

// send gives a message to the session, or keeps it until the client is connected.
func (s *Socket) send(m message, volatile bool) error {
	switch s.phase.Load() {
	case phaseConnected:
		if volatile && !s.conn.session.Writable() {
			return nil
		}
		if !s.conn.session.Send(m...) {
			return gateway.ErrDisconnected
		}
		return nil
	case phaseClosed:
		return gateway.ErrDisconnected
	}
	s.mu.Lock()
	if s.phase.Load() >= phaseConnected {
		s.mu.Unlock()
		return s.send(m, volatile)
	}
	defer s.mu.Unlock()
	if volatile {
		return nil
	}
	if !s.held.add(m) {
		return errHeld
	}
	return nil
}

// Emit implements [gateway.Socket].
func (s *Socket) Emit(event string, args ...any) error {
	if log := s.ns.log(); log != nil {
		p, err := encodeArgs(event, args)
		if err != nil {
			return err
		}
		return log.emitTo(s, p)
	}
	m, err := encodeMessage(event, args, kindEvent, s.ns.name, nil)
	if err != nil {
		return err
	}
	return s.send(m, false)
}

// EmitWithAck implements [gateway.Socket].
func (s *Socket) EmitWithAck(ctx context.Context, event string, args ...any) (gateway.Args, error) {
	p, err := encodeArgs(event, args)
	if err != nil {
		return gateway.Args{}, err
	}
	w := &waiter{make(chan ackResult, 1)}
	id := s.ns.nextID()
	if err := s.expect(id, w); err != nil {
		return gateway.Args{}, err
	}
	defer s.forget(id)
	s.ns.server.busy.add(1)
	defer s.ns.server.busy.add(-1)
	if err := s.sendInOrder(p.frame(kindEvent, s.ns.name, &id)); err != nil {
		return gateway.Args{}, err
	}
	select {
	case r := <-w.result:
		return r.args, r.err
	case <-ctx.Done():
		return gateway.Args{}, context.Cause(ctx)
	}
}

// ackSink gets the ack of an event that was sent. Exactly one of its methods is
// called for each socket and id, if the ack was not forgotten before. Neither
// blocks.
type ackSink interface {
	ack(s *Socket, args gateway.Args)
	gone(s *Socket, id uint64)
}

type ackResult struct {
	args gateway.Args
	err  error
}

// waiter is the sink of one socket's ack.
type waiter struct{ result chan ackResult }

func (w *waiter) ack(_ *Socket, args gateway.Args) { w.result <- ackResult{args: args} }

func (w *waiter) gone(*Socket, uint64) { w.result <- ackResult{err: gateway.ErrDisconnected} }

// expect registers a sink for the ack of an id.
func (s *Socket) expect(id uint64, sink ackSink) error {
	err := s.owe(id, sink)
	if err == errPendingAcks {
		s.limited(incidents.PendingAcks)
	}
	return err
}

func (s *Socket) owe(id uint64, sink ackSink) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.phase.Load() == phaseClosed:
		return gateway.ErrDisconnected
	case len(s.pending) >= maxPendingAcks:
		return errPendingAcks
	case s.pending == nil:
		s.pending = make(map[uint64]ackSink)
	}
	s.pending[id] = sink
	return nil
}

func (s *Socket) forget(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pending, id)
}

// acknowledge takes an ack from the client. Acks never wait behind events, so a
// handler can wait for one of its own client. It reports false for an unknown id:
// an ack that came too late, or that nobody has asked for.
func (s *Socket) acknowledge(in *inbound) bool {
	s.mu.Lock()
	sink := s.pending[in.id]
	delete(s.pending, in.id)
	s.mu.Unlock()
	if sink == nil || !in.hasID {
		return false
	}
	sink.ack(s, in.args())
	return true
}
