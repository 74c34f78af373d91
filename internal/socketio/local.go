package socketio

import (
	"context"
	"encoding/json"
	"sync"

	"go.uber.org/zap"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// local is what a cluster sees of a namespace: the sockets of this node. All
// methods may be called concurrently.
type local struct {
	ns *namespace

	mu     sync.Mutex // guards the following fields
	events []serverSide
}

// serverSide is an event of another node's gateway.
type serverSide struct {
	m   *gateway.Message
	ack func(gateway.Args)
}

// maxServerSide bounds the events that wait for the gateway.
const maxServerSide = 1024

var _ gateway.Local = (*local)(nil)

func (l *local) target(set gateway.Set) target {
	return target{ns: l.ns, rooms: set.Rooms, except: set.Except, local: true}
}

// Encode implements [gateway.Local].
func (l *local) Encode(set gateway.Set, event string, args ...any) (*gateway.Message, error) {
	p, err := encodeArgs(event, args)
	if err != nil {
		return nil, err
	}
	return l.target(set).message(p), nil
}

// Has implements [gateway.Local]. With recovery a message may be for a socket that
// is about to come back.
func (l *local) Has(room string) bool {
	if l.ns.log() != nil {
		return true
	}
	l.ns.mu.RLock()
	defer l.ns.mu.RUnlock()
	return l.ns.rooms[room] != nil || l.ns.byID[room] != nil
}

// Deliver implements [gateway.Local].
func (l *local) Deliver(m *gateway.Message) {
	t := l.target(m.Set)
	t.volatile = m.Volatile
	p := payload{m.Data[:len(m.Data):len(m.Data)], m.Attachments}
	log := l.ns.log()
	switch {
	case log != nil && log.shared != nil && m.Own != 0:
		log.shared.line.back(m)
	case log != nil && log.shared != nil:
		log.receive(m, t.each)
	case log != nil && !m.Volatile:
		log.send(t, p)
	default:
		t.deliver(p)
	}
}

// Gap implements [gateway.Local]. What is kept from before it is of no use.
func (l *local) Gap() { l.lose(func(*history) {}) }

// Missed implements [gateway.Local].
func (l *local) Missed() { l.lose((*history).unwatchAll) }

// lose has the recovery log, if the cluster keeps one, forget what it has, and does
// what else follows for it.
func (l *local) lose(also func(*history)) {
	log := l.ns.log()
	if log == nil || log.shared == nil {
		return
	}
	log.mu.Lock()
	defer log.mu.Unlock()
	log.lose()
	also(log)
}

// Ask implements [gateway.Local].
func (l *local) Ask(ctx context.Context, m *gateway.Message, asked func(n int), ack func(gateway.Args)) {
	t := l.target(m.Set)
	id := l.ns.nextID()
	out := payload{m.Data[:len(m.Data):len(m.Data)], m.Attachments}.frame(kindEvent, l.ns.name, &id)
	sink := passOn(ack)
	var list []*Socket
	t.each(func(s *Socket) {
		if s.Connected() && s.expect(id, sink) == nil {
			list = append(list, s)
		}
	})
	asked(len(list)) // before any answer
	for _, s := range list {
		s.receiveInOrder(out, m.Volatile)
	}
	if len(list) > 0 {
		context.AfterFunc(ctx, func() {
			for _, s := range list {
				s.forget(id)
			}
		})
	}
}

// passOn is the sink of acks for another node. A socket that goes never answers
// there.
type passOn func(gateway.Args)

func (f passOn) ack(_ *Socket, args gateway.Args) { f(args) }
func (f passOn) gone(*Socket, uint64)             {}

// Join implements [gateway.Local]; sockets that may join no more are left out.
func (l *local) Join(set gateway.Set, rooms []string) {
	if err := l.target(set).Join(rooms...); err != nil {
		l.ns.server.log().Warn("another node's join", zap.String("namespace", l.ns.name), zap.Error(err))
	}
}

// Leave implements [gateway.Local].
func (l *local) Leave(set gateway.Set, rooms []string) { _ = l.target(set).Leave(rooms...) }

// Disconnect implements [gateway.Local].
func (l *local) Disconnect(set gateway.Set, closeConnection bool) {
	_ = l.target(set).Disconnect(closeConnection)
}

// Sockets implements [gateway.Local].
func (l *local) Sockets(set gateway.Set) []gateway.SocketInfo { return l.target(set).infos() }

// ServerSide implements [gateway.Local]. The gateway's code runs on a worker, one
// event after the other.
func (l *local) ServerSide(m *gateway.Message, ack func(gateway.Args)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.events) == maxServerSide {
		l.ns.server.log().Warn("server-side event lost: the gateway is too slow", zap.String("namespace", l.ns.name))
		return
	}
	l.events = append(l.events, serverSide{m, ack})
	if len(l.events) == 1 {
		l.ns.server.busy.add(1)
		l.ns.server.workers.run(l)
	}
}

// run implements job.
func (l *local) run() {
	defer l.ns.server.busy.add(-1)
	for {
		l.mu.Lock()
		one := l.events[0]
		l.mu.Unlock()
		if err := l.take(one); err != nil && cause(err) != nil {
			l.ns.server.log().Error("server-side event failed", zap.String("namespace", l.ns.name), zap.Error(cause(err)))
		}
		l.mu.Lock()
		l.events[0] = serverSide{}
		l.events = l.events[1:]
		done := len(l.events) == 0
		l.mu.Unlock()
		if done {
			return
		}
	}
}

// take has the gateway take an event, and answers it.
func (l *local) take(one serverSide) error {
	values, err := splitArray[json.RawMessage](one.m.Data, maxArguments, nil)
	if err != nil || len(values) == 0 {
		return errPayload
	}
	ev := &gateway.Event{Args: gateway.NewArgs(values[1:], one.m.Attachments), WantsAck: one.ack != nil}
	if err := json.Unmarshal(values[0], &ev.Name); err != nil {
		return errPayload
	}
	b := l.ns.binding.Load()
	if b == nil {
		return errNamespaceGone
	}
	receiver, ok := b.gateway.(gateway.ServerSideReceiver)
	if !ok {
		return l.answer(one, nil, nil)
	}
	var result any
	err = guard(func() (err error) {
		result, err = receiver.ServerSide(b.ctx, l.ns, ev)
		return err
	})
	return l.answer(one, result, err)
}

// answer answers an event if an answer is asked for: errors by code and message,
// as clients get them.
func (l *local) answer(one serverSide, result any, failure error) error {
	if one.ack == nil {
		return failure
	}
	if failure != nil {
		e := toClient(failure)
		result = map[string]any{"ok": false, "error": map[string]any{"code": e.Code, "message": e.Message}}
	}
	p, err := encodeArgs("", []any{result})
	if err != nil {
		return err
	}
	values, err := splitArray[json.RawMessage](p.array, 1, nil)
	if err != nil {
		return err
	}
	one.ack(gateway.NewArgs(values, p.attachments))
	return failure
}
