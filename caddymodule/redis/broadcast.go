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
	return readMessage(set, packet)
}

// receiveBroadcast decodes its parts one by one: this node's own go no further than
// the first, and the data, nearly all of it, is not walked over once more.
func (f *classicFormat) receiveBroadcast(payload []byte) error {
	u := newUnpacker(payload)
	if n, err := u.dec.DecodeArrayLen(); err != nil || n != 3 {
		return errKind
	}
	from, err := u.next()
	if err != nil {
		return err
	}
	uid, err := readName(from)
	if err != nil || uid == f.l.uid {
		return err
	}
	var data []byte
	nsp := []byte("null")
	err = u.members(func(key, value []byte) {
		switch string(key) {
		case `"data"`:
			data = value
		case `"nsp"`:
			nsp = value
		}
	})
	if err != nil {
		return err
	}
	opts, err := u.next()
	if err != nil {
		return err
	}
	if u.in.Len() > 0 {
		return errMsgpack
	}
	set, err := readSet(opts)
	if err != nil || !f.l.here(set) {
		return err
	}
	to, err := readName(nsp)
	if orElse(&to, "/"); err != nil || to != f.l.ns {
		return err
	}
	if err := checkEvent(data); err != nil {
		return err
	}
	f.l.deliver(&gateway.Message{Set: set.set(), Volatile: set.Flags.Volatile, Data: data, Attachments: u.attachments}, "", 0)
	return nil
}

// readMessage reads the event of a packet.
func readMessage(set *wireSet, packet []byte) (*gateway.Message, error) {
	m := &gateway.Message{Set: set.set(), Volatile: set.Flags.Volatile}
	ok := jsontext.Object(packet, maxDepth, func(key, value []byte) {
		if string(key) == "data" {
			m.Data = value
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
