package signaling

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// everything is a room in which nothing is at its zero value.
func everything(t testing.TB) *Room {
	t.Helper()
	r := newRoom("r", nil)
	r.born, r.writes, r.keeper, r.orders, r.locked, r.revision = "b", 7, "n", 9, true, 3
	r.metadata = []entry{{"k<", json.RawMessage(`"<\u2028 >"`)}}
	joined := time.UnixMicro(1_000_000)
	host := &Peer{
		id: "p1", user: "u", name: "Ada", order: 1, joined: joined, state: json.RawMessage(`{"a" : 1}`),
		promoted: HostFirst, claimed: true, socket: "s1", node: "n", secret: "x", used: "y",
		news: news{true, 1, 2, 0, 4, 5, true, ""},
	}
	away := &Peer{
		id: "p2", order: 2, joined: joined, state: json.RawMessage(`{}`), socket: "s2", node: "m", away: true,
		deadline: joined.Add(time.Second), waiting: []event{{"offer", json.RawMessage(`{"x": "é<"}`)}},
	}
	left := &Peer{id: "p3", order: 3, joined: joined, socket: "s3", news: news{pending: true, left: 6, reason: reasonLeft}}
	r.place(host)
	r.place(away)
	r.locks = []lock{{"l", host, joined.Add(time.Minute)}}
	r.emptyAt = joined
	r.presence = presence{6, 1, joined, []*Peer{host, left}, []*Peer{away}, 10}
	return r
}

func TestARoomIsReadAsItWasWritten(t *testing.T) {
	text, err := everything(t).encode()
	if err != nil {
		t.Fatal(err)
	}
	r := newRoom("r", nil)
	if err := r.decode(text); err != nil {
		t.Fatal(err)
	}
	again, err := r.encode()
	if err != nil || !bytes.Equal(text, again) {
		t.Fatalf("%v\n%s\n%s", err, text, again)
	}
	p := r.peers["p1"]
	if string(p.state) != `{"a" : 1}` || string(r.metadata[0].value) != `"<\u2028 >"` || r.live != 1 ||
		p.promoted != HostFirst || !p.claimed || r.peers["p2"].size != len(`{"x": "é<"}`) || r.presence.changed[0] != p || r.presence.changed[1].news.left != 6 {
		t.Fatalf("got %s", text)
	}
	// A later release may know more.
	if err := newRoom("r", nil).decode([]byte(strings.Replace(string(text), "{", `{"later":[1],`, 1))); err != nil {
		t.Fatal(err)
	}
}

func TestARoomInDisorderIsRefused(t *testing.T) {
	text, err := everything(t).encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"format":    {`"v":1`, `"v":2`},
		"peers":     {`"order":2`, `"order":1`},
		"an order":  {`"orders":9`, `"orders":1`},
		"an id":     {`"id":"p2"`, `"id":"p1"`},
		"a socket":  {`"socket":"s2"`, `"socket":"s1"`},
		"an owner":  {`"owner":"p1"`, `"owner":"p9"`},
		"metadata":  {`"value":"\"`, `"value":"`},
		"no object": {`{`, `[`},
	} {
		other := strings.Replace(string(text), change[0], change[1], 1)
		if other == string(text) {
			t.Fatalf("%s: nothing was changed", name)
		}
		if err := newRoom("r", nil).decode([]byte(other)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// FuzzDecodeRoom: whatever is in the cluster's memory, what becomes a room works
// as one and tells its peers nothing malformed.
func FuzzDecodeRoom(f *testing.F) {
	text, err := everything(f).encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"v":1,"orders":2,"peers":[{"id":"a","order":1,"socket":"s"},{"id":"b","order":2,"socket":"t","deadline":5}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r := newRoom("r", nil)
		if r.decode(text) != nil {
			return
		}
		o := DefaultOptions()
		o.PresenceAbove = 1
		r.opts, r.now, r.node, r.held = &o, time.UnixMicro(1<<40), "n", new(held)
		if text, err := r.encode(); err != nil || newRoom("r", nil).decode(text) != nil {
			t.Fatalf("it cannot be written: %v", err)
		}
		r.tick()
		r.due()
		r.flush()
		for len(r.list) > 0 {
			r.remove(r.list[0], reasonLeft)
		}
		if len(r.peers)+len(r.sockets)+len(r.locks) != 0 || r.live != 0 {
			t.Fatalf("%d peers, %d sockets, %d locks, %d live are left",
				len(r.peers), len(r.sockets), len(r.locks), r.live)
		}
		for _, e := range r.held.acts {
			if e.event != "" && !json.Valid(e.payload) {
				t.Fatalf("%s is told as %s", e.event, e.payload)
			}
		}
	})
}
