package signaling

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"

	"github.com/caddy-socketio/caddy-socketio/internal/jsontext"
)

// maxKeys bounds a room's metadata, next to Options.MaxMessage for all of it.
const maxKeys = 64

// entry is one key of a room's metadata.
type entry struct {
	key   string
	value json.RawMessage
}

// edit is a change of metadata as the client asks for it.
type edit struct {
	set      []entry
	setRaw   json.RawMessage // nil when not given
	remove   []string
	rmRaw    json.RawMessage // nil when not given
	revision int64           // -1 when not given
}

// metadata handles "metadata" {room, set?: object, remove?: string[], revision?:
// number}. It answers {metadata, revision}; with a stale revision "conflict" with
// the current one. The others get the event "metadata" {room, set, remove,
// revision, by}, whose parts are the client's own text.
func (c *Client) metadata(raw json.RawMessage, answer Answer) error {
	p, err := parse(raw, "room", "set", "remove", "revision")
	if err != nil {
		return err
	}
	if _, err = p.name("room"); err != nil {
		return err
	}
	e, err := c.edit(&p)
	if err != nil {
		return err
	}
	if e.setRaw == nil && e.rmRaw == nil {
		return c.look(&p, func(r *Room, _ *Peer) error {
			answer(r.metadataAnswer())
			return nil
		})
	}
	return c.change(&p, func(r *Room, p *Peer) error {
		if err := e.apply(r); err != nil {
			return err
		}
		r.reply(answer, r.metadataAnswer())
		r.all("metadata", e.payload(r, p), c.id)
		return nil
	})
}

// edit reads and checks a change. A set with one key twice means the last value, as
// JavaScript reads it.
func (c *Client) edit(p *payload) (e edit, err error) {
	limit := c.service.opts.Load().MaxMessage
	if e.setRaw, err = p.object("set", limit); err != nil {
		return e, err
	}
	jsontext.Object(e.setRaw, maxDepth, func(key, value []byte) {
		e.set = assign(e.set, jsontext.Unquote(key), value)
	})
	if e.rmRaw = p.raw("remove"); e.rmRaw != nil {
		if err = within("remove", e.rmRaw, limit); err != nil {
			return e, err
		}
		texts := true
		isArray := jsontext.Array(e.rmRaw, maxDepth, func(value []byte) {
			if texts = texts && value[0] == '"'; texts {
				e.remove = append(e.remove, jsontext.Unquote(value[1:len(value)-1]))
			}
		})
		if !isArray || !texts {
			return e, invalid("remove must be an array of strings")
		}
	}
	if len(e.set) > maxKeys || len(e.remove) > maxKeys {
		return e, tooLarge("metadata has at most " + strconv.Itoa(maxKeys) + " keys")
	}
	e.revision, err = p.integer("revision", 0, math.MaxInt32, -1)
	return e, err
}

// assign sets a key among at most a few.
func assign(entries []entry, key string, value json.RawMessage) []entry {
	for i := range entries {
		if entries[i].key == key {
			entries[i].value = value
			return entries
		}
	}
	return append(entries, entry{key, value})
}

// apply removes, then sets, then counts the revision; or changes nothing. A key in
// both is set. Without a revision the last writer wins, with one nobody's change
// is overwritten unseen.
func (e *edit) apply(r *Room) error {
	if e.revision >= 0 && e.revision != r.revision {
		return &Error{
			Code: CodeConflict, Message: "the metadata has changed since that revision",
			Data: map[string]any{"revision": r.revision},
		}
	}
	next := make([]entry, 0, len(r.metadata)+len(e.set))
	for _, old := range r.metadata {
		if !slices.Contains(e.remove, old.key) {
			next = append(next, old)
		}
	}
	for _, set := range e.set {
		next = assign(next, set.key, keep(set.value))
	}
	if len(next) > maxKeys {
		return tooLarge("metadata has at most " + strconv.Itoa(maxKeys) + " keys")
	}
	if err := within("metadata", appendEntries(nil, next), r.opts.MaxMessage); err != nil {
		return err
	}
	r.metadata = next
	r.revision++
	return nil
}

// payload is what the others are told. Parts that were not given are empty, so that
// receivers need not ask.
func (e *edit) payload(r *Room, by *Peer) json.RawMessage {
	b := r.head(len(e.setRaw) + len(e.rmRaw) + 96)
	b = append(b, `,"set":`...)
	b = append(b, orText(e.setRaw, "{}")...)
	b = append(b, `,"remove":`...)
	b = append(b, orText(e.rmRaw, "[]")...)
	b = append(b, `,"revision":`...)
	b = strconv.AppendInt(b, r.revision, 10)
	b = append(b, `,"by":"`...)
	return append(append(b, by.id...), `"}`...)
}

// orText is the client's text, or what stands for none.
func orText(raw json.RawMessage, missing string) json.RawMessage {
	if raw == nil {
		return json.RawMessage(missing)
	}
	return raw
}

// metadataAnswer is the same for reads and changes: a writer sees at once what its
// change made of the whole.
func (r *Room) metadataAnswer() json.RawMessage {
	b := appendEntries([]byte(`{"ok":true,"metadata":`), r.metadata)
	b = append(b, `,"revision":`...)
	return append(strconv.AppendInt(b, r.revision, 10), '}')
}

// appendEntries appends the metadata as an object. Values are as they were set.
func appendEntries(b []byte, entries []entry) []byte {
	b = append(b, '{')
	for i, e := range entries {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendText(b, e.key), ':')
		b = append(b, e.value...)
	}
	return append(b, '}')
}
