package webrtc

import (
	"context"
	"encoding/json"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/pion/turn/v5"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

func TestPing(t *testing.T) {
	g, ns := start(t, `{}`)
	s := ns.connect(t, g, "s", "")
	for _, payload := range []string{``, `1`, `{"x":1}`} {
		if got := s.do("ping", payload); got != `{"ok":true,"data":"pong from server"}` {
			t.Fatalf("got %s", got)
		}
	}
	s.take()
	if _, err := s.send("ping", ``, false); err != nil {
		t.Fatal(err)
	}
	if got := s.take(); !slices.Equal(got, []string{`pong ["pong from server"]`}) {
		t.Fatalf("got %v", got)
	}
}

func TestACallThroughTheGateway(t *testing.T) {
	g, ns := start(t, `{}`)
	a, b := ns.connect(t, g, "a", "ann"), ns.connect(t, g, "b", "")
	aid := a.join("").Self
	if aid.User.ID != "ann" {
		t.Fatalf("got %+v", aid)
	}
	bid := b.join("").Self.ID
	if !slices.Contains(a.rooms, "webrtc:r") {
		t.Fatalf("rooms %v", a.rooms)
	}
	a.take()
	b.take()
	if got := a.do("offer", `{"room":"r","to":"`+bid+`","description":{"sdp" : "v=0"}}`); got != `{"ok":true}` {
		t.Fatalf("got %s", got)
	}
	b.do("message", `{"room":"r","data":1}`)
	want := []string{`offer [{"room":"r","from":"` + aid.ID + `","description":{"sdp":"v=0"}}]`, `ack {"ok":true,"delivered":1}`}
	if got := b.take(); !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	a.fails("nonsense", `{}`, "unknown-event")
	if e := a.failure("join", `{"room":5}`, "invalid-payload"); e.Message != "room must be a string" {
		t.Fatalf("got %q", e.Message)
	}
	if _, err := a.send("leave", `{"room":"r"}`, false); err != nil {
		t.Fatal(err)
	}
	if slices.Contains(a.rooms, "webrtc:r") {
		t.Fatalf("rooms %v", a.rooms)
	}
}

func TestTheAnswerComesBeforeWhatFollowsIt(t *testing.T) {
	g, ns := start(t, `{}`)
	a, b, c := ns.connect(t, g, "a", ""), ns.connect(t, g, "b", ""), ns.connect(t, g, "c", "")
	token := a.join("").Resume
	id := b.join("").Self.ID
	b.take()
	a.end("transport close")
	peer := strings.Split(token, ".")[0]
	b.do("message", `{"room":"r","to":"`+peer+`","data":"kept"}`)
	if got := c.join(`,"resume":"` + token + `"`); !got.Resumed {
		t.Fatalf("got %+v", got)
	}
	log := c.take()
	if len(log) != 2 || !strings.HasPrefix(log[0], "ack ") || log[1] != `message [{"room":"r","from":"`+id+`","data":"kept"}]` {
		t.Fatalf("got %v", log)
	}
	want := `peer-away [{"room":"r","id":"` + peer + `"}]`
	if got := b.take(); got[0] != want || got[len(got)-1] != strings.Replace(want, "away", "back", 1) {
		t.Fatalf("got %v", got)
	}
}

func TestReasonsOfDisconnects(t *testing.T) {
	for reason, event := range map[string]string{
		"transport close": "peer-away", "transport error": "peer-away", "ping timeout": "peer-away",
		"parse error": "peer-away", "server shutting down": "peer-away", "forced server close": "peer-away",
		"client namespace disconnect": "peer-left", "server namespace disconnect": "peer-left",
	} {
		g, ns := start(t, `{}`)
		a, b := ns.connect(t, g, "a", ""), ns.connect(t, g, "b", "")
		a.join("")
		b.join("")
		b.take()
		a.end(reason)
		if got := b.take(); len(got) != 1 || !strings.HasPrefix(got[0], event) {
			t.Errorf("%s: got %v", reason, got)
		}
	}
}

func TestARoleByARenewedTokenIsTold(t *testing.T) {
	g, ns := start(t, `{"host":{"mode":"claim","claim":"role","value":"host"}}`)
	a, b := ns.connect(t, g, "a", "ann"), ns.connect(t, g, "b", "")
	id := a.join("").Self.ID
	b.join("")
	b.take()
	a.identity = &gateway.Identity{ID: "ann", Role: "host"}
	g.Renewed(t.Context(), a)
	want := `moderation [{"room":"r","action":"promote","by":null,"peer":"` + id + `"}]`
	if got := b.take(); !slices.Equal(got, []string{want}) {
		t.Fatalf("got %v", got)
	}
}

func TestRoomsSurviveAReload(t *testing.T) {
	g, ns := start(t, `{"room_capacity":2}`)
	a, b := ns.connect(t, g, "a", ""), ns.connect(t, g, "b", "")
	a.join("")
	b.join("")
	c := ns.connect(t, g, "c", "")
	c.fails("join", `{"room":"r"}`, "room-full")
	next, err := provision(t, `{"room_capacity":3}`)
	if err != nil {
		t.Fatal(err)
	}
	if err := next.Init(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	a.take()
	for _, s := range []*socket{a, b, c} {
		if err := next.Connect(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	if got := a.take(); len(got) != 0 {
		t.Fatalf("a reload was told as %v", got)
	}
	if got := c.join(""); got.Count != 3 {
		t.Fatalf("got %+v", got)
	}
	a.take()
	b.end("client namespace disconnect") // both configurations asked to be told
	if got := a.take(); len(got) != 1 {
		t.Fatalf("got %v", got)
	}
}

func TestARecoveredSocketsPeersComeBack(t *testing.T) {
	g, ns := start(t, `{}`)
	a, b := ns.connect(t, g, "a", ""), ns.connect(t, g, "b", "")
	id := a.join("").Self.ID
	b.join("")
	b.take()
	a.end("transport close")
	again := &socket{t: t, ns: ns, id: "a", rooms: []string{"a", "webrtc:r", "own"}, recovered: true, limit: 10}
	ns.sockets = append(ns.sockets, again)
	// What is sent to a lost socket goes to its room, which recovery remembers.
	b.do("message", `{"room":"r","to":"`+id+`","data":1}`)
	if got := again.take(); len(got) != 1 || !strings.HasPrefix(got[0], "message ") {
		t.Fatalf("got %v", got)
	}
	if err := g.Connect(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	if got := b.take(); got[len(got)-1] != `peer-back [{"room":"r","id":"`+id+`"}]` {
		t.Fatalf("got %v", got)
	}
	again.do("leave", `{"room":"r"}`)
}

func TestErrorsOfTheServerReachTheClient(t *testing.T) {
	g, ns := start(t, `{}`)
	s := ns.connect(t, g, "s", "u")
	s.limit = 0
	s.fails("join", `{"room":"r"}`, "too-many-rooms")
	s.limit = 10
	s.identity.Rooms = []string{"team-*"}
	s.fails("join", `{"room":"r"}`, "forbidden")
	s.do("join", `{"room":"team-1"}`)
	s.gone = true
	ev := &gateway.Event{Name: "ice-servers", WantsAck: true, Answer: func(any) error { return gateway.ErrDisconnected }}
	ev.Args = gateway.NewArgs([]json.RawMessage{[]byte(`{"room":"team-1"}`)}, nil)
	if v, err := s.handle(context.Background(), ev); v != nil || err != nil {
		t.Fatalf("an answer to nobody: %v, %v", v, err)
	}
}

func TestBinaryPartsAreRefused(t *testing.T) {
	g, ns := start(t, `{}`)
	s := ns.connect(t, g, "s", "")
	s.join("")
	ev := &gateway.Event{Name: "message", Args: gateway.NewArgs(
		[]json.RawMessage{[]byte(`{"room":"r","data":{"_placeholder":true,"num":0}}`)}, [][]byte{{1}})}
	if _, err := s.handle(context.Background(), ev); err == nil {
		t.Fatal("a placeholder without its part was relayed")
	}
}

// TestTURNCredentialsSatisfyAServer asks the verifier of another implementation.
func TestTURNCredentialsSatisfyAServer(t *testing.T) {
	t.Setenv("TURN_TEST_SECRET", "north wind")
	g, ns := start(t, `{"turn":[{"urls":["turn:a"],"secret":"{env.TURN_TEST_SECRET}"}]}`)
	verify := turn.LongTermTURNRESTAuthHandler("north wind", nil)
	for _, user := range []string{"ann", ""} {
		server := ns.connect(t, g, "s"+user, user).join("").Servers[0]
		_, key, ok := verify(&turn.RequestAttributes{
			Username: server.Username, Realm: "example.com", SrcAddr: &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1},
		})
		if want := turn.GenerateAuthKey(server.Username, "example.com", server.Credential); !ok || !slices.Equal(key, want) {
			t.Errorf("%q: refused %+v", user, server)
		}
	}
}
