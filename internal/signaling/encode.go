package signaling

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"
)

// done is the answer of events that have nothing to say.
var done = json.RawMessage(`{"ok":true}`)

// Payloads are appended text by text. What clients sent goes in as it came, ids and
// words of our own need no escaping, and only names go through appendText: the
// relay of a description costs one copy and no encoder.

// appendText appends s as a JSON string. Plain ASCII, which nearly all names are,
// is copied; encoding/json does the rest.
func appendText(b []byte, s string) []byte {
	if !plain(s) {
		text, err := json.Marshal(s)
		if err != nil { // cannot be: strings always encode
			return append(b, `""`...)
		}
		return append(b, text...)
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// plain reports whether a text is printable ASCII that needs no escaping.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			return false
		}
	}
	return true
}

// appendMillis appends a time in the unit of all times on the wire.
func appendMillis(b []byte, t time.Time) []byte { return strconv.AppendInt(b, t.UnixMilli(), 10) }

// appendPeer appends a Peer without its closing brace, for those that add to it.
func (r *Room) appendPeer(b []byte, p *Peer) []byte {
	b = append(b, `{"id":"`...)
	b = append(b, p.id...)
	b = append(b, '"')
	if p.user != "" {
		b = append(b, `,"user":{"id":`...)
		b = appendText(b, p.user)
		if p.name != "" {
			b = append(b, `,"name":`...)
			b = appendText(b, p.name)
		}
		b = append(b, '}')
	}
	if r.isHost(p) {
		b = append(b, `,"role":"host","state":`...)
	} else {
		b = append(b, `,"role":"member","state":`...)
	}
	b = append(b, p.state...)
	if p.away {
		b = append(b, `,"away":true`...)
	}
	b = append(b, `,"joinedAt":`...)
	b = appendMillis(b, p.joined)
	b = append(b, `,"order":`...)
	return strconv.AppendInt(b, p.order, 10)
}

// head starts the object of an event of the room, with space for more bytes.
func (r *Room) head(more int) []byte {
	return r.appendHead(make([]byte, 0, len(r.quoted)+more+16))
}

func (r *Room) appendHead(b []byte) []byte {
	b = append(b, `{"room":`...)
	return append(b, r.quoted...)
}

// relayed is the payload of what one peer sends: the value goes in as it came.
func (r *Room) relayed(from *Peer, field string, value json.RawMessage) json.RawMessage {
	b := make([]byte, 0, len(r.quoted)+len(from.id)+len(field)+len(value)+32)
	return r.appendRelayed(b, from, field, value)
}

func (r *Room) appendRelayed(b []byte, from *Peer, field string, value json.RawMessage) []byte {
	b = r.appendHead(b)
	b = append(b, `,"from":"`...)
	b = append(b, from.id...)
	b = append(b, `","`...)
	b = append(b, field...)
	b = append(b, `":`...)
	b = append(b, value...)
	return append(b, '}')
}

// about is the payload of news about a peer: its id and one more field, if any.
func (r *Room) about(id, field string, value []byte) json.RawMessage {
	b := r.head(len(id) + len(field) + len(value) + 16)
	b = append(b, `,"id":"`...)
	b = append(b, id...)
	b = append(b, '"')
	if field != "" {
		b = append(b, `,"`...)
		b = append(b, field...)
		b = append(b, `":`...)
		b = append(b, value...)
	}
	return append(b, '}')
}

// leftPayload is {room, id, reason}. Reasons need no escaping.
func (r *Room) leftPayload(id, reason string) json.RawMessage {
	return r.about(id, "reason", append(append([]byte{'"'}, reason...), '"'))
}

// delivered is the answer {ok: true, delivered}.
func delivered(n int) json.RawMessage {
	return append(strconv.AppendInt([]byte(`{"ok":true,"delivered":`), int64(n), 10), '}')
}

// keep copies a slice of a client's payload, which is valid only while it is
// handled.
func keep(raw json.RawMessage) json.RawMessage { return slices.Clone(raw) }
