package testgateway

import (
	"context"
	"errors"
	"slices"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// observers is the room whose members are told of all arrivals and departures.
const observers = "observers"

// address is an event for others.
type address struct {
	Rooms  []string `json:"rooms"`
	Except []string `json:"except"`
	Event  string   `json:"event"`
	Arg    any      `json:"arg"`
}

// registerRooms installs the events around rooms and broadcasts.
func registerRooms(s gateway.Socket) {
	gateway.On(s, "join", func(_ context.Context, room string) (any, error) {
		err := s.Join(room)
		return sorted(s), err
	})
	gateway.On(s, "leave", func(_ context.Context, room string) (any, error) {
		s.Leave(room)
		return sorted(s), nil
	})
	gateway.On(s, "rooms", func(context.Context, any) (any, error) { return sorted(s), nil })
	gateway.On(s, "broadcast", func(_ context.Context, a address) (any, error) {
		return "sent", s.Broadcast().Except(a.Except...).Emit(a.Event, a.Arg)
	})
	gateway.On(s, "to", func(_ context.Context, a address) (any, error) {
		return "sent", s.To(a.Rooms...).Except(a.Except...).Emit(a.Event, a.Arg)
	})
	gateway.On(s, "namespace-to", func(_ context.Context, a address) (any, error) {
		ns := s.Namespace()
		if len(a.Rooms) == 0 {
			return "sent", ns.Except(a.Except...).Emit(a.Event, a.Arg)
		}
		return "sent", ns.To(a.Rooms...).Except(a.Except...).Emit(a.Event, a.Arg)
	})
	s.Handle("to-binary", func(_ context.Context, ev *gateway.Event) (any, error) {
		var room, event string
		var data gateway.Binary
		if err := errors.Join(ev.Args.Decode(0, &room), ev.Args.Decode(1, &event), ev.Args.Decode(2, &data)); err != nil {
			return nil, err
		}
		return nil, s.To(room).Emit(event, data)
	})
	gateway.On(s, "sockets", func(ctx context.Context, room string) (any, error) {
		infos, err := s.Namespace().To(room).Sockets(ctx)
		ids := make([]string, 0, len(infos))
		for _, info := range infos {
			ids = append(ids, info.ID)
		}
		slices.Sort(ids)
		return ids, err
	})
}

// sorted lists the socket's rooms without the one of its own id.
func sorted(s gateway.Socket) []string {
	rooms := slices.DeleteFunc(s.Rooms(), func(r string) bool { return r == s.ID() })
	slices.Sort(rooms)
	return rooms
}
