package socketio

import (
	"context"
	"slices"
	"sync"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// target is a set of a namespace's sockets. It is a value, never changed.
type target struct {
	ns            *namespace
	rooms, except []string
	// none is the set of To without a room.
	volatile, none, local bool
}

var _ gateway.Target = target{}

func (t target) To(rooms ...string) gateway.Target {
	t.rooms = slices.Concat(t.rooms, rooms)
	t.none = len(t.rooms) == 0
	return t
}

func (t target) Except(rooms ...string) gateway.Target {
	t.except = slices.Concat(t.except, rooms)
	return t
}

func (t target) Volatile() gateway.Target {
	t.volatile = true
	return t
}

func (t target) Local() gateway.Target {
	t.local = true
	return t
}

var members = sync.Pool{New: func() any { return new([]*Socket) }}

// each calls f for each socket of the set. No lock is held meanwhile: a broadcast
// to thousands must not keep joins waiting.
func (t target) each(f func(*Socket)) {
	if t.none {
		return
	}
	list := members.Get().(*[]*Socket)
	all := t.ns.collect((*list)[:0], t.rooms, t.except)
	for _, s := range all {
		f(s)
	}
	clear(all)
	*list = all
	members.Put(list)
}

// Emit implements [gateway.Target].
func (t target) Emit(event string, args ...any) error {
	p, err := encodeArgs(event, args)
	if err != nil {
		return err
	}
	if log := t.ns.log(); log != nil && !t.volatile {
		log.broadcast(t, p)
		return nil
	}
	if line := t.ns.line(); line == nil || !line.then(func() { t.deliver(p) }) {
		t.deliver(p)
	}
	if link := t.remote(); link != nil {
		link.Publish(t.message(p))
	}
	return nil
}

// deliver sends an event to the sockets of this node.
func (t target) deliver(p payload) {
	m := p.frame(kindEvent, t.ns.name, nil)
	t.each(func(s *Socket) { s.receive(m, t.volatile) })
}

// receiveInOrder is receive for what is not in the log, so that it does not
// overtake what is.
func (s *Socket) receiveInOrder(m message, volatile bool) {
	if line := s.ns.line(); line == nil || !line.then(func() { s.receive(m, volatile) }) {
		s.receive(m, volatile)
	}
}

// sendInOrder is the same for send.
func (s *Socket) sendInOrder(m message) error {
	if line := s.ns.line(); line != nil && line.then(func() { s.receive(m, false) }) {
		return nil
	}
	return s.send(m, false)
}

// receive sends a message of a broadcast. A client that is gone needs none; one
// that is still connecting and has been sent too much is closed, since nothing is
// dropped silently.
func (s *Socket) receive(m message, volatile bool) {
	if s.send(m, volatile) == errHeld {
		s.conn.session.Close("transport error")
	}
}

// Sockets implements [gateway.Target].
func (t target) Sockets(ctx context.Context) ([]gateway.SocketInfo, error) {
	all := t.infos()
	link := t.remote()
	if link == nil {
		return all, context.Cause(ctx)
	}
	others, err := link.Sockets(ctx, t.set())
	return append(all, others...), err
}

// infos describes the sockets of this node.
func (t target) infos() (all []gateway.SocketInfo) {
	t.each(func(s *Socket) {
		if s.Connected() {
			all = append(all, gateway.SocketInfo{
				ID: s.id, Rooms: s.Rooms(), Handshake: s.Handshake(), Identity: s.Identity(), Data: s.Data(),
			})
		}
	})
	return all
}

// Join implements [gateway.Target]; a socket that is gone or may join no more is
// left out, and its error returned if it is on this node.
func (t target) Join(rooms ...string) (err error) {
	t.each(func(s *Socket) {
		if e := s.Join(rooms...); e != nil && e != gateway.ErrDisconnected {
			err = e
		}
	})
	if link := t.remote(); link != nil {
		link.Join(t.set(), rooms)
	}
	return err
}

// Leave implements [gateway.Target].
func (t target) Leave(rooms ...string) error {
	t.each(func(s *Socket) {
		for _, room := range rooms {
			s.Leave(room)
		}
	})
	if link := t.remote(); link != nil {
		link.Leave(t.set(), rooms)
	}
	return nil
}

// Disconnect implements [gateway.Target].
func (t target) Disconnect(closeConnection bool) error {
	t.each(func(s *Socket) { s.Disconnect(closeConnection) })
	if link := t.remote(); link != nil {
		link.Disconnect(t.set(), closeConnection)
	}
	return nil
}
