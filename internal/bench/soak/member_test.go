package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/wire"
)

// script is a link that yields packets in order and then ends.
type script struct {
	packets []string
	sent    []string
}

func (s *script) send(packet string) error { s.sent = append(s.sent, packet); return nil }
func (s *script) close()                   {}
func (s *script) next() ([]byte, wire.Kind, error) {
	if len(s.packets) == 0 {
		return nil, 0, io.EOF
	}
	packet := []byte(s.packets[0])
	s.packets = s.packets[1:]
	return packet, wire.Classify(packet), nil
}

func listener(packets ...string) *member {
	return &member{link: &script{packets: packets}, how: overPolling, room: "r", id: "b", tally: newTally(),
		pending: map[int]time.Time{}, relayed: map[string]int{}, heard: map[string]*heard{}}
}

func event(from, data string) string {
	return fmt.Sprintf(`42["message",{"room":"r","from":%q,"data":%s}]`, from, data)
}

func TestEachReceiverCounts(t *testing.T) {
	for name, c := range map[string]struct {
		data                     []string
		delivered, lost, doubled int64
	}{
		"all, both kinds":      {[]string{`{"shout":1}`, `{"relay":1}`, `{"shout":2}`, `{"relay":2}`}, 4, 0, 0},
		"one missing":          {[]string{`{"shout":1}`, `{"shout":3}`}, 2, 1, 0},
		"the first missing":    {[]string{`{"relay":3}`}, 1, 2, 0},
		"one twice":            {[]string{`{"shout":1}`, `{"shout":1}`}, 1, 0, 1},
		"one late":             {[]string{`{"shout":2}`, `{"shout":1}`}, 1, 1, 1},
		"another event beside": {[]string{`{"shout":1}`}, 1, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			m := listener(`42["peer-joined",{}]`)
			for _, d := range c.data {
				m.link.(*script).packets = append(m.link.(*script).packets, event("a", d))
			}
			if err := m.listen(); !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			got := [3]int64{m.tally.delivered.Load(), m.tally.lost.Load(), m.tally.doubled.Load()}
			if got != [3]int64{c.delivered, c.lost, c.doubled} {
				t.Fatalf("delivered, lost, doubled: %v", got)
			}
		})
	}
}

func TestAcksAreMatched(t *testing.T) {
	m := listener(`431[{"ok":true,"delivered":1}]`, `431[{"ok":true}]`, `432[{"ok":false,"error":{"code":"rate-limited"}}]`, `42["exception",{}]`)
	due := time.Now()
	for _, to := range []string{"", "a", ""} {
		if err := m.say(to, due); err != nil {
			t.Fatal(err)
		}
	}
	if sent := strings.Join(m.link.(*script).sent, " "); sent != `421["message",{"room":"r","data":{"shout":1}}]`+
		` 422["message",{"room":"r","to":"a","data":{"relay":1}}] 423["message",{"room":"r","data":{"shout":2}}]` {
		t.Fatal(sent)
	}
	if err := m.listen(); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	ta := m.tally
	if ta.doubled.Load() != 1 || ta.refused.Load() != 2 || m.unanswered() != 1 || ta.percentiles()[overPolling].Acks != 1 {
		t.Fatalf("doubled %d, refused %d, unanswered %d", ta.doubled.Load(), ta.refused.Load(), m.unanswered())
	}
}

func TestWhatNeverArrivesIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &group{tally: newTally()}
		for _, id := range []string{"a", "b", "c"} {
			m := listener()
			m.id, m.tally = id, g.tally
			g.members = append(g.members, m)
		}
		talking, hush := context.WithTimeout(t.Context(), time.Second)
		defer hush()
		g.talk(talking, 400*time.Millisecond)
		began := time.Now()
		g.settle(t.Context())
		sent := g.tally.sent.Load()
		if sent == 0 || g.tally.unanswered.Load() != sent || g.tally.lost.Load() < sent || time.Since(began) < patience {
			t.Fatalf("sent %d, unanswered %d, lost %d after %v", sent, g.tally.unanswered.Load(), g.tally.lost.Load(), time.Since(began))
		}
	})
}

func TestEverybodyIsAddressed(t *testing.T) {
	g := &group{members: []*member{{id: "a"}, {id: "b"}, {id: "c"}}}
	got := map[string]int{}
	for n := range 8 {
		got[g.addressee(1, n)]++
	}
	if got[""] != 4 || got["a"] != 2 || got["c"] != 2 || got["b"] != 0 {
		t.Fatal(got)
	}
}
