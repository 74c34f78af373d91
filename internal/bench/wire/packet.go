package wire

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Packets of Engine.IO 4 and, inside its messages, of Socket.IO 5.
const (
	Separator = 0x1e // between the packets of one poll

	packetOpen    = '0'
	packetClose   = '1'
	packetPing    = '2'
	packetMessage = '4'
)

// Connect is the packet that enters the main namespace.
const Connect = "40"

// PongFrame answers the server's heartbeat.
var PongFrame = TextFrame("3")

// Kind is what a packet means to the generator.
type Kind int

const (
	Other Kind = iota
	Open
	Closed
	Heartbeat
	Connected
	Refused
	Event
	Ack
)

// Classify tells an Engine.IO packet's kind by its first bytes.
func Classify(packet []byte) Kind {
	if len(packet) == 0 {
		return Other
	}
	switch packet[0] {
	case packetOpen:
		return Open
	case packetClose:
		return Closed
	case packetPing:
		return Heartbeat
	case packetMessage:
		return classifyMessage(packet[1:])
	}
	return Other
}

// classifyMessage tells the kind of a Socket.IO packet. Binary ones are Other: no
// case sends any.
func classifyMessage(message []byte) Kind {
	if len(message) == 0 {
		return Other
	}
	switch message[0] {
	case '0':
		return Connected
	case '1':
		return Closed
	case '2':
		return Event
	case '3':
		return Ack
	case '4':
		return Refused
	}
	return Other
}

// IsEvent reports whether the packet is the event of that name.
func IsEvent(packet []byte, name string) bool {
	rest, ok := bytes.CutPrefix(packet, []byte(`42["`))
	return ok && bytes.HasPrefix(rest, []byte(name)) && len(rest) > len(name) && rest[len(name)] == '"'
}

// EventPacket is an event with one JSON argument (none if empty); ack is its
// number, negative for none.
func EventPacket(name, argument string, ack int) string {
	var b strings.Builder
	b.WriteString("42")
	if ack >= 0 {
		fmt.Fprint(&b, ack)
	}
	fmt.Fprintf(&b, "[%q", name)
	if argument != "" {
		b.WriteByte(',')
		b.WriteString(argument)
	}
	b.WriteByte(']')
	return b.String()
}

// UpgradeRequest asks for a websocket at the path and query of target.
func UpgradeRequest(host, target string) []byte {
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"+
		"User-Agent: bench\r\n\r\n", target, host)
}

// ReadUpgrade reads the answer to an UpgradeRequest and returns what the server
// sent behind it.
func ReadUpgrade(src io.Reader) (rest []byte, err error) {
	buf := make([]byte, 0, 1024)
	for {
		if end := bytes.Index(buf, []byte("\r\n\r\n")); end >= 0 {
			if !bytes.HasPrefix(buf, []byte("HTTP/1.1 101 ")) {
				status, _, _ := strings.Cut(string(buf), "\r\n")
				return nil, fmt.Errorf("upgrade refused: %s", status)
			}
			return buf[end+4:], nil
		}
		// A server that never ends its header must not fill the generator's memory.
		if len(buf) > http.DefaultMaxHeaderBytes>>4 {
			return nil, fmt.Errorf("%w: endless response header", ErrProtocol)
		}
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := src.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if n == 0 && err != nil {
			return nil, fmt.Errorf("reading the upgrade's answer: %w", unexpected(err))
		}
	}
}
