package socketio

import (
	"bytes"
	"errors"
	"strconv"
	"unicode/utf8"

	"github.com/caddy-socketio/caddy-socketio/internal/incidents"
)

// kind is the type of a packet, its first character on the wire.
type kind byte

const (
	kindConnect      kind = '0'
	kindDisconnect   kind = '1'
	kindEvent        kind = '2'
	kindAck          kind = '3'
	kindConnectError kind = '4'
	kindBinaryEvent  kind = '5'
	kindBinaryAck    kind = '6'
)

// Bounds of what a packet may claim, those of the reference parser.
const (
	maxAttachments = 10
	maxIDDigits    = 20
	// maxArguments bounds the slice that a packet makes us allocate: two bytes on
	// the wire cost 24 in memory.
	maxArguments = 1000
	// maxEventName bounds an event's name, which answers and logs repeat.
	maxEventName = 512
)

// limitError is the error of a packet that is beyond a bound, rather than
// malformed.
type limitError struct{ limit incidents.Limit }

func (e *limitError) Error() string { return "beyond the limit of " + string(e.limit) }

var (
	errKind        = errors.New("unknown packet type")
	errAttachments = errors.New("illegal attachments")
	errID          = errors.New("illegal id")
	errPayload     = errors.New("invalid payload")
	errText        = errors.New("got plaintext data when reconstructing a packet")
	errBinary      = errors.New("got binary data when not reconstructing a packet")

	errTooManyAttachments = &limitError{incidents.Attachments}
	errLargeAttachments   = &limitError{incidents.MaxPayload}
	errTooManyArguments   = &limitError{incidents.Arguments}
	errTooDeep            = &limitError{incidents.Nesting}
	errLongNamespace      = &limitError{incidents.NamespaceName}
	errLongName           = &limitError{incidents.EventName}
)

// payloadError is an error of checking JSON, whose details nobody needs but
// those of limits.
func payloadError(err error) error {
	if _, beyond := err.(*limitError); beyond { //nolint:errorlint // none is wrapped
		return err
	}
	return errPayload
}

// packet is a decoded packet, whose parts alias the message it came in.
type packet struct {
	kind        kind
	attachments int
	namespace   []byte
	id          uint64
	hasID       bool
	payload     []byte // JSON, unchecked
}

var rootNamespace = []byte("/")

// parsePacket reads a packet up to its payload: type, attachments and "-",
// namespace and ",", id.
func parsePacket(text []byte) (p packet, err error) {
	if len(text) == 0 || text[0] < '0' || text[0] > '6' {
		return p, errKind
	}
	if !utf8.Valid(text) {
		return p, errPayload
	}
	p.kind, text = kind(text[0]), text[1:]
	if p.binary() {
		if p.attachments, text, err = parseAttachments(text); err != nil {
			return p, err
		}
	}
	if p.namespace, text, err = parseNamespace(text); err != nil {
		return p, err
	}
	end := skipDigits(text, 0)
	if end > maxIDDigits {
		return p, errID
	}
	if p.hasID = end > 0; p.hasID {
		if p.id, err = strconv.ParseUint(string(text[:end]), 10, 64); err != nil {
			return p, errID
		}
	}
	p.payload = text[end:]
	return p, nil
}

// binary reports whether attachments may follow.
func (p *packet) binary() bool { return p.kind == kindBinaryEvent || p.kind == kindBinaryAck }

func parseAttachments(text []byte) (n int, rest []byte, err error) {
	digits, rest, ok := bytes.Cut(text, []byte("-"))
	if !ok || len(digits) == 0 || len(digits) > 2 || skipDigits(digits, 0) != len(digits) {
		return 0, nil, errAttachments
	}
	if n, err = strconv.Atoi(string(digits)); err != nil {
		return 0, nil, errAttachments
	}
	if n > maxAttachments {
		return 0, nil, errTooManyAttachments
	}
	return n, rest, nil
}

func parseNamespace(text []byte) (name, rest []byte, err error) {
	if len(text) == 0 || text[0] != '/' {
		return rootNamespace, text, nil
	}
	name, rest, _ = bytes.Cut(text, []byte(","))
	if len(name) > MaxNamespaceName {
		return nil, nil, errLongNamespace
	}
	return name, rest, nil
}
