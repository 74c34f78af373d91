package redis

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
	"github.com/caddy-socketio/caddy-socketio/internal/jsontext"
)

// body is what messages of both adapters hold, each kind some of it.
type body struct {
	Opts        *wireSet        `json:"opts,omitempty"`
	Rooms       names           `json:"rooms,omitempty"`
	Close       bool            `json:"close,omitempty"`
	RequestID   name            `json:"requestId,omitempty"`
	Packet      json.RawMessage `json:"packet,omitempty"`
	Sockets     []wireSocket    `json:"sockets,omitempty"`
	ClientCount int             `json:"clientCount,omitempty"`
}

// wireSet is a set of sockets, with the flags of a broadcast.
type wireSet struct {
	Rooms  names `json:"rooms"`
	Except names `json:"except"`
	Flags  struct {
		Volatile bool  `json:"volatile,omitempty"`
		Timeout  int64 `json:"timeout,omitempty"` // in ms
	} `json:"flags"`
}

func (s *wireSet) set() gateway.Set {
	if s == nil {
		return gateway.Set{}
	}
	return gateway.Set{Rooms: s.Rooms, Except: s.Except}
}

func newWireSet(set gateway.Set) *wireSet { return &wireSet{Rooms: set.Rooms, Except: set.Except} }

// names are rooms. In JavaScript a room may be a number.
type names []string

// MarshalJSON implements json.Marshaler: no names are an empty array.
func (n names) MarshalJSON() ([]byte, error) {
	if n == nil {
		return []byte("[]"), nil
	}
	return json.Marshal([]string(n))
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *names) UnmarshalJSON(text []byte) error {
	var all []name
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	*n = nil
	for _, one := range all {
		*n = append(*n, string(one))
	}
	return nil
}

// name is a text that may be written as a number.
type name string

// UnmarshalJSON implements json.Unmarshaler.
func (n *name) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] != '"' {
		*n = name(text)
		if string(text) == "null" {
			*n = ""
		}
		return nil
	}
	return json.Unmarshal(text, (*string)(n))
}

// packet is an event as Node encodes it.
type packet struct {
	Type int             `json:"type"`
	Data json.RawMessage `json:"data"`
	Nsp  *string         `json:"nsp,omitempty"`
}

const packetEvent = 2

// message reads the event of a broadcast.
func (b *body) message(attachments [][]byte) (*gateway.Message, error) {
	var p packet
	if err := json.Unmarshal(b.Packet, &p); err != nil {
		return nil, err
	}
	m := &gateway.Message{Set: b.Opts.set(), Data: p.Data, Attachments: attachments}
	m.Volatile = b.Opts != nil && b.Opts.Flags.Volatile
	return m, checkEvent(p.Data)
}

// checkEvent makes sure that clients can be sent an event: an array that begins
// with a name.
func checkEvent(data json.RawMessage) error {
	rest, ok := bytes.CutPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte{'['})
	if rest = bytes.TrimLeft(rest, " \t\r\n"); !ok || len(rest) == 0 || rest[0] != '"' && rest[0] != '-' && (rest[0] < '0' || rest[0] > '9') {
		return errEvent
	}
	return nil
}

// appendBroadcast appends a broadcast as JSON: first whom it is for.
func appendBroadcast(out []byte, m *gateway.Message) []byte {
	out = append(out, `{"opts":{"rooms":`...)
	out = appendNames(out, m.Rooms)
	out = append(out, `,"except":`...)
	out = appendNames(out, m.Except)
	out = append(out, `,"flags":{`...)
	if m.Volatile {
		out = append(out, `"volatile":true`...)
	}
	out = append(out, `}},"packet":{"type":2,"data":`...)
	return append(append(out, m.Data...), `}}`...)
}

func appendNames(out []byte, list []string) []byte {
	out = append(out, '[')
	for i, one := range list {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendText(out, one)
	}
	return append(out, ']')
}

func appendText(out []byte, s string) []byte {
	if jsontext.SkipPlain([]byte(s), 0) == len(s) && utf8.ValidString(s) { // nearly all names
		return append(append(append(out, '"'), s...), '"')
	}
	text, err := json.Marshal(s)
	if err != nil { // text always encodes
		text = []byte(`""`)
	}
	return append(out, text...)
}

// wireSocket is a socket as it is listed for other nodes.
type wireSocket struct {
	ID        string          `json:"id"`
	Handshake wireHandshake   `json:"handshake"`
	Rooms     names           `json:"rooms"`
	Data      json.RawMessage `json:"data,omitempty"`
}

type wireHandshake struct {
	Headers map[string]any `json:"headers"`
	Time    string         `json:"time"`
	Address string         `json:"address"`
	XDomain bool           `json:"xdomain"`
	Secure  bool           `json:"secure"`
	Issued  int64          `json:"issued"`
	URL     string         `json:"url"`
	Query   map[string]any `json:"query"`
	Auth    any            `json:"auth"`
}

// dateLayout is how JavaScript prints dates.
const dateLayout = "Mon Jan 02 2006 15:04:05 GMT-0700 (MST)"

// listed describes a socket for other nodes. Data that is no JSON is left out.
func listed(s *gateway.SocketInfo) wireSocket {
	w := wireSocket{ID: s.ID, Rooms: s.Rooms}
	if s.Data != nil {
		if data, err := json.Marshal(s.Data); err == nil {
			w.Data = data
		}
	}
	h := s.Handshake
	if h == nil {
		return w
	}
	w.Handshake = wireHandshake{
		Headers: map[string]any{}, Time: h.Time.Format(dateLayout), Address: h.ClientIP, Secure: h.Secure,
		Issued: h.Time.UnixMilli(), URL: "/?" + h.Query.Encode(), Query: map[string]any{}, Auth: h.Auth,
	}
	for key, values := range h.Header {
		w.Handshake.Headers[strings.ToLower(key)] = strings.Join(values, ", ")
	}
	w.Handshake.Headers["host"] = h.Host
	for key, values := range h.Query {
		if w.Handshake.Query[key] = values[0]; len(values) > 1 {
			w.Handshake.Query[key] = values
		}
	}
	return w
}

// info is the description of another node's socket.
func (w *wireSocket) info() gateway.SocketInfo {
	h := &gateway.Handshake{
		Header: http.Header{}, Query: url.Values{}, ClientIP: w.Handshake.Address, Secure: w.Handshake.Secure,
		Time: time.UnixMilli(w.Handshake.Issued),
	}
	for key, v := range w.Handshake.Headers {
		h.Header[textproto.CanonicalMIMEHeaderKey(key)] = texts(v)
	}
	h.Host = h.Header.Get("Host")
	h.Header.Del("Host")
	for key, v := range w.Handshake.Query {
		h.Query[key] = texts(v)
	}
	h.Auth, _ = w.Handshake.Auth.(map[string]any)
	s := gateway.SocketInfo{ID: w.ID, Rooms: w.Rooms, Handshake: h}
	if w.Data != nil && json.Unmarshal(w.Data, &s.Data) != nil {
		s.Data = nil
	}
	return s
}

// texts reads a header's or query's value, of which there may be several.
func texts(v any) (all []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, one := range v {
			all = append(all, texts(one)...)
		}
	case float64:
		return []string{strconv.FormatFloat(v, 'f', -1, 64)}
	}
	return all
}

// oneArg is the argument of an ack; only the first counts between nodes.
func oneArg(a gateway.Args) (value json.RawMessage, attachments [][]byte) {
	if value = a.Raw(0); value == nil {
		value = json.RawMessage("null")
	}
	return value, a.Attachments()
}
