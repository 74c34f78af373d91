package redis

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/vmihailenco/msgpack/v5/msgpcode"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// classicKind is the type of a request or response of @socket.io/redis-adapter.
type classicKind int

const (
	classicSockets     classicKind = 0
	classicAllRooms    classicKind = 1
	classicJoin        classicKind = 2
	classicLeave       classicKind = 3
	classicDisconnect  classicKind = 4
	classicFetch       classicKind = 5
	classicServerSide  classicKind = 6
	classicBroadcast   classicKind = 7
	classicClientCount classicKind = 8
	classicAck         classicKind = 9
)

// classicFormat is that of @socket.io/redis-adapter: everything by pub/sub.
type classicFormat struct {
	l                                           *link
	channel, requests, responses, own, stateful string
}

func newClassicFormat(l *link) *classicFormat {
	prefix, ns := l.c.options.Prefix, "#"+l.ns+"#"
	f := &classicFormat{
		l: l, channel: prefix + ns, requests: prefix + "-request" + ns, responses: prefix + "-response" + ns,
		stateful: prefix + "-note" + ns,
	}
	f.own = f.responses + l.uid + "#"
	return f
}

func (f *classicFormat) topics() (channels, patterns []string) {
	return []string{f.requests, f.responses, f.own, f.stateful}, []string{glob.Replace(f.channel) + "*"}
}

// glob escapes what means something in a pattern: the names of namespaces are
// clients' choice where they are configured by a pattern.
var glob = strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`, "]", `\]`)

// encode is a broadcast: MessagePack of the sender, the packet, and whom it is for.
func (f *classicFormat) encode(m *gateway.Message, uid string) (channel string, payload []byte, err error) {
	out := append(make([]byte, 0, len(m.Data)+256), msgpcode.FixedArrayLow|3)
	out = append(appendString(out, uid), msgpcode.FixedMapLow|3)
	out = appendInt(appendString(out, "type"), packetEvent)
	if out, err = pack(appendString(out, "data"), m.Data, m.Attachments); err != nil {
		return "", nil, err
	}
	out = appendString(appendString(out, "nsp"), f.l.ns)
	out = append(out, msgpcode.FixedMapLow|3)
	out = appendStrings(appendString(out, "rooms"), m.Rooms)
	out = appendStrings(appendString(out, "except"), m.Except)
	out = appendString(out, "flags")
	if m.Volatile {
		out = append(appendString(append(out, msgpcode.FixedMapLow|1), "volatile"), msgpcode.True)
	} else {
		out = append(out, msgpcode.FixedMapLow)
	}
	channel = f.channel
	if len(m.Rooms) == 1 {
		channel += m.Rooms[0] + "#"
	}
	return channel, out, nil
}

func (f *classicFormat) broadcast(m *gateway.Message, _ uint64) (command, error) {
	channel, payload, err := f.encode(m, f.l.uid)
	return publication(channel, payload), err
}

func publication(channel string, payload []byte) command {
	return command{args: []any{"PUBLISH", channel, payload}, once: true}
}

// classicRequest is a request. Its fields that answers need are there also when
// they are zero.
type classicRequest struct {
	UID       string          `json:"uid,omitempty"`
	RequestID name            `json:"requestId,omitempty"`
	Type      classicKind     `json:"type"`
	Opts      *wireSet        `json:"opts,omitempty"`
	Rooms     names           `json:"rooms,omitempty"`
	Close     *bool           `json:"close,omitempty"`
	Data      json.RawMessage `json:"data,omitempty"`
	Packet    json.RawMessage `json:"packet,omitempty"`
}

// request is a command that asks other nodes, in JSON, or, with attachments or a
// packet, in MessagePack.
func (f *classicFormat) request(r *classicRequest, attachments [][]byte) (command, error) {
	r.UID = f.l.uid
	text, err := json.Marshal(r)
	if err != nil || r.Packet == nil && len(attachments) == 0 {
		return publication(f.requests, text), err
	}
	text, err = pack(nil, text, attachments)
	return publication(f.requests, text), err
}

func (f *classicFormat) change(c change, set gateway.Set, rooms []string, closeConnection bool) command {
	r := &classicRequest{Type: classicJoin, Opts: newWireSet(set), Rooms: rooms}
	switch c {
	case changeLeave:
		r.Type = classicLeave
	case changeDisconnect:
		r.Type, r.Close = classicDisconnect, &closeConnection
	}
	cmd, _ := f.request(r, nil) // names and flags always encode
	return cmd
}

func (f *classicFormat) ask(id string, m *gateway.Message, timeout time.Duration) (command, error) {
	set := newWireSet(m.Set)
	set.Flags.Volatile, set.Flags.Timeout = m.Volatile, timeout.Milliseconds()
	text, err := json.Marshal(packet{Type: packetEvent, Data: m.Data, Nsp: &f.l.ns})
	if err != nil {
		return command{}, err
	}
	return f.request(&classicRequest{RequestID: name(id), Type: classicBroadcast, Packet: text, Opts: set}, m.Attachments)
}

func (f *classicFormat) fetch(id string, set gateway.Set) command {
	cmd, _ := f.request(&classicRequest{RequestID: name(id), Type: classicFetch, Opts: newWireSet(set)}, nil) // names always encode
	return cmd
}

func (f *classicFormat) serverSide(id string, m *gateway.Message) (command, error) {
	return f.request(&classicRequest{RequestID: name(id), Type: classicServerSide, Data: m.Data}, m.Attachments)
}

// emission is published as by no node, so that it comes to this one as well.
func (f *classicFormat) emission(m *gateway.Message) ([]any, error) {
	channel, payload, err := f.encode(m, emitterUID)
	return publication(channel, payload).args, err
}

const emitterUID = "emitter"

func (f *classicFormat) note(text []byte) []any { return publication(f.stateful, text).args }

func (f *classicFormat) receive(channel string, payload []byte) error {
	switch {
	case channel == f.stateful:
		return f.l.noted(payload)
	case channel == f.requests:
		return f.receiveRequest(payload)
	case channel == f.responses || channel == f.own:
		return f.receiveResponse(payload)
	case !strings.HasPrefix(channel, f.channel):
		return nil
	}
	if room, ok := strings.CutSuffix(channel[len(f.channel):], "#"); ok && !f.l.local.Has(room) {
		return nil // for nobody here: it need not be read
	}
	return f.receiveBroadcast(payload)
}

// decodeText reads JSON, which begins with a brace, or MessagePack.
func decodeText(payload []byte) (text json.RawMessage, attachments [][]byte, err error) {
	if len(payload) > 0 && payload[0] == '{' {
		return payload, nil, nil
	}
	return unpack(payload)
}

func (f *classicFormat) receiveRequest(payload []byte) error {
	text, attachments, err := decodeText(payload)
	if err != nil {
		return err
	}
	var r classicRequest
	if err := json.Unmarshal(text, &r); err != nil {
		return err
	}
	if r.UID == f.l.uid {
		return nil
	}
	switch r.Type {
	case classicJoin, classicLeave, classicDisconnect:
		return f.changed(&r)
	case classicFetch:
		return f.respond(&r, struct {
			RequestID name         `json:"requestId"`
			Sockets   []wireSocket `json:"sockets"`
		}{r.RequestID, f.l.list(r.Opts.set())}, nil, false)
	case classicSockets, classicAllRooms:
		return f.listed(&r)
	case classicServerSide:
		return f.serverSided(&r, attachments)
	case classicBroadcast:
		return f.asked(&r, attachments)
	}
	return fmt.Errorf("%w: %d", errKind, r.Type)
}

func (f *classicFormat) changed(r *classicRequest) error {
	if r.Opts == nil {
		return errKind // it would be for everybody
	}
	kind := changeJoin
	switch r.Type {
	case classicLeave:
		kind = changeLeave
	case classicDisconnect:
		kind = changeDisconnect
	}
	f.l.changed(kind, r.Opts.set(), r.Rooms, r.Close != nil && *r.Close)
	return nil
}

// listed answers the requests for names alone.
func (f *classicFormat) listed(r *classicRequest) error {
	ids, rooms := names{}, map[string]bool{}
	for _, s := range f.l.local.Sockets(gateway.Set{Rooms: r.Rooms}) {
		ids = append(ids, s.ID)
		for _, room := range s.Rooms {
			rooms[room] = true
		}
	}
	if r.Type == classicSockets {
		return f.respond(r, struct {
			RequestID name  `json:"requestId"`
			Sockets   names `json:"sockets"`
		}{r.RequestID, ids}, nil, false)
	}
	all := names{}
	for room := range rooms {
		all = append(all, room)
	}
	return f.respond(r, struct {
		RequestID name  `json:"requestId"`
		Rooms     names `json:"rooms"`
	}{r.RequestID, all}, nil, false)
}

// respond answers on the channel that was asked for, or, if shared, on that of all.
func (f *classicFormat) respond(r *classicRequest, b any, attachments [][]byte, binary bool) error {
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	if binary || len(attachments) > 0 {
		if text, err = pack(nil, text, attachments); err != nil {
			return err
		}
	}
	channel := f.responses
	if f.l.c.options.SpecificResponses && r.Type != classicServerSide {
		channel += r.UID + "#"
	}
	f.l.c.sender.send(publication(channel, text))
	return nil
}

func (f *classicFormat) serverSided(r *classicRequest, attachments [][]byte) error {
	if err := checkEvent(r.Data); err != nil {
		return err
	}
	var ack func(gateway.Args)
	if r.RequestID != "" {
		ack = func(a gateway.Args) {
			value, attachments := oneArg(a)
			f.late(f.respond(r, struct {
				Type      classicKind     `json:"type"`
				RequestID name            `json:"requestId"`
				Data      json.RawMessage `json:"data"`
			}{classicServerSide, r.RequestID, value}, attachments, false))
		}
	}
	f.l.local.ServerSide(&gateway.Message{Data: r.Data, Attachments: attachments}, ack)
	return nil
}

func (f *classicFormat) asked(r *classicRequest, attachments [][]byte) error {
	b := body{Packet: r.Packet, Opts: r.Opts}
	m, err := b.message(attachments)
	if err != nil {
		return err
	}
	f.l.ask(m, r.Opts, func(n int) {
		f.late(f.respond(r, struct {
			Type      classicKind `json:"type"`
			RequestID name        `json:"requestId"`
			Count     int         `json:"clientCount"`
		}{classicClientCount, r.RequestID, n}, nil, false))
	}, func(a gateway.Args) {
		value, attachments := oneArg(a)
		f.late(f.respond(r, struct {
			Type      classicKind     `json:"type"`
			RequestID name            `json:"requestId"`
			Packet    json.RawMessage `json:"packet"`
		}{classicAck, r.RequestID, value}, attachments, true))
	})
	return nil
}

// late logs the error of an answer that nobody waits for here.
func (f *classicFormat) late(err error) {
	if err != nil {
		f.l.c.malformed("an answer of this node", err)
	}
}

func (f *classicFormat) receiveResponse(payload []byte) error {
	text, attachments, err := decodeText(payload)
	if err != nil {
		return err
	}
	var r struct {
		Type      classicKind     `json:"type"`
		RequestID name            `json:"requestId"`
		Count     int             `json:"clientCount"`
		Packet    json.RawMessage `json:"packet"`
		Data      json.RawMessage `json:"data"`
		Sockets   json.RawMessage `json:"sockets"`
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return err
	}
	open := f.l.requests.find(string(r.RequestID))
	if open == nil {
		return nil // for another node, or too late
	}
	switch r.Type {
	case classicClientCount:
		open.counted(r.Count)
	case classicAck:
		open.answered(r.Packet, attachments)
	case classicServerSide:
		open.answered(r.Data, attachments)
	default:
		var sockets []wireSocket
		if err := json.Unmarshal(r.Sockets, &sockets); err != nil {
			return err
		}
		open.listed(sockets)
	}
	return nil
}
