package testgateway

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// across is what a client has the namespace do, on all nodes of a cluster.
type across struct {
	Do      string   `json:"do"`
	Rooms   []string `json:"rooms"`
	Except  []string `json:"except"`
	Event   string   `json:"event"`
	Arg     any      `json:"arg"`
	Into    []string `json:"into"`
	Close   bool     `json:"close"`
	Timeout int      `json:"timeout"` // milliseconds; default 5000
}

func (a *across) target(ns gateway.Namespace) gateway.Target {
	var t gateway.Target = ns
	if len(a.Rooms) > 0 {
		t = t.To(a.Rooms...)
	}
	return t.Except(a.Except...)
}

// registerCluster installs the event by which a client has things done that span
// nodes.
func registerCluster(s gateway.Socket) {
	gateway.On(s, "across", func(ctx context.Context, a across) (any, error) {
		if a.Timeout == 0 {
			a.Timeout = 5000
		}
		ctx, cancel := context.WithTimeout(ctx, time.Duration(a.Timeout)*time.Millisecond)
		defer cancel()
		return a.perform(ctx, s.Namespace())
	})
}

func (a *across) perform(ctx context.Context, ns gateway.Namespace) (any, error) {
	switch t := a.target(ns); a.Do {
	case "emit":
		return nil, t.Emit(a.Event, a.Arg)
	case "binary":
		return nil, t.Emit(a.Event, map[string]any{"deep": []any{gateway.Binary("\x00\x01\xff")}})
	case "volatile":
		return nil, t.Volatile().Emit(a.Event, a.Arg)
	case "local":
		return nil, t.Local().Emit(a.Event, a.Arg)
	case "ask":
		answers, err := t.EmitWithAck(ctx, a.Event, a.Arg)
		return sortedAnswers(answers, err)
	case "join":
		return nil, t.Join(a.Into...)
	case "leave":
		return nil, t.Leave(a.Into...)
	case "disconnect":
		return nil, t.Disconnect(a.Close)
	case "fetch":
		return fetch(ctx, t)
	case "server-side":
		return nil, ns.ServerSideEmit(a.Event, a.Arg)
	case "server-side-ask":
		answers, err := ns.ServerSideEmitWithAck(ctx, a.Event, a.Arg)
		return sortedAnswers(answers, err)
	case "nodes":
		return ns.Nodes(ctx)
	}
	return nil, &gateway.Error{Code: "unknown", Message: a.Do}
}

// sortedAnswers are the first arguments of acks, as text in order.
func sortedAnswers(answers []gateway.Args, err error) (any, error) {
	out := []string{}
	for _, a := range answers {
		out = append(out, string(a.Raw(0)))
	}
	slices.Sort(out)
	return map[string]any{"answers": out, "failed": err != nil}, nil
}

// fetch describes sockets of all nodes.
func fetch(ctx context.Context, t gateway.Target) (any, error) {
	infos, err := t.Sockets(ctx)
	out := []map[string]any{}
	for _, info := range infos {
		rooms := slices.DeleteFunc(info.Rooms, func(r string) bool { return r == info.ID })
		slices.Sort(rooms)
		data := info.Data
		if data == nil {
			data = map[string]any{}
		}
		out = append(out, map[string]any{
			"id": info.ID, "rooms": rooms, "data": data, "auth": info.Handshake.Auth, "agent": info.Handshake.Header.Get("X-Agent"),
			"query": info.Handshake.Query.Get("EIO"),
		})
	}
	return out, err
}

// ServerSide answers with the label of the node, and tells the observers here.
func (g *Gateway) ServerSide(_ context.Context, ns gateway.Namespace, ev *gateway.Event) (any, error) {
	var arg any
	if err := json.Unmarshal(ev.Args.Raw(0), &arg); err != nil {
		return nil, err
	}
	if err := ns.To(observers).Local().Emit("server-side", ev.Name, arg); err != nil {
		return nil, err
	}
	return g.Label, nil
}
