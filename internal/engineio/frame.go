package engineio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// rsv1 marks the first frame of a compressed message.
var rsv1 = ws.Rsv(true, false, false)

// protocolError is a breach of the websocket protocol by the client, with the
// code of the close frame that answers it.
type protocolError struct {
	code ws.StatusCode
	err  error
}

func (e *protocolError) Error() string { return fmt.Sprintf("websocket: %v", e.err) }
func (e *protocolError) Unwrap() error { return e.err }

var (
	errTooBig      = &protocolError{ws.StatusMessageTooBig, errors.New("message exceeds max_payload")}
	errInvalidUTF8 = &protocolError{ws.StatusInvalidFramePayloadData, errors.New("text is not UTF-8")}
	errInflate     = &protocolError{ws.StatusInvalidFramePayloadData, errors.New("malformed compressed message")}
)

// appendHeader appends the header of an unmasked, unfragmented frame.
func appendHeader(dst []byte, op ws.OpCode, rsv byte, size int) []byte {
	dst = append(dst, 0x80|rsv<<4|byte(op))
	switch {
	case size <= 125:
		return append(dst, byte(size))
	case size <= 0xffff:
		return binary.BigEndian.AppendUint16(append(dst, 126), uint16(size))
	default:
		return binary.BigEndian.AppendUint64(append(dst, 127), uint64(size))
	}
}

// frameReader reads the frames of a client and puts fragmented messages
// together. It is not safe for concurrent use. This file alone knows the websocket
// library, of which it uses the parsing of headers, the masks and the checks of
// RFC 6455; reading into pooled memory is done here.
type frameReader struct {
	in  source
	max int // bytes of one message, after decompression

	deflate bool // the extension was negotiated

	// The message whose fragments have been read so far.
	op       ws.OpCode
	deflated bool
	partial  []byte

	scratch [ws.MaxHeaderSize]byte
}

// next reads up to the end of the next message or control frame. The payload is
// valid until the next call.
func (r *frameReader) next() (op ws.OpCode, payload []byte, err error) {
	for {
		// This is where an idle connection spends its life: keep the stack shallow.
		if err := r.in.await(); err != nil {
			return 0, nil, err
		}
		h, err := ws.ReadHeaderBuffer(&r.in, r.scratch[:])
		if err != nil {
			return 0, nil, headerError(err)
		}
		if err := r.check(h); err != nil {
			return 0, nil, err
		}
		if h.OpCode.IsControl() {
			// Control frames may come between the fragments of a message, whose
			// state is left alone. Their size has been checked.
			payload, err = r.in.take(int(h.Length))
			ws.Cipher(payload, h.Mask, 0)
			return h.OpCode, payload, err
		}
		done, err := r.fragment(h, &payload)
		if err != nil {
			return 0, nil, err
		}
		if done {
			op, payload, err = r.finish(payload)
			return op, payload, err
		}
	}
}

func headerError(err error) error {
	if errors.Is(err, ws.ErrHeaderLengthMSB) || errors.Is(err, ws.ErrHeaderLengthUnexpected) {
		return &protocolError{ws.StatusProtocolError, err}
	}
	return err
}

// check applies the rules of RFC 6455 and RFC 7692 to a header.
func (r *frameReader) check(h ws.Header) error {
	state := ws.StateServerSide
	if r.op != 0 {
		state = state.Set(ws.StateFragmented)
	}
	// The first frame of a compressed message is marked; a mark on another, or
	// without the extension, is a breach.
	if h.Rsv == rsv1 && r.deflate && (h.OpCode == ws.OpText || h.OpCode == ws.OpBinary) {
		h.Rsv = 0
	}
	if err := ws.CheckHeader(h, state); err != nil {
		return &protocolError{ws.StatusProtocolError, err}
	}
	// Before a byte of it is read: the announced size costs the client nothing.
	if !h.OpCode.IsControl() && h.Length > int64(r.max-len(r.partial)) {
		return errTooBig
	}
	return nil
}

// fragment reads the payload of a data frame. A whole message is left in the
// source's buffer when it fits there; the payload's address is stored in whole.
func (r *frameReader) fragment(h ws.Header, whole *[]byte) (done bool, err error) {
	if h.OpCode != ws.OpContinuation {
		r.op, r.deflated = h.OpCode, h.Rsv == rsv1
		if h.Fin && h.Length <= bufferSize {
			*whole, err = r.in.take(int(h.Length))
			ws.Cipher(*whole, h.Mask, 0)
			return true, err
		}
	}
	start := len(r.partial)
	if r.partial, err = r.in.appendTo(r.partial, int(h.Length)); err != nil {
		return false, err
	}
	ws.Cipher(r.partial[start:], h.Mask, 0)
	if h.Fin {
		*whole, r.partial = r.partial, nil
	}
	return h.Fin, nil
}

// finish decompresses and checks a whole message.
func (r *frameReader) finish(payload []byte) (ws.OpCode, []byte, error) {
	op := r.op
	r.op = 0
	if r.deflated {
		var err error
		if payload, err = inflate(payload, r.max); err != nil {
			return 0, nil, err
		}
	}
	// After decompression, over the whole message: a fragment may end inside a character.
	if op == ws.OpText && !utf8.Valid(payload) {
		return 0, nil, errInvalidUTF8
	}
	return op, payload, nil
}

// closeReply is the body of the close frame that answers a client's, and an
// error if the client's is malformed.
func closeReply(body []byte) ([]byte, error) {
	if len(body) == 0 {
		return nil, nil
	}
	code, reason := ws.ParseCloseFrameData(body)
	// ParseCloseFrameData takes a body of one byte for none.
	if len(body) == 1 {
		code, reason = 0, ""
	}
	if err := ws.CheckCloseFrameData(code, reason); err != nil || code >= 5000 {
		return ws.NewCloseFrameBody(ws.StatusProtocolError, ""), &protocolError{ws.StatusProtocolError, errors.New("malformed close frame")}
	}
	return ws.NewCloseFrameBody(code, ""), nil
}
