package testgateway

import (
	"context"
	"errors"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// errSecret stands for a cause that no client may read.
var errSecret = errors.New("secret detail of the server")

// nobody is what a careless gateway takes for a user.
func nobody() *gateway.Identity { return nil }

// refusal is the error that Connect returns when the auth payload asks for one.
func refusal(kind string) error {
	switch kind {
	case "plain":
		return errSecret
	case "panic":
		return errors.New(nobody().ID)
	}
	return &gateway.Error{
		Code:    "banned",
		Message: "You are banned",
		Data:    map[string]any{"until": 5},
		Cause:   errSecret,
	}
}

// registerFailures installs the events whose handler goes wrong.
func registerFailures(s gateway.Socket) {
	s.Handle("panic", func(context.Context, *gateway.Event) (any, error) {
		return nobody().ID, nil
	})
	s.Handle("panic-when-gone", func(context.Context, *gateway.Event) (any, error) {
		s.OnDisconnect(func(string, []string) { _ = nobody().ID })
		return nil, nil
	})
	s.Handle("fail", func(context.Context, *gateway.Event) (any, error) { return nil, errSecret })
	s.Handle("fail-coded", func(context.Context, *gateway.Event) (any, error) {
		return nil, &gateway.Error{
			Code:    "conflict",
			Message: "stale revision",
			Data:    map[string]any{"revision": 7},
			Cause:   errSecret,
		}
	})
	s.Handle("unencodable", func(context.Context, *gateway.Event) (any, error) {
		err := s.Emit("never", func() {})
		return map[string]any{"refused": err != nil}, nil
	})
	s.Handle("unencodable-answer", func(context.Context, *gateway.Event) (any, error) {
		return make(chan int), nil
	})
	s.Handle("reserved", func(context.Context, *gateway.Event) (any, error) {
		err := s.Emit("connect", 1)
		return map[string]any{"refused": err != nil}, nil
	})
	gateway.On(s, "typed", func(_ context.Context, p struct {
		Room  string `json:"room"`
		Count int    `json:"count"`
	}) (any, error) {
		return p, nil
	})
	s.Handle("handle-any", func(context.Context, *gateway.Event) (any, error) {
		s.HandleAny(func(_ context.Context, ev *gateway.Event) (any, error) { return "any:" + ev.Name, nil })
		return "installed", nil
	})
}
