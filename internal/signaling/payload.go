package signaling

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/caddy-socketio/caddy-socketio/internal/jsontext"
)

// maxName bounds names of rooms and locks, in bytes.
const maxName = 128

// maxFields is the most fields that one event knows.
const maxFields = 6

// maxDepth bounds the nesting of what is relayed: no description or message nests
// like that.
const maxDepth = 100

// payload is a client's object, reduced to the fields its event knows. The
// values are slices of what the client sent: whatever is kept after the event has
// been handled is copied. Not safe for concurrent use, nor used so.
type payload struct {
	names  []string
	values [maxFields]json.RawMessage
}

// parse reads the fields of the given names. Other fields are ignored, and of a
// repeated one the last counts.
func parse(raw json.RawMessage, names ...string) (payload, error) {
	p := payload{names: names}
	ok := jsontext.Object(raw, maxDepth, func(key, value []byte) {
		if i := p.index(key); i >= 0 {
			p.values[i] = value
		}
	})
	if !ok {
		return payload{}, invalid("the payload must be an object")
	}
	return p, nil
}

// index compares names as JSON means them: escapes count, and so does case, unlike
// in encoding/json.
func (p *payload) index(key []byte) int {
	if bytes.IndexByte(key, '\\') >= 0 {
		key = []byte(jsontext.Unquote(key))
	}
	for i, name := range p.names {
		if string(key) == name {
			return i
		}
	}
	return -1
}

// raw is the text of a field, nil when it is missing.
func (p *payload) raw(name string) json.RawMessage {
	for i, n := range p.names {
		if n == name {
			return p.values[i]
		}
	}
	return nil
}

// has reports whether a field was given, be it null.
func (p *payload) has(name string) bool { return p.raw(name) != nil }

// need is raw for fields that must be there.
func (p *payload) need(name string) (json.RawMessage, error) {
	v := p.raw(name)
	if v == nil {
		return nil, invalid(name + " is missing")
	}
	return v, nil
}

// text is a string field; one that is missing is an error if it is needed and
// "" otherwise.
func (p *payload) text(name string, needed bool) (string, error) {
	v := p.raw(name)
	if v == nil && !needed {
		return "", nil
	}
	if v == nil {
		return "", invalid(name + " is missing")
	}
	if v[0] != '"' {
		return "", invalid(name + " must be a string")
	}
	return jsontext.Unquote(v[1 : len(v)-1]), nil
}

// name is a needed name of a room or a lock.
func (p *payload) name(field string) (string, error) {
	s, err := p.text(field, true)
	if err != nil {
		return "", err
	}
	if len(s) == 0 || len(s) > maxName {
		return "", invalid(field + " must have 1 to 128 bytes")
	}
	for i := 0; i < len(s); {
		c, size := utf8.DecodeRuneInString(s[i:])
		if unicode.IsControl(c) {
			return "", invalid(field + " must not contain control characters")
		}
		i += size
	}
	return s, nil
}

// object is an object field of at most limit bytes, nil when it is missing.
func (p *payload) object(name string, limit int) (json.RawMessage, error) {
	v := p.raw(name)
	if v == nil {
		return nil, nil
	}
	if v[0] != '{' {
		return nil, invalid(name + " must be an object")
	}
	return v, within(name, v, limit)
}

// integer is a number field, in whatever way JSON writes it, without fraction between low and high, or the
// default when it is missing.
func (p *payload) integer(name string, low, high, missing int64) (int64, error) {
	v := p.raw(name)
	if v == nil {
		return missing, nil
	}
	if c := v[0]; c != '-' && (c < '0' || c > '9') {
		return 0, invalid(name + " must be a number")
	}
	// JavaScript writes large numbers as 1e21, which are out of every range here,
	// and other encoders 1000.0.
	f, err := strconv.ParseFloat(string(v), 64)
	if err != nil || f < float64(low) || f > float64(high) || f != float64(int64(f)) {
		return 0, invalid(name + " must be a whole number from " + strconv.FormatInt(low, 10) +
			" to " + strconv.FormatInt(high, 10))
	}
	return int64(f), nil
}

// within bounds a value by its text, which is what is kept and sent.
func within(name string, v json.RawMessage, limit int) error {
	if len(v) > limit {
		return tooLarge(name + " is larger than " + strconv.Itoa(limit) + " bytes")
	}
	return nil
}
