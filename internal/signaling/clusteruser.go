package signaling

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
)

// userPrefix is that of the keys of users, whose values are their sockets with the
// nodes that they are on.
const userPrefix = "user/"

// mendUser makes a user's entry and this node's sockets of that user agree.
func (cl *cluster) mendUser(user string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	v, err := cl.shared.Get(ctx, userPrefix+user)
	for err == nil {
		var before map[string]string
		if before, err = socketsOf(v); err != nil {
			break
		}
		next := maps.Clone(before)
		maps.DeleteFunc(next, func(_, node string) bool { return node == cl.shared.Node() || cl.shared.Gone(node) })
		for _, c := range cl.service.of(user) {
			next[c.id] = cl.shared.Node()
		}
		if maps.Equal(before, next) {
			return nil
		}
		var text []byte
		if len(next) > 0 {
			if text, err = json.Marshal(next); err != nil {
				break
			}
		}
		v, err = cl.shared.Swap(ctx, userPrefix+user, v.Version, text, lifetime, nil)
		if !errors.Is(err, ErrStale) {
			break
		}
		err = context.Cause(ctx)
	}
	return err
}

func socketsOf(v Value) (map[string]string, error) {
	sockets := make(map[string]string)
	if v.Version == 0 {
		return sockets, nil
	}
	if err := json.Unmarshal(v.Data, &sockets); err != nil {
		return nil, fmt.Errorf("decoding the sockets of a user: %w", err)
	}
	return sockets, nil
}

// list has a user's entry follow a socket that has come or gone. It is kept only
// where messages to users are on.
func (s *Service) list(user string) {
	if s.cluster == nil || user == "" || !s.opts.Load().DirectMessages {
		return
	}
	if err := s.cluster.mendUser(user); err != nil {
		s.cluster.repair(userPrefix + user)
	}
}

// listAll has the entries of all users looked after.
func (cl *cluster) listAll() {
	if !cl.service.opts.Load().DirectMessages {
		return
	}
	cl.repair(cl.userKeys()...)
}

func (cl *cluster) userKeys() []string {
	cl.service.mu.Lock()
	defer cl.service.mu.Unlock()
	var keys []string
	for user := range cl.service.users {
		keys = append(keys, userPrefix+user)
	}
	return keys
}

// ring sends to every socket of a user and returns to how many. While the cluster
// is away these are the ones of this node.
func (cl *cluster) ring(user, event string, payload json.RawMessage) (n int) {
	here := make(map[string]bool)
	for _, c := range cl.service.of(user) {
		here[c.id] = true
		if c.conn.Emit(event, payload) {
			n++
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	v, err := cl.shared.Get(ctx, userPrefix+user)
	if err != nil {
		cl.shared.Report(err)
		return n
	}
	sockets, err := socketsOf(v)
	if err != nil {
		cl.shared.Report(err)
	}
	for socket, node := range sockets {
		if !here[socket] && node != cl.shared.Node() && !cl.shared.Gone(node) && cl.reach.Send(socket, event, payload) {
			n++
		}
	}
	return n
}
