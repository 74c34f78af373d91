package socketio

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"unicode/utf8"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
	"github.com/caddy-socketio/caddy-socketio/internal/engineio"
)

// message is a packet on its way out: its text, then its attachments. It is
// encoded once and shared by all its receivers.
type message []*engineio.Message

// size is what the message takes in a queue, in bytes.
func (m message) size() (n int) {
	for _, part := range m {
		n += part.Len()
	}
	return n
}

// payload is the encoded argument array of a packet, and its attachments. Its
// array may be extended with append, since it belongs to nobody else.
type payload struct {
	array       []byte
	attachments [][]byte
}

// binaryMark is how [gateway.Binary] begins in JSON: unguessable, so that no
// text of a client can pass for it.
var binaryMark = func() []byte {
	mark, _ := gateway.Binary{}.MarshalJSON() // never fails
	return mark[:len(mark)-1]
}()

var (
	errReserved = errors.New("reserved event name")
	errRaw      = errors.New("json.RawMessage does not hold one JSON value")
	errMany     = fmt.Errorf("more than %d binary parts", maxAttachments)
)

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// withBuffer lends a buffer.
func withBuffer(use func(*bytes.Buffer) error) error {
	buf := buffers.Get().(*bytes.Buffer)
	defer func() {
		if buf.Cap() <= 64<<10 { // one large payload shall not stay for good
			buf.Reset()
			buffers.Put(buf)
		}
	}()
	return use(buf)
}

// encodeArgs encodes an event's name, unless empty, and the arguments.
func encodeArgs(event string, args []any) (p payload, err error) {
	err = withBuffer(func(buf *bytes.Buffer) error {
		p, err = encodeTo(buf, event, args)
		p.array = bytes.Clone(p.array)
		return err
	})
	return p, err
}

// encodeMessage is encodeArgs and frame in one: what is sent once and not kept
// needs no array of its own.
func encodeMessage(event string, args []any, k kind, nsp string, id *uint64) (m message, err error) {
	err = withBuffer(func(buf *bytes.Buffer) error {
		p, err := encodeTo(buf, event, args)
		if err == nil {
			m = p.frame(k, nsp, id)
		}
		return err
	})
	return m, err
}

// encodeTo is encodeArgs, but the array is the buffer's and goes with it.
func encodeTo(buf *bytes.Buffer, event string, args []any) (payload, error) {
	var p payload
	buf.WriteByte('[')
	if event != "" {
		if reserved(event) {
			return p, fmt.Errorf("%w: %q", errReserved, event)
		}
		writeString(buf, event)
	}
	for i, arg := range args {
		if buf.Len() > 1 {
			buf.WriteByte(',')
		}
		if err := p.encode(buf, arg); err != nil {
			return payload{}, fmt.Errorf("encoding argument %d: %w", i+1, err)
		}
	}
	buf.WriteByte(']')
	p.array = buf.Bytes()
	return p, nil
}

func (p *payload) encode(buf *bytes.Buffer, arg any) error {
	switch arg := arg.(type) {
	case nil:
		buf.WriteString("null")
	case string:
		writeString(buf, arg)
	case json.RawMessage:
		if !utf8.Valid(arg) || validJSON(arg) != nil {
			return errRaw
		}
		buf.Write(arg)
	case []byte:
		return p.attach(buf, arg)
	case gateway.Binary:
		return p.attach(buf, arg)
	default:
		from := buf.Len()
		enc := json.NewEncoder(buf)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(arg); err != nil {
			return err
		}
		buf.Truncate(buf.Len() - 1) // the encoder's newline
		if bytes.Contains(buf.Bytes()[from:], binaryMark) {
			return p.extract(buf, from)
		}
	}
	return nil
}

func (p *payload) attach(buf *bytes.Buffer, b []byte) error {
	if len(p.attachments) == maxAttachments {
		return errMany
	}
	buf.WriteString(`{"_placeholder":true,"num":`)
	buf.WriteString(strconv.Itoa(len(p.attachments)))
	buf.WriteByte('}')
	p.attachments = append(p.attachments, b) // frame copies it
	return nil
}

// extract turns the marked strings behind from into attachments.
func (p *payload) extract(buf *bytes.Buffer, from int) error {
	marked := bytes.Clone(buf.Bytes()[from:])
	buf.Truncate(from)
	for {
		before, after, found := bytes.Cut(marked, binaryMark)
		buf.Write(before)
		if !found {
			return nil
		}
		text, rest, _ := bytes.Cut(after, []byte{'"'})
		b, err := base64.StdEncoding.AppendDecode(nil, text)
		if err != nil {
			return err
		}
		if err := p.attach(buf, b); err != nil {
			return err
		}
		marked = rest
	}
}

// writeString writes a JSON string, as it is where that is allowed.
func writeString(buf *bytes.Buffer, s string) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c > '~' {
			enc := json.NewEncoder(buf)
			enc.SetEscapeHTML(false)
			if enc.Encode(s) == nil { // a string always encodes
				buf.Truncate(buf.Len() - 1)
			}
			return
		}
	}
	buf.WriteByte('"')
	buf.WriteString(s)
	buf.WriteByte('"')
}

// size is what the payload takes, in bytes.
func (p payload) size() int {
	n := len(p.array)
	for _, b := range p.attachments {
		n += len(b)
	}
	return n
}

// frame makes the message of a packet. nsp is its namespace; an id asks for, or
// is, an ack.
func (p payload) frame(k kind, nsp string, id *uint64) message {
	return p.frameWith(nil, k, nsp, id)
}

// frameWith is frame with a tail of the array in place of its last byte, nil for
// none.
func (p payload) frameWith(tail []byte, k kind, nsp string, id *uint64) message {
	var room [64]byte
	head := room[:0]
	if len(p.attachments) > 0 {
		head = append(head, byte(k+kindBinaryEvent-kindEvent))
		head = strconv.AppendInt(head, int64(len(p.attachments)), 10)
		head = append(head, '-')
	} else {
		head = append(head, byte(k))
	}
	if nsp != "/" {
		head = append(append(head, nsp...), ',')
	}
	if id != nil {
		head = strconv.AppendUint(head, *id, 10)
	}
	m := make(message, 1, 1+len(p.attachments))
	array := p.array
	if tail != nil {
		array = array[:len(array)-1]
	}
	m[0] = engineio.Text(head, array, tail)
	for _, b := range p.attachments {
		m = append(m, engineio.Binary(b))
	}
	return m
}

// withOffset makes the message of an event with a further argument, the offset that
// a client hands back when it wants its state recovered.
func (p payload) withOffset(offset, nsp string) message {
	var room [64]byte
	tail := append(append(append(room[:0], ',', '"'), offset...), '"', ']')
	return p.frameWith(tail, kindEvent, nsp, nil)
}
