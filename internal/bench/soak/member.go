package soak

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/load"
	"github.com/caddy-socketio/caddy-socketio/internal/bench/wire"
)

// member is a well-behaved client in a room. It sends to all others and to one of
// them in turn, and checks that what it gets is whole and in order.
type member struct {
	link  link
	how   string
	room  string
	id    string
	tally *tally

	mu      sync.Mutex        // guards the following fields
	pending map[int]time.Time // acks to come, and when their events were due
	acks    int
	shouted int            // events to all
	relayed map[string]int // events to one, by its id
	heard   map[string]*heard
}

// heard are the last numbers of a sender.
type heard struct{ shouted, relayed int }

// note is the data of an event: its number among the sender's events to all, or
// to this receiver.
type note struct {
	Shout int `json:"shout,omitempty"`
	Relay int `json:"relay,omitempty"`
}

// join enters a room.
func join(ctx context.Context, t load.Target, how, room string, to *tally) (*member, error) {
	l, err := connect(ctx, t, how, &to.retries)
	if err != nil {
		return nil, err
	}
	m := &member{link: l, how: how, room: room, tally: to, pending: map[int]time.Time{}, relayed: map[string]int{}, heard: map[string]*heard{}}
	var packet []byte
	if err = l.send(load.JoinPacket(room)); err == nil {
		packet, err = await(l, wire.Ack)
	}
	if err == nil {
		m.id, err = load.ParseJoin(packet)
	}
	if err != nil {
		l.close()
		return nil, fmt.Errorf("joining over %s: %w", how, err)
	}
	to.clients.Add(1)
	return m, nil
}

// say sends one event: to all others, or to one if it is named. due is when it
// was to be sent; a slow server must not make its own measurement look better.
func (m *member) say(to string, due time.Time) error {
	m.mu.Lock()
	m.acks++
	ack := m.acks
	m.pending[ack] = due
	payload := struct {
		Room string `json:"room"`
		To   string `json:"to,omitempty"`
		Data note   `json:"data"`
	}{Room: m.room, To: to}
	if to == "" {
		m.shouted++
		payload.Data.Shout = m.shouted
	} else {
		m.relayed[to]++
		payload.Data.Relay = m.relayed[to]
	}
	m.mu.Unlock()
	m.tally.sent.Add(1)
	text, err := json.Marshal(payload)
	if err != nil {
		return err
	}
	return m.link.send(wire.EventPacket("message", string(text), ack))
}

// listen takes packets until the link ends, and returns what ended it.
func (m *member) listen() error {
	for {
		packet, kind, err := m.link.next()
		switch {
		case err != nil:
			return err
		case kind == wire.Closed:
			return fmt.Errorf("the server ended it: %.100q", packet)
		case kind == wire.Ack:
			err = m.answered(packet)
		case kind == wire.Event && wire.IsEvent(packet, "message"):
			err = m.hear(packet)
		case kind == wire.Event && wire.IsEvent(packet, "exception"):
			m.tally.refused.Add(1)
			m.tally.problem(fmt.Errorf("%s: %.200s", m.how, packet))
		}
		if err != nil {
			return err
		}
	}
}

// answered takes an ack: 43, its number, and [{"ok":true,...}].
func (m *member) answered(packet []byte) error {
	now := time.Now()
	digits, rest, _ := bytes.Cut(packet[len("43"):], []byte("["))
	ack, err := strconv.Atoi(string(digits))
	if err != nil {
		return fmt.Errorf("ack %.100q: %w", packet, err)
	}
	m.mu.Lock()
	due, ok := m.pending[ack]
	delete(m.pending, ack)
	m.mu.Unlock()
	switch {
	case !ok:
		m.tally.doubled.Add(1)
	case !bytes.Contains(rest, []byte(`"ok":true`)):
		m.tally.refused.Add(1)
		m.tally.problem(fmt.Errorf("%s: %.200s", m.how, packet))
	default:
		m.tally.latency(m.how, now.Sub(due))
	}
	return nil
}

// hear takes an event of another member.
func (m *member) hear(packet []byte) error {
	var name string
	var event struct {
		From string `json:"from"`
		Data note   `json:"data"`
	}
	if err := json.Unmarshal(packet[len("42"):], &[]any{&name, &event}); err != nil {
		return fmt.Errorf("event %.100q: %w", packet, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.heard[event.From]
	if h == nil {
		h = &heard{}
		m.heard[event.From] = h
	}
	last, n := &h.shouted, event.Data.Shout
	if event.Data.Relay > 0 {
		last, n = &h.relayed, event.Data.Relay
	}
	switch {
	case n == *last+1:
		m.tally.delivered.Add(1)
		*last = n
	case n <= *last:
		m.tally.doubled.Add(1)
	default: // what is missing in between counts as lost in the end
		m.tally.wrong.Add(1)
		m.tally.delivered.Add(1)
		m.tally.lost.Add(int64(n - *last - 1))
		*last = n
	}
	return nil
}

func (m *member) unanswered() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.pending)
}

// sentTo is how many events a member of that id is to get.
func (m *member) sentTo(id string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.shouted + m.relayed[id]
}

// heardFrom is how many events of a member of that id are accounted for.
func (m *member) heardFrom(id string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if h := m.heard[id]; h != nil {
		return h.shouted + h.relayed
	}
	return 0
}
