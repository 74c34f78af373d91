package redis

import (
	"encoding/base64"
	"encoding/json"
	"errors"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
	"github.com/caddy-socketio/caddy-socketio/internal/jsontext"
)

// Every node reads the broadcasts of all others, most of which are for none of its
// sockets: relays go to one. So they are walked over once, without decoding, and
// what is for nobody here goes no further than the names of its rooms.

var (
	errText = errors.New("malformed JSON")
	errName = errors.New("a name is neither a text nor a number")
)

// entryText is the data of an entry as JSON.
func entryText(data string) (text json.RawMessage, attachments [][]byte, err error) {
	if len(data) > 0 && data[0] == '{' {
		return json.RawMessage(data), nil, nil
	}
	raw, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return nil, nil, err
	}
	return unpack(raw)
}

// readBroadcast reads an object with the members opts and packet. It returns nil
// for one that wanted says no to.
func readBroadcast(text []byte, wanted func(*wireSet) bool) (*gateway.Message, error) {
	var opts, packet []byte
	ok := jsontext.Object(text, maxDepth, func(key, value []byte) {
		switch string(key) {
		case "opts":
			opts = value
		case "packet":
			packet = value
		}
	})
	if !ok {
		return nil, errText
	}
	set, err := readSet(opts)
	if err != nil || !wanted(set) {
		return nil, err
	}
	return readMessage(set, packet, nil)
}

// readMessage reads the event of a packet. nsp, if it is not nil, gets the raw
// value of the packet's member of that name.
func readMessage(set *wireSet, packet []byte, nsp *[]byte) (*gateway.Message, error) {
	m := &gateway.Message{Set: set.set(), Volatile: set.Flags.Volatile}
	ok := jsontext.Object(packet, maxDepth, func(key, value []byte) {
		switch string(key) {
		case "data":
			m.Data = value
		case "nsp":
			if nsp != nil {
				*nsp = value
			}
		}
	})
	if !ok {
		return nil, errText
	}
	return m, checkEvent(m.Data)
}

// readSet reads whom a broadcast is for. Without it, it would be for everybody.
func readSet(text []byte) (*wireSet, error) {
	set := new(wireSet)
	var err error
	ok := jsontext.Object(text, maxDepth, func(key, value []byte) {
		switch string(key) {
		case "rooms":
			set.Rooms, err = readNames(value, err)
		case "except":
			set.Except, err = readNames(value, err)
		case "flags":
			if string(value) != "{}" {
				err = errors.Join(err, json.Unmarshal(value, &set.Flags))
			}
		}
	})
	if !ok {
		return nil, errKind
	}
	return set, err
}

// readNames reads an array of names, which in JavaScript may be numbers. The
// outcome of an earlier one is passed on.
func readNames(text []byte, err error) (names, error) {
	if string(text) == "null" {
		return nil, err
	}
	var all names
	ok := jsontext.Array(text, maxDepth, func(value []byte) {
		one, e := readName(value)
		all, err = append(all, one), errors.Join(err, e)
	})
	if !ok {
		return nil, errText
	}
	return all, err
}

// readName reads a text or a number; what some encoders make of undefined is empty.
func readName(value []byte) (string, error) {
	switch c := value[0]; {
	case c == '"':
		return jsontext.Unquote(value[1 : len(value)-1]), nil
	case c == '-' || c >= '0' && c <= '9':
		return string(value), nil
	case c == 'n':
		return "", nil
	}
	return "", errName
}

// here reports whether a broadcast may be for a socket of this node.
func (l *link) here(set *wireSet) bool {
	if len(set.Rooms) == 0 {
		return true
	}
	for _, room := range set.Rooms {
		if l.local.Has(room) {
			return true
		}
	}
	return false
}
