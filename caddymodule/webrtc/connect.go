package webrtc

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
	"github.com/caddy-socketio/caddy-socketio/internal/signaling"
)

// prefix makes the Socket.IO room of a signaling room, so that no name of a room
// is the id of a socket, whose private room it would be.
const prefix = "webrtc:"

// port sends the broadcasts of rooms through the namespace, which encodes each
// once for all receivers.
type port struct {
	ns gateway.Namespace
	// logger is the current configuration's.
	logger atomic.Pointer[zap.Logger]
}

// Broadcast implements signaling.Fanout.
func (p *port) Broadcast(room string, except []string, event string, payload json.RawMessage) {
	target := p.ns.To(prefix + room)
	if len(except) > 0 {
		target = target.Except(except...)
	}
	if err := target.Emit(event, payload); err != nil {
		p.logger.Load().Error("broadcasting", zap.String("event", event), zap.Error(err))
	}
}

// conn is a socket as the domain needs it. A value: after a reload, another one of
// the same socket is the same.
type conn struct {
	socket gateway.Socket
	id     string
}

// ID implements signaling.Conn, as the methods below do.
func (c conn) ID() string { return c.id }

// User is the identity as it is now; a renewed token changes it.
func (c conn) User() *signaling.User {
	i := c.socket.Identity()
	if i == nil {
		return nil
	}
	return &signaling.User{ID: i.ID, Name: i.Name, Role: i.Role, Claims: i.Claims, Rooms: i.Rooms}
}

// Emit queues an event for the client.
func (c conn) Emit(event string, payload json.RawMessage) bool {
	return c.socket.Emit(event, payload) == nil
}

// Keep sends to the socket's own room, which only connection state recovery
// remembers once the socket is gone.
func (c conn) Keep(event string, payload json.RawMessage) {
	// Nobody to send to is no error, and the event waits in the domain anyway.
	_ = c.socket.Namespace().To(c.id).Emit(event, payload)
}

// Join adds the socket to the room that Broadcast sends to.
func (c conn) Join(room string) error {
	err := c.socket.Join(prefix + room)
	var own *gateway.Error
	if errors.As(err, &own) {
		return &signaling.Error{Code: own.Code, Message: own.Error(), Data: own.Data}
	}
	return err
}

// Leave is Join's opposite.
func (c conn) Leave(room string) { c.socket.Leave(prefix + room) }

// Connect attaches a socket to the namespace's rooms. For one that is attached
// already, after a reload, only the handlers are new.
func (g *Gateway) Connect(_ context.Context, s gateway.Socket) error {
	service := roomsOf(s.Namespace()).current()
	if service == nil {
		return errors.New("the rooms were not set up")
	}
	var recovered []string
	if s.Recovered() {
		for _, room := range s.Rooms() {
			if name, ours := strings.CutPrefix(room, prefix); ours {
				recovered = append(recovered, name)
			}
		}
	}
	client := service.Attach(conn{socket: s, id: s.ID()}, s.Recovered(), recovered)
	s.OnDisconnect(func(reason string, _ []string) { client.Disconnect(lost(reason)) })
	// One handler for all events costs an idle socket less than one for each.
	s.HandleAny(handler{client}.handle)
	return nil
}

// lost reports whether a disconnect was not meant: only these reasons are the
// client's or the server's own wish.
func lost(reason string) bool {
	return reason != "client namespace disconnect" && reason != "server namespace disconnect"
}

// handler handles the events of one client.
type handler struct{ client *signaling.Client }

// pong answers "ping" as NestJS's {event, data} does.
var pong = gateway.Reply{
	Event: "pong",
	Args:  []any{"pong from server"},
	Ack:   json.RawMessage(`{"ok":true,"data":"pong from server"}`),
}

func (h handler) handle(_ context.Context, ev *gateway.Event) (any, error) {
	if ev.Name == "ping" {
		h.client.Seen()
		return pong, nil
	}
	if len(ev.Args.Attachments()) > 0 {
		return nil, &gateway.Error{Code: signaling.CodeInvalidPayload, Message: "the payload must not have binary parts"}
	}
	var result any
	var failed error
	err := h.client.Handle(ev.Name, ev.Args.Raw(0), func(answer json.RawMessage) {
		if ev.Answer == nil {
			result = answer
		} else {
			// At once, since events may follow that continue the answer.
			failed = ev.Answer(answer)
		}
	})
	var own *signaling.Error
	switch {
	case errors.As(err, &own):
		return nil, &gateway.Error{Code: own.Code, Message: own.Message, Data: own.Data}
	case err != nil:
		return nil, err
	case errors.Is(failed, gateway.ErrDisconnected):
		return nil, nil // nobody is left to be told
	}
	return result, failed
}
