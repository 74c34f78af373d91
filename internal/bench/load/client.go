// Package load puts the same work on every server, over raw frames, and reads
// off what the server spent on it.
package load

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/wire"
)

// dialTimeout bounds one connection's way to the answered CONNECT.
const dialTimeout = 20 * time.Second

var errRefused = errors.New("server refused the connection")

// Target is a server to put under load.
type Target struct {
	// Addr is its host and port.
	Addr string
	// TLS is the client's configuration, nil for plain connections.
	TLS *tls.Config
	// Bare says that it is a websocket server without Socket.IO, whose path
	// says what it does.
	Bare bool
	// Further are other nodes of its cluster. Clients are spread over all nodes,
	// one after another.
	Further []string
}

// node is where client i of a fleet goes.
func (t Target) node(i int) Target {
	if n := i % (len(t.Further) + 1); n > 0 {
		t.Addr = t.Further[n-1]
	}
	return t
}

// Client is a websocket that has entered the main namespace. Send may be called
// concurrently; Next may not.
type Client struct {
	conn   net.Conn
	frames *wire.Reader
}

// Connect opens the TCP connection and, if the target says so, TLS.
func (t Target) Connect(ctx context.Context) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", t.Addr)
	if err != nil || t.TLS == nil {
		return conn, err
	}
	secure := tls.Client(conn, t.TLS)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return secure, nil
}

// Dial connects a client. barePath is the request's path and query on a bare
// server, where nothing follows the upgrade.
func (t Target) Dial(ctx context.Context, barePath string) (*Client, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := t.Connect(ctx)
	if err != nil {
		return nil, err
	}
	c := &Client{conn: conn}
	deadline, _ := ctx.Deadline()
	err = errors.Join(conn.SetDeadline(deadline), c.upgrade(t, barePath))
	if err == nil && !t.Bare {
		err = c.enter()
	}
	if err = errors.Join(err, conn.SetDeadline(time.Time{})); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return c, nil
}

// upgrade asks for a websocket, on a bare server under its own path.
func (c *Client) upgrade(t Target, barePath string) error {
	if t.Bare {
		return c.ask(t, barePath)
	}
	return c.ask(t, "/socket.io/?EIO=4&transport=websocket")
}

// ask makes the connection a websocket at path.
func (c *Client) ask(t Target, path string) error {
	if _, err := c.conn.Write(wire.UpgradeRequest(t.Addr, path)); err != nil {
		return fmt.Errorf("asking for the upgrade: %w", err)
	}
	rest, err := wire.ReadUpgrade(c.conn)
	if err != nil {
		return err
	}
	c.frames = wire.NewReader(c.conn, rest)
	return nil
}

// enter waits for the open packet and connects to the main namespace.
func (c *Client) enter() error {
	if _, err := c.Await(wire.Open); err != nil {
		return fmt.Errorf("waiting for the open packet: %w", err)
	}
	if err := c.Send(wire.TextFrame(wire.Connect)); err != nil {
		return err
	}
	if _, err := c.Await(wire.Connected); err != nil {
		return fmt.Errorf("waiting for CONNECT's answer: %w", err)
	}
	return nil
}

// Await returns the next packet of the kind and skips those before it.
func (c *Client) Await(kind wire.Kind) ([]byte, error) {
	for {
		packet, got, err := c.Next()
		if err != nil || got == kind {
			return packet, err
		}
		if got == wire.Refused || got == wire.Closed {
			return nil, fmt.Errorf("%w: %.200s", errRefused, packet)
		}
	}
}

// Send writes a frame that has been built before.
func (c *Client) Send(frame []byte) error {
	_, err := c.conn.Write(frame)
	return err
}

// Next returns the next packet, valid until the next call, and its kind. It
// answers heartbeats by itself.
func (c *Client) Next() ([]byte, wire.Kind, error) {
	for {
		opcode, packet, err := c.frames.Next()
		if err != nil {
			return nil, 0, err
		}
		switch opcode {
		case wire.Text:
			kind := wire.Classify(packet)
			if kind != wire.Heartbeat {
				return packet, kind, nil
			}
			if err := c.Send(wire.PongFrame); err != nil {
				return nil, 0, err
			}
		case wire.Close:
			return nil, 0, fmt.Errorf("%w: close frame %q", errRefused, packet)
		}
	}
}

// Expire makes reads and writes fail after d.
func (c *Client) Expire(d time.Duration) error { return c.conn.SetDeadline(time.Now().Add(d)) }

// Close ends the connection without a goodbye.
func (c *Client) Close() error { return c.conn.Close() }
