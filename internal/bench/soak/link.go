package soak

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/load"
	"github.com/caddy-socketio/caddy-socketio/internal/bench/wire"
)

// link is a well-behaved client's session in the main namespace, over any
// transport. send may be called concurrently; next by one goroutine.
type link interface {
	// send sends a packet.
	send(packet string) error
	// next returns the next packet, valid until the next call, and answers
	// heartbeats by itself.
	next() ([]byte, wire.Kind, error)
	// close ends the session without a goodbye, and with it a next under way.
	close()
}

// The ways to connect, in the proportion in which clients take them.
const (
	overWebSocket = "websocket"
	overPolling   = "polling"
	overUpgrade   = "upgrade"
)

// connect opens a session in one of the ways.
func connect(ctx context.Context, t load.Target, how string, retries *atomic.Int64) (link, error) {
	if how == overWebSocket {
		c, err := again(retries, func() (*load.Client, error) { return t.Dial(ctx, "") })
		if err != nil {
			return nil, err
		}
		return &websocket{client: c}, nil
	}
	p, err := poll(ctx, t, retries)
	if err != nil || how == overPolling {
		return p, err
	}
	w, err := p.upgrade(ctx, t)
	if err != nil {
		p.close()
		return nil, err
	}
	return w, nil
}

// websocket is a link of one connection.
type websocket struct {
	client *load.Client
	early  [][]byte // what polls brought before the upgrade
	closed sync.Once
}

func (w *websocket) send(packet string) error { return w.client.Send(wire.TextFrame(packet)) }

func (w *websocket) next() ([]byte, wire.Kind, error) {
	for len(w.early) > 0 {
		packet := w.early[0]
		w.early = w.early[1:]
		switch kind := wire.Classify(packet); {
		case string(packet) == noop:
		case kind == wire.Heartbeat:
			if err := w.send(pong); err != nil {
				return nil, 0, err
			}
		default:
			return packet, kind, nil
		}
	}
	return w.client.Next()
}

func (w *websocket) close() {
	w.closed.Do(func() { _ = w.client.Close() }) // it is given up
}

// again repeats what a change of listeners has broken: the system resets
// connections that the old listener had not accepted yet, and a kept-alive one
// ends before its next request is read. Either way no server has seen it.
func again[T any](retries *atomic.Int64, try func() (T, error)) (T, error) {
	const most = 5
	for n := 1; ; n++ {
		v, err := try()
		if err == nil || n == most || !broken(err) {
			return v, err
		}
		retries.Add(1)
	}
}

func broken(err error) bool {
	var op *net.OpError
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &op) && op.Op == "dial"
}
