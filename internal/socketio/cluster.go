package socketio

import (
	"context"

	"go.uber.org/zap"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// membership is a namespace's place in a cluster. It is never changed.
type membership struct {
	key  string // the cluster's
	link gateway.Link
}

// joinCluster makes the namespace a member of the configured cluster, and returns the
// membership that has come to its end, if any, for the caller to close. It must be
// called with the server's nsMu held.
func (ns *namespace) joinCluster(c gateway.Cluster) (left *membership) {
	old := ns.member.Load()
	if old != nil && c != nil && old.key == c.Key() {
		return nil
	}
	var next *membership
	if c != nil {
		err := guard(func() error {
			link, err := c.Join(ns.name, &local{ns: ns})
			if err == nil {
				next = &membership{c.Key(), link}
			}
			return err
		})
		if err != nil {
			ns.server.log().Error("the cluster cannot be joined", zap.String("namespace", ns.name), zap.Error(err))
		}
	}
	ns.member.Store(next)
	return old
}

// leave ends the membership; a nil one has ended.
func (m *membership) leave() error {
	if m == nil {
		return nil
	}
	return guard(m.link.Close)
}

// line is the order of what this node sends, nil where nothing waits for others.
func (ns *namespace) line() *line {
	if log := ns.log(); log != nil && log.shared != nil {
		return &log.shared.line
	}
	return nil
}

// remote is the link to the nodes where sockets of the target may be, nil if they
// are all here.
func (t target) remote() gateway.Link {
	m := t.ns.member.Load()
	if m == nil || t.local || t.none || len(t.rooms) > 0 && t.ns.here(t.rooms) {
		return nil
	}
	return m.link
}

// here reports whether all of the rooms are those of sockets of this node, by
// their ids.
func (ns *namespace) here(rooms []string) bool {
	ns.mu.RLock()
	defer ns.mu.RUnlock()
	for _, name := range rooms {
		if s := ns.byID[name]; s == nil || !s.ownSeat {
			return false
		}
	}
	return true
}

// set is the target for other nodes.
func (t target) set() gateway.Set { return gateway.Set{Rooms: t.rooms, Except: t.except} }

// message is an event for other nodes.
func (t target) message(p payload) *gateway.Message {
	return &gateway.Message{Set: t.set(), Volatile: t.volatile, Data: p.array, Attachments: p.attachments}
}

// ServerSideEmit implements [gateway.Namespace].
func (ns *namespace) ServerSideEmit(event string, args ...any) error {
	p, err := encodeArgs(event, args)
	if err != nil {
		return err
	}
	if m := ns.member.Load(); m != nil {
		return m.link.ServerSide(context.Background(), ns.message(p), nil)
	}
	return nil
}

// ServerSideEmitWithAck implements [gateway.Namespace].
func (ns *namespace) ServerSideEmitWithAck(ctx context.Context, event string, args ...any) ([]gateway.Args, error) {
	p, err := encodeArgs(event, args)
	if err != nil {
		return nil, err
	}
	m := ns.member.Load()
	if m == nil {
		return nil, context.Cause(ctx)
	}
	var c collector
	err = m.link.ServerSide(ctx, ns.message(p), c.add)
	return c.take(), err
}

// Nodes implements [gateway.Namespace].
func (ns *namespace) Nodes(ctx context.Context) (int, error) {
	if m := ns.member.Load(); m != nil {
		return m.link.Nodes(ctx)
	}
	return 1, nil
}

// Shared implements [gateway.Namespace].
func (ns *namespace) Shared() gateway.State {
	if m := ns.member.Load(); m != nil {
		return m.link.State()
	}
	return nil
}
