package signaling

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// quiet is a socket that only counts what it is sent.
type quiet struct {
	id string
	n  int
}

func (q *quiet) ID() string                        { return q.id }
func (q *quiet) User() *User                       { return nil }
func (q *quiet) Emit(string, json.RawMessage) bool { q.n++; return true }
func (q *quiet) Keep(string, json.RawMessage)      {}
func (q *quiet) Join(string) error                 { return nil }
func (q *quiet) Leave(string)                      {}

// counter is a fanout that counts broadcasts and their bytes once.
type counter struct{ n, bytes int }

func (c *counter) Broadcast(_ string, _ []string, _ string, payload json.RawMessage) {
	c.n++
	c.bytes += len(payload)
}

// filled is a room r of n peers, with their ids.
func filled(b *testing.B, n int, change func(*Options)) (*Service, *counter, []*Client, []string) {
	o := DefaultOptions()
	o.RoomCapacity = 1 << 20
	if change != nil {
		change(&o)
	}
	fan := new(counter)
	s := New(NewMemory(fan), o)
	b.Cleanup(func() { _ = s.Close() })
	var clients []*Client
	var ids []string
	for i := range n {
		c := s.Attach(&quiet{id: fmt.Sprint(i)}, false, nil)
		ids = append(ids, enter(b, c))
		clients = append(clients, c)
	}
	return s, fan, clients, ids
}

func enter(b *testing.B, c *Client) (id string) {
	err := c.Handle("join", []byte(`{"room":"r"}`), func(raw json.RawMessage) { id = decode[joined](b, string(raw)).Self.ID })
	if err != nil {
		b.Fatal(err)
	}
	return id
}

func handle(b *testing.B, c *Client, event string, payload []byte) {
	if err := c.Handle(event, payload, func(json.RawMessage) {}); err != nil {
		b.Fatal(err)
	}
}

var sizes = []int{4, 1000}

func BenchmarkRelay(b *testing.B) {
	sdp := `{"type":"offer","sdp":"` + strings.Repeat(`a=candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host\r\n`, 50) + `"}`
	for _, n := range sizes {
		for event, value := range map[string]string{
			"offer": sdp, "candidate": `{"candidate":"candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host","sdpMid":"0"}`,
		} {
			b.Run(fmt.Sprintf("%s/peers=%d", event, n), func(b *testing.B) {
				_, _, clients, ids := filled(b, n, nil)
				field := map[string]string{"offer": "description", "candidate": "candidate"}[event]
				payload := fmt.Appendf(nil, `{"room":"r","to":"%s","%s":%s}`, ids[1], field, value)
				b.SetBytes(int64(len(payload)))
				b.ReportAllocs()
				for b.Loop() {
					handle(b, clients[0], event, payload)
				}
			})
		}
	}
}

func BenchmarkBroadcast(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("peers=%d", n), func(b *testing.B) {
			_, _, clients, _ := filled(b, n, nil)
			payload := []byte(`{"room":"r","data":"` + strings.Repeat("x", 200) + `"}`)
			b.ReportAllocs()
			for b.Loop() {
				handle(b, clients[0], "message", payload)
			}
		})
	}
}

// BenchmarkJoinLeave is one peer that comes and goes.
func BenchmarkJoinLeave(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("peers=%d", n), func(b *testing.B) {
			s, _, _, _ := filled(b, n, nil)
			c := s.Attach(&quiet{id: "x"}, false, nil)
			b.ReportAllocs()
			for b.Loop() {
				handle(b, c, "join", []byte(`{"room":"r"}`))
				handle(b, c, "leave", []byte(`{"room":"r"}`))
			}
		})
	}
}

// BenchmarkPresence is one batch of 200 comings and goings, which is what two
// seconds of 100 each a second make. What the members cost is the fanout of one
// text to all, and a text of their own for those who came meanwhile: both are
// reported, and neither grows with the square of the members.
func BenchmarkPresence(b *testing.B) {
	for _, n := range []int{125, 250, 500, 1000, 2000, 4000} {
		b.Run(fmt.Sprintf("peers=%d", n), func(b *testing.B) {
			s, fan, _, _ := filled(b, n, func(o *Options) { o.PresenceInterval = time.Hour })
			flush := func() {
				_ = s.update("r", false, func(r *Room) error { r.flush(); return nil }) // the room is there
			}
			flush()
			*fan = counter{}
			guests := make([]*Client, 400)
			for i := range guests {
				guests[i] = s.Attach(&quiet{id: fmt.Sprint("g", i)}, false, nil)
			}
			for _, c := range guests[200:] {
				handle(b, c, "join", []byte(`{"room":"r"}`))
			}
			flush()
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				come, leave := guests[i%2*200:][:200], guests[(i+1)%2*200:][:200]
				for j := range come {
					handle(b, come[j], "join", []byte(`{"room":"r"}`))
					handle(b, leave[j], "leave", []byte(`{"room":"r"}`))
				}
				flush()
			}
			b.ReportMetric(float64(fan.n)/float64(b.N+1), "broadcasts/op")
			b.ReportMetric(float64(fan.bytes)/float64(fan.n), "B/broadcast")
		})
	}
}
