package socketio

import (
	"encoding/json"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// inbound is an event or ack from a client. It holds a copy of its message, so
// that a handler that keeps an argument too long reads no other client's. Owned
// by one goroutine at a time.
type inbound struct {
	gateway.Event
	socket    *Socket  // nil until it has been found
	next      *inbound // in the socket's queue
	namespace string
	id        uint64
	hasID     bool
	isAck     bool
	answered  bool // see answer; guarded by the socket's mu
	missing   int  // attachments still to come
	attached  int  // bytes of those that have come
	size      int  // what it counts in the queue, in bytes

	name        []byte // of an event; aliases the copy
	values      []json.RawMessage
	first       [4]json.RawMessage // the usual case's array
	attachments [][]byte
}

// newInbound reads the payload of an EVENT or ACK, binary or not.
func newInbound(p *packet) (*inbound, error) {
	in := &inbound{
		id: p.id, hasID: p.hasID,
		isAck:   p.kind == kindAck || p.kind == kindBinaryAck,
		missing: p.attachments,
		size:    len(p.payload),
	}
	in.namespace = "/"
	if len(p.namespace) > 1 {
		in.namespace = string(p.namespace)
	}
	text := append([]byte(nil), p.payload...)
	var err error
	most := maxArguments
	if !in.isAck {
		most++ // its name
	}
	if in.values, err = splitArray(text, most, in.first[:0]); err != nil {
		return nil, payloadError(err)
	}
	if !in.isAck {
		if in.name, err = eventName(in.values); err != nil {
			return nil, err
		}
		in.values = in.values[1:]
	}
	in.WantsAck = in.hasID && !in.isAck
	return in, nil
}

// eventName reads the name of an event: a string, or a number as the reference
// parser allows.
func eventName(values []json.RawMessage) ([]byte, error) {
	if len(values) == 0 {
		return nil, errPayload
	}
	name := []byte(values[0])
	switch c := name[0]; {
	case c == '-' || isDigit(c):
		return name, checkName(name)
	case c != '"':
		return nil, errPayload
	}
	for _, c := range name {
		if c == '\\' {
			var s string
			if err := json.Unmarshal(name, &s); err != nil {
				return nil, errPayload
			}
			name = []byte(`"` + s + `"`)
			break
		}
	}
	name = name[1 : len(name)-1]
	if reserved(name) {
		return nil, errPayload
	}
	return name, checkName(name)
}

// checkName bounds a name as handlers see it, however it was escaped.
func checkName(name []byte) error {
	if len(name) > maxEventName {
		return errLongName
	}
	return nil
}

// attach adds a copy of the next attachment, unless the event is for nobody. All
// of an event may have limit bytes together.
func (in *inbound) attach(data []byte, limit int) error {
	in.missing--
	if in.socket == nil {
		return nil
	}
	if in.attached += len(data); in.attached > limit {
		return errLargeAttachments
	}
	in.attachments = append(in.attachments, append([]byte{}, data...))
	in.size += len(data)
	return nil
}

func (in *inbound) args() gateway.Args { return gateway.NewArgs(in.values, in.attachments) }
