package socketio

import (
	"crypto/rand"
	"io"

	enginepacket "github.com/zishang520/socket.io/parsers/engine/v3/packet"
	"github.com/zishang520/socket.io/servers/engine/v3"
	"github.com/zishang520/socket.io/servers/engine/v3/transports"
	"github.com/zishang520/socket.io/v3/pkg/types"

	"github.com/caddy-socketio/caddy-socketio/internal/engineio"
)

// What the library sees of a session. It asks for little: whether the session is
// open, its protocol, and to write its own packets.
var _ engine.Socket = (*conn)(nil)

// Write sends a packet that the library has encoded.
func (c *conn) Write(r io.Reader, _ *enginepacket.Options, _ engine.SendCallback) engine.Socket {
	b, ok := r.(types.BufferInterface)
	if !ok || b.Len() == 0 {
		return c
	}
	if kind(b.Bytes()[0]) == kindDisconnect && c.mute {
		return c
	}
	if kind(b.Bytes()[0]) == kindConnect {
		c.watch(b.Bytes())
	}
	c.session.Send(engineio.Text(b.Bytes()))
	return c
}

// watch lets recovery know the private id in a CONNECT packet, which the library
// tells in no other way as long as the socket lives.
func (c *conn) watch(connect []byte) {
	p, err := parsePacket(connect)
	if err != nil {
		return
	}
	if s, _ := c.find(string(p.namespace)); s != nil {
		s.ns.log().watch(s, p.payload)
	}
}

func (c *conn) Send(r io.Reader, o *enginepacket.Options, f engine.SendCallback) engine.Socket {
	return c.Write(r, o, f)
}

// ReadyState tells the library, while it makes its client, that the session has
// closed. Its timer for clients that enter no namespace, and the goroutine that waits
// for it, then end at once; ours is conn.timeout.
func (c *conn) ReadyState() string {
	if c.client == nil || c.closed.Load() || c.session.Closed() {
		return "closed"
	}
	return "open"
}

func (c *conn) Protocol() int { return c.session.Protocol() }

// Id is what the library makes the public ids of version 3 sockets of. The
// session's own would not do: it is a credential.
func (c *conn) Id() string {
	if c.session.Protocol() == 3 {
		return rand.Text()
	}
	return ""
}

func (c *conn) Request() *types.HttpContext { return emptyRequest }
func (c *conn) RemoteAddress() string       { return "" }

// Close closes the session.
func (c *conn) Close(bool) { c.session.Close(reasonForced) }

// The library does not use the rest.

func (c *conn) Transport() transports.Transport { return nil }
func (c *conn) SetReadyState(string)            {}
func (c *conn) Upgraded() bool                  { return false }
func (c *conn) Upgrading() bool                 { return false }
func (c *conn) MaybeUpgrade(transports.Transport) {
}
func (c *conn) Construct(string, engine.BaseServer, transports.Transport, *types.HttpContext, int) {
}
