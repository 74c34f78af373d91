package testgateway

import (
	"context"
	"errors"
	"time"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// question asks the client, or a set of clients, for an ack.
type question struct {
	Event   string `json:"event"`
	Arg     any    `json:"arg"`
	Room    string `json:"room"`
	Timeout int    `json:"timeout"` // milliseconds; 0: none
}

func (q question) context(ctx context.Context) (context.Context, context.CancelFunc) {
	if q.Timeout == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Duration(q.Timeout)*time.Millisecond)
}

// registerQuestions installs the events whose handler waits for an ack.
func registerQuestions(s gateway.Socket) {
	gateway.On(s, "ask", func(ctx context.Context, q question) (any, error) {
		ctx, cancel := q.context(ctx)
		defer cancel()
		answer, err := s.EmitWithAck(ctx, q.Event, q.Arg)
		if errors.Is(err, context.DeadlineExceeded) {
			return nil, &gateway.Error{Code: "timeout", Cause: err}
		}
		if err != nil {
			return nil, err
		}
		args, err := revive(answer)
		return map[string]any{"answer": args}, err
	})
	gateway.On(s, "ask-room", func(ctx context.Context, q question) (any, error) {
		ctx, cancel := q.context(ctx)
		defer cancel()
		answers, err := s.To(q.Room).EmitWithAck(ctx, q.Event, q.Arg)
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return nil, err
		}
		out := make([]any, 0, len(answers))
		for _, a := range answers {
			args, err := revive(a)
			if err != nil {
				return nil, err
			}
			out = append(out, args)
		}
		return map[string]any{"answers": out, "timeout": err != nil}, nil
	})
}
