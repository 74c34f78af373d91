package engineio

import (
	"encoding/base64"
	"sync"
	"sync/atomic"

	"github.com/gobwas/ws"
)

// Message is an immutable outgoing message, encoded once and shared by all its
// receivers on all transports. It may be used concurrently. A broadcast to a
// thousand clients makes one Message; what a client's transport, version or
// extensions ask for beyond the plain frame is made by the first that needs it.
type Message struct {
	// frame is the websocket frame, whose payload begins at head. In a text
	// frame the payload is the packet, as polls carry it.
	frame []byte
	head  uint8
	kind  messageKind
	// forms are further encodings, made when the first receiver needs them.
	forms atomic.Pointer[forms]
}

type messageKind uint8

const (
	textMessage messageKind = iota
	binaryMessage
	controlFrame // of the websocket protocol; polls leave it out
	closingFrame // the last frame of a connection
)

type forms struct {
	deflateOnce, base64Once, base64v3Once, binaryv3Once sync.Once
	deflated, base64, base64v3, binaryv3                []byte
}

// Packets that are the same for every session.
var (
	pingPacket  = newPacket("2")
	pongPacket  = newPacket("3")
	probePacket = newPacket("3probe")
	noopPacket  = newPacket("6")
	closePacket = newPacket("1")
)

// Text makes a text message of the concatenated parts, which are copied. They
// must be valid UTF-8.
func Text(parts ...[]byte) *Message {
	n := 1
	for _, p := range parts {
		n += len(p)
	}
	m := newMessage(textMessage, ws.OpText, n)
	m.frame = append(m.frame, packetMessage)
	for _, p := range parts {
		m.frame = append(m.frame, p...)
	}
	return m
}

// Binary makes a binary message; the payload is copied.
func Binary(payload []byte) *Message {
	m := newMessage(binaryMessage, ws.OpBinary, len(payload))
	m.frame = append(m.frame, payload...)
	return m
}

// newPacket makes the text message of a whole packet.
func newPacket(text string) *Message {
	m := newMessage(textMessage, ws.OpText, len(text))
	m.frame = append(m.frame, text...)
	return m
}

// newControl makes a control frame of the websocket protocol.
func newControl(op ws.OpCode, payload []byte) *Message {
	kind := controlFrame
	if op == ws.OpClose {
		kind = closingFrame
	}
	m := newMessage(kind, op, len(payload))
	m.frame = append(m.frame, payload...)
	return m
}

// newMessage writes the header, for a payload that is appended next. It is made in
// one piece with the payload: a receiver's write is one slice.
func newMessage(kind messageKind, op ws.OpCode, size int) *Message {
	m := &Message{kind: kind}
	m.frame = appendHeader(make([]byte, 0, ws.MaxHeaderSize+size), op, 0, size)
	m.head = uint8(len(m.frame))
	return m
}

// Len is the size of the message's frame in bytes.
func (m *Message) Len() int { return len(m.frame) }

func (m *Message) payload() []byte { return m.frame[m.head:] }

// further makes room for the other forms, which most messages never have.
func (m *Message) further() *forms {
	if f := m.forms.Load(); f != nil {
		return f
	}
	// Two receivers may need a form at once; the loser uses the winner's.
	m.forms.CompareAndSwap(nil, new(forms))
	return m.forms.Load()
}

// pollForm is the packet as it stands in the payload of a poll, without the
// length of version 3.
func (m *Message) pollForm(version int) []byte {
	if m.kind != binaryMessage {
		return m.payload()
	}
	f := m.further()
	if version == 3 {
		f.base64v3Once.Do(func() { f.base64v3 = base64.StdEncoding.AppendEncode([]byte("b4"), m.payload()) })
		return f.base64v3
	}
	f.base64Once.Do(func() { f.base64 = base64.StdEncoding.AppendEncode([]byte("b"), m.payload()) })
	return f.base64
}

// frameFor is the message's frame for a websocket. A client without binary
// support gets base64 in a text frame; that and version 3's binary messages are
// never deflated, since their clients are few.
func (m *Message) frameFor(version int, base64Only bool, deflateFrom int) []byte {
	switch {
	// Frames of the protocol itself have no other form.
	case m.kind > binaryMessage:
		return m.frame
	case m.kind == binaryMessage && base64Only:
		form := m.pollForm(version)
		return append(appendHeader(make([]byte, 0, ws.MaxHeaderSize+len(form)), ws.OpText, 0, len(form)), form...)
	case m.kind == binaryMessage && version == 3:
		f := m.further()
		f.binaryv3Once.Do(func() {
			p := m.payload()
			frame := appendHeader(make([]byte, 0, ws.MaxHeaderSize+1+len(p)), ws.OpBinary, 0, 1+len(p))
			f.binaryv3 = append(append(frame, packetMessage-'0'), p...)
		})
		return f.binaryv3
	case deflateFrom > 0 && len(m.payload()) >= deflateFrom:
		f := m.further()
		f.deflateOnce.Do(func() { f.deflated = m.deflate() })
		return f.deflated
	}
	return m.frame
}
