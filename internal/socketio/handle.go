package socketio

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
	"github.com/caddy-socketio/caddy-socketio/internal/incidents"
)

// take is what conn.deliver calls: an ack goes to who waits for it, an event into
// the queue.
func (s *Socket) take(in *inbound) {
	if s.lapsed() {
		return
	}
	if in.isAck && s.acknowledge(in) {
		s.meter.answer(in.size)
		return
	}
	in.socket = s
	settings := s.ns.server.settings()
	limit, v := s.meter.event(time.Now(), settings, in.size)
	switch {
	case v == rateAbuse:
		s.limited(limit, zap.Bool("closed", true))
		s.conn.session.Close(reasonForced)
	case v == rateOver:
		s.limited(limit)
		s.answerOver(in, limit)
	case !in.isAck: // one that nobody waits for only counts
		s.queue.push(in, 2*settings.MaxPayload)
	}
}

// answerOver tells the client that an event was refused. There is no answer to
// an ack.
func (s *Socket) answerOver(in *inbound, limit incidents.Limit) {
	if in.isAck {
		return
	}
	what := "too many events"
	if limit == incidents.BytesPerSocket {
		what = "too many bytes"
	}
	in.Name = string(in.name)
	s.answerError(in, &gateway.Error{Code: "rate-limited", Message: what})
}

// limited counts and logs that the client has run into a limit.
func (s *Socket) limited(l incidents.Limit, more ...zap.Field) {
	s.ns.server.incidents().Limit(l, s.fields(more...)...)
}

// handle runs the handler of an event and sends its answer. It runs on the
// socket's worker.
func (s *Socket) handle(in *inbound) {
	start := time.Now()
	table := s.handlers.Load()
	name, h := table.find(in.name)
	known := h != nil
	if h == nil {
		name, h = string(in.name), table.any
		known = s.declared(name)
	}
	in.Name, in.Args = name, in.args()
	if in.WantsAck {
		in.Answer = in.answerNow
	}
	if ce := s.log().Check(zap.DebugLevel, "event"); ce != nil {
		ce.Write(s.fields(zap.String("event", name))...)
	}
	renewer := s.renewer()
	renewing := name == eventRenew && renewer != nil
	known = known || renewing
	ctx, finish := s.traced(name, known)
	var result any
	var err error
	switch {
	case renewing:
		result, err = s.renew(renewer, &in.Event)
	case h == nil:
		err = &gateway.Error{Code: "unknown-event", Message: "unknown event"}
	default:
		result, err = invoke(ctx, h, in)
	}
	finish(err)
	s.answer(in, result, err)
	if renewing && err == nil {
		s.tellRenewed()
	}
	s.ns.server.settings().Observer.Handled(s.ns.configured(), name, known, time.Since(start), err)
}

// invoke calls a handler, whose panic is an error.
func invoke(ctx context.Context, h gateway.Handler, in *inbound) (result any, err error) {
	defer recoverTo(&err)
	return h(ctx, &in.Event)
}

// declared reports whether the gateway names an event that has no handler of its
// own. It runs on the socket's worker.
func (s *Socket) declared(event string) bool {
	if s.binding == nil {
		return false
	}
	_, ok := s.binding.events[event]
	return ok
}

// traced begins the span of an event, if its session's handshake had one. Names
// that clients make up stay out of it, as out of the metrics.
func (s *Socket) traced(event string, known bool) (context.Context, func(error)) {
	origin := s.conn.session.Trace()
	trace := s.ns.server.settings().Trace
	if origin == nil || trace == nil {
		return s.ctx, untraced
	}
	if !known {
		event = "other"
	}
	return trace(s.ctx, origin, s.ns.configured(), event)
}

func untraced(error) {}

// answer sends what a handler returned.
func (s *Socket) answer(in *inbound, result any, err error) {
	if err != nil {
		s.logFailure(in.Name, err)
		if !in.isAnswered() {
			s.answerError(in, err)
		}
		return
	}
	if in.isAnswered() {
		return
	}
	switch reply := result.(type) {
	case *gateway.Reply:
		if reply != nil {
			err = s.reply(in, reply)
		}
	case gateway.Reply:
		err = s.reply(in, &reply)
	default:
		if in.WantsAck {
			err = in.sendAck(result)
		}
	}
	if err != nil && !errors.Is(err, gateway.ErrDisconnected) {
		s.logFailure(in.Name, err)
		s.answerError(in, internalError)
	}
}

// reply sends an answer that is an event. A client that asked for an ack gets one
// in any case, an empty one if the reply holds none.
func (s *Socket) reply(in *inbound, r *gateway.Reply) error {
	if in.WantsAck && r.Ack != nil {
		return in.sendAck(r.Ack)
	}
	if err := s.Emit(r.Event, r.Args...); err != nil {
		return err
	}
	if in.WantsAck {
		return in.sendAck(nil)
	}
	return nil
}

var errAnswered = errors.New("the event has been answered already")

// sendAck sends the ack, once: v as its argument, none for nil.
func (in *inbound) sendAck(v any) error { return in.ack(v, (*Socket).sendInOrder) }

// answerNow sends the ack without waiting for what this node has sent before to
// come back from the cluster: a handler that answers from within the cluster's
// order has its place there.
func (in *inbound) answerNow(v any) error {
	return in.ack(v, func(s *Socket, m message) error { return s.send(m, false) })
}

func (in *inbound) ack(v any, send func(*Socket, message) error) error {
	var args []any
	if v != nil {
		args = []any{v}
	}
	s := in.socket
	m, err := encodeMessage("", args, kindAck, s.ns.name, &in.id)
	if err != nil {
		return err
	}
	s.mu.Lock()
	again := in.answered
	in.answered = true
	s.mu.Unlock()
	if again {
		return errAnswered
	}
	return send(s, m)
}

func (in *inbound) isAnswered() bool {
	in.socket.mu.Lock()
	defer in.socket.mu.Unlock()
	return in.answered
}

// answerError tells the client of an error: by the ack, or else by the event
// "exception".
func (s *Socket) answerError(in *inbound, err error) {
	e := toClient(err)
	fields := make(map[string]any, len(e.Data)+3)
	if encodable(e.Data) {
		for k, v := range e.Data {
			fields[k] = v
		}
	}
	fields["code"], fields["message"] = e.Code, e.Message
	if in.WantsAck {
		err = in.sendAck(map[string]any{"ok": false, "error": fields})
	} else {
		fields["status"], fields["event"] = "error", in.Name
		err = s.Emit("exception", fields)
	}
	if err != nil && !errors.Is(err, gateway.ErrDisconnected) && !errors.Is(err, errAnswered) {
		s.logFailure(in.Name, err)
	}
}

// encodable reports whether further fields of an error can be sent.
func encodable(fields map[string]any) bool {
	if len(fields) == 0 {
		return true
	}
	_, err := json.Marshal(fields)
	return err == nil
}
