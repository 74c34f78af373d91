package redis

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// kind is the type of a message of @socket.io/redis-streams-adapter.
type kind int

const (
	kindBroadcast          kind = 3
	kindJoin               kind = 4
	kindLeave              kind = 5
	kindDisconnect         kind = 6
	kindFetch              kind = 7
	kindFetched            kind = 8
	kindServerSide         kind = 9
	kindServerSideAnswered kind = 10
	kindClientCount        kind = 11
	kindAck                kind = 12
	// kindNote is ours; servers of other kinds ignore it.
	kindNote kind = 64
)

// streamsFormat is that of @socket.io/redis-streams-adapter: what must not be lost
// goes through a stream, requests and their answers through pub/sub.
type streamsFormat struct{ l *link }

func newStreamsFormat(l *link) *streamsFormat { return &streamsFormat{l} }

var errKind = errors.New("unexpected type of message")

// envelope is a published message.
type envelope struct {
	UID  string `json:"uid"`
	Nsp  string `json:"nsp"`
	Type kind   `json:"type"`
	Data body   `json:"data"`
}

func (f *streamsFormat) channel() string { return f.l.c.options.Prefix + "#" + f.l.ns + "#" }

func (f *streamsFormat) topics() (channels, patterns []string) {
	return []string{f.channel(), f.channel() + f.l.uid + "#"}, nil
}

// entry is the command that adds to the stream. A serial tells other nodes of our
// kind what they have read already, when it was sent twice; 0 is none.
func (f *streamsFormat) entry(k kind, data string, serial uint64) []any {
	o := f.l.c.options
	args := []any{
		"XADD", o.Stream, "MAXLEN", "~", o.MaxLength, "*",
		"uid", f.l.uid, "nsp", f.l.ns, "type", strconv.Itoa(int(k)), "data", data,
	}
	if serial > 0 {
		args = append(args, "n", strconv.FormatUint(serial, 10))
	}
	return args
}

// encode is a message as text in the stream: JSON, or, with binary parts, base64
// of MessagePack.
func encodeBroadcast(m *gateway.Message) (string, error) {
	text := appendBroadcast(make([]byte, 0, len(m.Data)+128), m)
	if len(m.Attachments) == 0 {
		return string(text), nil
	}
	packed, err := pack(nil, text, m.Attachments)
	return base64.StdEncoding.EncodeToString(packed), err
}

func (f *streamsFormat) broadcast(m *gateway.Message, serial uint64) (command, error) {
	data, err := encodeBroadcast(m)
	return command{args: f.entry(kindBroadcast, data, serial)}, err
}

func (f *streamsFormat) change(c change, set gateway.Set, rooms []string, closeConnection bool) command {
	b := struct {
		Opts  *wireSet `json:"opts"`
		Rooms names    `json:"rooms,omitempty"`
		Close *bool    `json:"close,omitempty"`
	}{newWireSet(set), rooms, nil}
	k := kindJoin
	switch c {
	case changeLeave:
		k = kindLeave
	case changeDisconnect:
		k, b.Close = kindDisconnect, &closeConnection
	}
	text, _ := json.Marshal(b) // names and flags always encode
	return command{args: f.entry(k, string(text), 0)}
}

// publish is a published message: MessagePack, in which binary parts of the packet
// are found by placeholders.
func (f *streamsFormat) publish(channel string, k kind, b any, attachments [][]byte) (command, error) {
	text, err := json.Marshal(struct {
		UID  string `json:"uid"`
		Nsp  string `json:"nsp"`
		Type kind   `json:"type"`
		Data any    `json:"data"`
	}{f.l.uid, f.l.ns, k, b})
	if err != nil {
		return command{}, err
	}
	text, err = pack(nil, text, attachments)
	return publication(channel, text), err
}

func (f *streamsFormat) ask(id string, m *gateway.Message, timeout time.Duration) (command, error) {
	set := newWireSet(m.Set)
	set.Flags.Volatile, set.Flags.Timeout = m.Volatile, timeout.Milliseconds()
	text, err := json.Marshal(packet{Type: packetEvent, Data: m.Data})
	if err != nil {
		return command{}, err
	}
	return f.publish(f.channel(), kindBroadcast, body{Opts: set, RequestID: name(id), Packet: text}, m.Attachments)
}

func (f *streamsFormat) fetch(id string, set gateway.Set) command {
	// Names always encode.
	cmd, _ := f.publish(f.channel(), kindFetch, body{Opts: newWireSet(set), RequestID: name(id)}, nil)
	return cmd
}

func (f *streamsFormat) serverSide(id string, m *gateway.Message) (command, error) {
	return f.publish(f.channel(), kindServerSide, body{RequestID: name(id), Packet: m.Data}, m.Attachments)
}

func (f *streamsFormat) emission(m *gateway.Message) ([]any, error) {
	data, err := encodeBroadcast(m)
	return f.entry(kindBroadcast, data, 0), err
}

func (f *streamsFormat) note(text []byte) []any { return f.entry(kindNote, string(text), 0) }

// receive takes a request of another node, or an answer.
func (f *streamsFormat) receive(_ string, payload []byte) error {
	text, attachments, err := unpack(payload)
	if err != nil {
		return err
	}
	var e envelope
	if err := json.Unmarshal(text, &e); err != nil {
		return err
	}
	if e.UID == f.l.uid || e.Nsp != f.l.ns {
		return nil
	}
	switch e.Type {
	case kindBroadcast:
		return f.asked(&e, attachments)
	case kindFetch:
		f.respond(&e, kindFetched, f.listed(&e), nil)
	case kindServerSide:
		return f.serverSided(&e, attachments)
	case kindClientCount, kindAck, kindFetched, kindServerSideAnswered:
		f.answered(&e, attachments)
	default:
		return fmt.Errorf("%w: %d", errKind, e.Type)
	}
	return nil
}

// respond answers the node that has asked.
func (f *streamsFormat) respond(e *envelope, k kind, b any, attachments [][]byte) {
	cmd, err := f.publish(f.channel()+e.UID+"#", k, b, attachments)
	if err != nil {
		f.l.c.malformed("an answer of this node", err)
		return
	}
	f.l.c.sender.send(cmd)
}

// The answers, whose fields are there also when they are zero.
type (
	countAnswer struct {
		RequestID   name `json:"requestId"`
		ClientCount int  `json:"clientCount"`
	}
	ackAnswer struct {
		RequestID name            `json:"requestId"`
		Packet    json.RawMessage `json:"packet"`
	}
	listAnswer struct {
		RequestID name         `json:"requestId"`
		Sockets   []wireSocket `json:"sockets"`
	}
)

func (f *streamsFormat) asked(e *envelope, attachments [][]byte) error {
	m, err := e.Data.message(attachments)
	if err != nil {
		return err
	}
	id := e.Data.RequestID
	f.l.ask(m, e.Data.Opts, func(n int) {
		f.respond(e, kindClientCount, countAnswer{id, n}, nil)
	}, func(a gateway.Args) {
		value, attachments := oneArg(a)
		f.respond(e, kindAck, ackAnswer{id, value}, attachments)
	})
	return nil
}

func (f *streamsFormat) listed(e *envelope) listAnswer {
	return listAnswer{e.Data.RequestID, f.l.list(e.Data.Opts.set())}
}

func (f *streamsFormat) serverSided(e *envelope, attachments [][]byte) error {
	if err := checkEvent(e.Data.Packet); err != nil {
		return err
	}
	var ack func(gateway.Args)
	if id := e.Data.RequestID; id != "" {
		ack = func(a gateway.Args) {
			value, attachments := oneArg(a)
			f.respond(e, kindServerSideAnswered, ackAnswer{id, value}, attachments)
		}
	}
	f.l.local.ServerSide(&gateway.Message{Data: e.Data.Packet, Attachments: attachments}, ack)
	return nil
}

func (f *streamsFormat) answered(e *envelope, attachments [][]byte) {
	r := f.l.requests.find(string(e.Data.RequestID))
	if r == nil {
		return // too late
	}
	switch e.Type {
	case kindClientCount:
		r.counted(e.Data.ClientCount)
	case kindFetched:
		r.listed(e.Data.Sockets)
	default:
		r.answered(e.Data.Packet, attachments)
	}
}

// read takes an entry of the stream that another node has added, or this one for
// all.
func (f *streamsFormat) read(k kind, data, offset string) error {
	switch k {
	case kindNote:
		return f.l.noted([]byte(data))
	case kindBroadcast, kindJoin, kindLeave, kindDisconnect:
	default:
		return nil // heartbeats and requests of other versions of the adapter
	}
	text, attachments, err := entryText(data)
	if err != nil {
		return err
	}
	if k == kindBroadcast {
		m, err := readBroadcast(text, f.l.here)
		if err == nil && m != nil {
			m.Attachments = attachments
			f.l.deliver(m, offset, 0)
		}
		return err
	}
	return f.changed(k, text)
}

// changed makes a change that an entry asks for.
func (f *streamsFormat) changed(k kind, text []byte) error {
	var b body
	if err := json.Unmarshal(text, &b); err != nil {
		return err
	}
	switch {
	case b.Opts == nil:
		return errKind // without it, it would be for everybody
	case k == kindJoin:
		f.l.changed(changeJoin, b.Opts.set(), b.Rooms, false)
	case k == kindLeave:
		f.l.changed(changeLeave, b.Opts.set(), b.Rooms, false)
	case k == kindDisconnect:
		f.l.changed(changeDisconnect, b.Opts.set(), nil, b.Close)
	}
	return nil
}
