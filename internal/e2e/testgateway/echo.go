package testgateway

import (
	"context"
	"encoding/json"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// registerEchoes installs the events that send back what they got.
func registerEchoes(s gateway.Socket) {
	s.Handle("message", func(_ context.Context, ev *gateway.Event) (any, error) {
		args, err := revive(ev.Args)
		if err != nil {
			return nil, err
		}
		return nil, s.Emit("message-back", args...)
	})
	s.Handle("message-with-ack", func(_ context.Context, ev *gateway.Event) (any, error) {
		args, err := revive(ev.Args)
		if err != nil || len(args) == 0 {
			return nil, err
		}
		return args[0], nil
	})
	s.Handle("count-args", func(_ context.Context, ev *gateway.Event) (any, error) {
		return ev.Args.Len(), nil
	})
	gateway.On(s, "digest", func(_ context.Context, data gateway.Binary) (any, error) {
		return digest(data), nil
	})
	gateway.On(s, "reply", func(_ context.Context, arg any) (any, error) {
		return gateway.Reply{Event: "replied", Args: []any{arg}, Ack: "seen"}, nil
	})
	s.Handle("ping", func(context.Context, *gateway.Event) (any, error) {
		return gateway.Reply{Event: "pong", Args: []any{"pong from server"}, Ack: "pong from server"}, nil
	})
}

// digest describes bytes so that a test can tell that all of them arrived.
func digest(data []byte) map[string]any {
	sum := 0
	for i, b := range data {
		sum = (sum + (i%251+1)*int(b)) % 1_000_003
	}
	return map[string]any{"length": len(data), "sum": sum}
}

// revive returns the arguments ready to be emitted again. Text goes back as the
// same JSON; an argument with binary parts is rebuilt around them.
func revive(args gateway.Args) ([]any, error) {
	out := make([]any, args.Len())
	for i := range out {
		if len(args.Attachments()) == 0 {
			out[i] = args.Raw(i)
			continue
		}
		var v any
		if err := json.Unmarshal(args.Raw(i), &v); err != nil {
			return nil, err
		}
		var err error
		if out[i], err = attach(v, args.Attachments()); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// attach puts the binary parts in the place of their placeholders.
func attach(v any, attachments [][]byte) (any, error) {
	var err error
	switch v := v.(type) {
	case []any:
		for i := range v {
			if v[i], err = attach(v[i], attachments); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		if v["_placeholder"] == true {
			num, ok := v["num"].(float64)
			if !ok || num < 0 || int(num) >= len(attachments) {
				return nil, &gateway.Error{Code: "invalid-payload", Message: "placeholder without attachment"}
			}
			return gateway.Binary(attachments[int(num)]), nil
		}
		for k := range v {
			if v[k], err = attach(v[k], attachments); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}
