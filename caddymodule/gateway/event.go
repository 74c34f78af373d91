package gateway

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// ErrDisconnected is returned for a socket that is no longer connected.
var ErrDisconnected = errors.New("socket is disconnected")

// Handler handles one event. Its context is the socket's. What it returns is the
// answer: the value is the ack's argument when the client asked for an ack, a
// [Reply] is sent as an event, and an error is sent as the ack
// {ok: false, error: {code, message, …}} or, without one, as the event
// "exception" {status: "error", code, message, event}. An error that is not an
// [*Error] is logged and told to the client as "internal" only. A panic counts
// as such an error.
type Handler func(ctx context.Context, ev *Event) (any, error)

// Event is an event from the client. It and its arguments are valid only until
// the handler returns.
type Event struct {
	// Name is the event's name.
	Name string
	// Args are its arguments, without name and ack.
	Args Args
	// WantsAck reports whether the client asked for an ack.
	WantsAck bool
	// Answer sends the ack at once, ahead of the handler's return: for a
	// handler that must know its answer queued before the events that follow
	// it, such as one that answers under a lock. Nil when the client asked for
	// no ack. It counts once, and what the handler returns is then no answer
	// anymore; an error is still logged.
	Answer func(v any) error
}

// Reply is returned by a handler that answers with an event, as NestJS's
// {event, data}.
type Reply struct {
	// Event is sent to the client with Args, unless it asked for an ack and
	// Ack is set.
	Event string
	Args  []any
	// Ack is the ack's argument, if the client asked for one.
	Ack any
}

// Args are the arguments of an event or an ack.
type Args struct {
	values      []json.RawMessage
	attachments [][]byte
}

// NewArgs makes arguments of JSON values, in which objects of the form
// {"_placeholder":true,"num":N} stand for the N-th attachment.
func NewArgs(values []json.RawMessage, attachments [][]byte) Args {
	return Args{values, attachments}
}

// Len is the number of arguments.
func (a Args) Len() int { return len(a.values) }

// Raw is the JSON text of argument i, nil when there are fewer. Binary parts are
// placeholders in it.
func (a Args) Raw(i int) json.RawMessage {
	if i < 0 || i >= len(a.values) {
		return nil
	}
	return a.values[i]
}

// Attachments are the binary parts of all arguments.
func (a Args) Attachments() [][]byte { return a.attachments }

// Decode stores argument i in v, by the rules of encoding/json; a missing
// argument leaves v as it is. Binary parts fit [Binary] and []byte. The error is
// an [*Error] with the code "invalid-payload" whose message names the wrong field.
func (a Args) Decode(i int, v any) error {
	raw := a.Raw(i)
	if raw == nil {
		return nil
	}
	if len(a.attachments) > 0 {
		var err error
		if raw, err = a.inline(raw); err != nil {
			return err
		}
	}
	err := json.Unmarshal(raw, v)
	if err == nil {
		return nil
	}
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	var mismatch *json.UnmarshalTypeError
	if !errors.As(err, &mismatch) {
		return &Error{Code: "invalid-payload", Message: "malformed payload"}
	}
	if mismatch.Field == "" {
		return &Error{Code: "invalid-payload", Message: fmt.Sprintf("argument %d must not be %s", i+1, mismatch.Value)}
	}
	return &Error{Code: "invalid-payload", Message: fmt.Sprintf("%s must not be %s", mismatch.Field, mismatch.Value)}
}

// inline replaces placeholders by base64 strings, the JSON form of []byte. It
// reads the payload once, whatever its depth: payloads come from strangers.
func (a Args) inline(raw json.RawMessage) (json.RawMessage, error) {
	malformed := &Error{Code: "invalid-payload", Message: "malformed payload"}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, malformed
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, malformed // something follows the value
	}
	v, err := a.fill(v)
	if err != nil {
		return nil, err
	}
	if raw, err = json.Marshal(v); err != nil {
		return nil, malformed
	}
	return raw, nil
}

// fill replaces the placeholders in a decoded value.
func (a Args) fill(v any) (_ any, err error) {
	switch v := v.(type) {
	case []any:
		for i := range v {
			if v[i], err = a.fill(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		if v["_placeholder"] == true {
			return a.attachment(v["num"])
		}
		for k := range v {
			if v[k], err = a.fill(v[k]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

func (a Args) attachment(num any) (any, error) {
	text, _ := num.(json.Number)
	i, err := strconv.Atoi(string(text))
	if err != nil || i < 0 || i >= len(a.attachments) {
		return nil, &Error{Code: "invalid-payload", Message: "placeholder without attachment"}
	}
	return base64.StdEncoding.EncodeToString(a.attachments[i]), nil
}

// Binary is a binary part of an argument. It travels as an attachment of the
// packet, at any depth; a client in a browser gets an ArrayBuffer, one in Node a
// Buffer. Its JSON form means something to the server's encoder only.
type Binary []byte

// binaryMark tells a Binary from any string that a client could make up.
var binaryMark = "\x00" + rand.Text() + ":"

// MarshalJSON marks the bytes for the encoder, which makes an attachment of them.
func (b Binary) MarshalJSON() ([]byte, error) {
	return json.Marshal(binaryMark + base64.StdEncoding.EncodeToString(b))
}

// On registers a typed handler for an event of the socket: the event's first
// argument is decoded into a T by the rules of encoding/json (a missing argument
// is T's zero value), and an argument of another type is answered with the code
// "invalid-payload" without calling h.
func On[T any](s Socket, event string, h func(ctx context.Context, arg T) (any, error)) {
	s.Handle(event, func(ctx context.Context, ev *Event) (any, error) {
		var arg T
		if err := ev.Args.Decode(0, &arg); err != nil {
			return nil, err
		}
		return h(ctx, arg)
	})
}

// Error is an error that the client is told of.
type Error struct {
	// Code is a stable word for programs. Default: "error".
	Code string
	// Message is a sentence for people. Default: the code.
	Message string
	// Data are further fields of the error, next to code and message.
	Data map[string]any
	// Cause is logged and never sent.
	Cause error
}

func (e *Error) Error() string {
	if e.Message == "" {
		return e.Code
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.Cause }
