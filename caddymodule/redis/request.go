package redis

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// errTimeout is returned when not all nodes have answered in time.
var errTimeout = errors.New("not all nodes have answered in time")

// request waits for the answers of other nodes.
type request struct {
	expected int // nodes
	ack      func(gateway.Args)
	perNode  bool // one answer of each node, else one of each socket that it counts
	done     chan struct{}

	mu       sync.Mutex // guards the following fields
	answers  int        // of nodes
	asked    int        // sockets
	acks     int
	sockets  []gateway.SocketInfo
	complete bool
}

// requests are those that are open, by their ids. All methods may be called
// concurrently.
type requests struct {
	mu   sync.Mutex
	open map[string]*request
}

func (r *requests) find(id string) *request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open[id]
}

func (r *requests) add(id string, one *request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == nil {
		r.open = map[string]*request{}
	}
	r.open[id] = one
}

func (r *requests) remove(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, id)
}

// check completes the request when all is there. It must be called with mu held.
func (r *request) check() {
	if !r.complete && r.answers >= r.expected && (r.perNode || r.acks >= r.asked) {
		r.complete = true
		close(r.done)
	}
}

// counted is called for a node that has asked n sockets.
func (r *request) counted(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers++
	r.asked += max(0, n)
	r.check()
}

// answered is called for the answer of a socket or node.
func (r *request) answered(value json.RawMessage, attachments [][]byte) {
	if value == nil {
		value = json.RawMessage("null")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.complete || r.ack == nil {
		return
	}
	r.ack(gateway.NewArgs([]json.RawMessage{value}, attachments))
	r.acks++
	if r.perNode {
		r.answers++
	}
	r.check()
}

func (r *request) listed(sockets []wireSocket) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers++
	for i := range sockets {
		r.sockets = append(r.sockets, sockets[i].info())
	}
	r.check()
}

// requestID is an id that no other node chooses.
func requestID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// perform sends a request and waits until it is complete. ctx and the configured
// time bound it.
func (l *link) perform(ctx context.Context, r *request, send func(id string, timeout time.Duration) (command, error)) error {
	limit, cancel := context.WithTimeoutCause(ctx, l.c.options.Request, errTimeout)
	defer cancel()
	if !r.perNode { // a user's client may take its time
		limit = ctx
	}
	nodes, err := l.Nodes(limit)
	if err != nil {
		return fmt.Errorf("counting nodes: %w", err)
	}
	if r.expected = nodes - 1; r.expected <= 0 {
		return nil
	}
	r.done = make(chan struct{})
	id := requestID()
	l.requests.add(id, r)
	defer l.requests.remove(id)
	timeout := l.c.options.Request
	if at, ok := limit.Deadline(); ok {
		timeout = time.Until(at)
	}
	cmd, err := send(id, timeout)
	if err != nil {
		return err
	}
	cmd.now = true
	l.c.sender.send(cmd)
	select {
	case <-r.done:
		return nil
	case <-limit.Done():
		r.mu.Lock()
		defer r.mu.Unlock()
		r.complete = true // nothing is to be called any more
		return context.Cause(limit)
	case <-l.ctx.Done():
		return errEnded
	}
}
