package signaling

import (
	"strings"
	"testing"
)

// pairOf joins two sockets and returns their peers' ids.
func pairOf(w *world) (a, b *socket, aid, bid string) {
	a, b = w.socket("a", ""), w.socket("b", "")
	aid, bid = a.join().Self.ID, b.join().Self.ID
	a.take()
	b.take()
	return a, b, aid, bid
}

func TestRelayIsByteForByte(t *testing.T) {
	w := newWorld(t, nil)
	a, b, aid, bid := pairOf(w)
	value := `{"type" : "offer",  "sdp":"v=0\r\n\u00e9é\/","n":1.0e+2, "x":[ ]}`
	to := ` { "to":"` + bid + `", "unknown":[{"a":1}],"room" :"r" , `
	for _, event := range []string{"offer", "answer"} {
		if got := a.do(event, to+`"description": `+value+` }`); got != `{"ok":true}` {
			t.Fatalf("got %s", got)
		}
		b.got(event + ` {"room":"r","from":"` + aid + `","description":` + value + `}`)
	}
	for _, value := range []string{value, "null"} {
		a.do("candidate", to+`"candidate":`+value+`}`)
		b.got(`candidate {"room":"r","from":"` + aid + `","candidate":` + value + `}`)
	}
	a.got("ack offer {\"ok\":true}", "ack answer {\"ok\":true}", "ack candidate {\"ok\":true}", "ack candidate {\"ok\":true}")
}

func TestOutsidersAreNotReached(t *testing.T) {
	w := newWorld(t, nil)
	a, _, _, bid := pairOf(w)
	out := w.socket("out", "")
	elsewhere := decode[joined](t, out.do("join", `{"room":"other"}`)).Self.ID
	unknown := a.failure("offer", `{"room":"r","to":"nobody","description":{}}`, CodePeerUnavailable)
	foreign := a.failure("offer", `{"room":"r","to":"`+elsewhere+`","description":{}}`, CodePeerUnavailable)
	if *unknown.clean() != *foreign.clean() {
		t.Errorf("the answers differ: %v, %v", unknown, foreign)
	}
	here := out.failure("offer", `{"room":"r","to":"`+bid+`","description":{}}`, CodeNotInRoom)
	nowhere := out.failure("offer", `{"room":"none","to":"`+bid+`","description":{}}`, CodeNotInRoom)
	if *here.clean() != *nowhere.clean() {
		t.Errorf("the answers differ: %v, %v", here, nowhere)
	}
	for event, payload := range map[string]string{
		"answer":      `{"room":"r","to":"` + bid + `","description":{}}`,
		"candidate":   `{"room":"r","to":"` + bid + `","candidate":null}`,
		"message":     `{"room":"r","data":1}`,
		"state":       `{"room":"r","state":{}}`,
		"peers":       `{"room":"r"}`,
		"metadata":    `{"room":"r"}`,
		"lock":        `{"room":"r","name":"l"}`,
		"unlock":      `{"room":"r","name":"l"}`,
		"ice-servers": `{"room":"r"}`,
		"leave":       `{"room":"r"}`,
		"moderate":    `{"room":"r","action":"close-room"}`,
	} {
		out.fails(event, payload, CodeNotInRoom)
	}
}

// clean is the error without its incomparable part, which is nil here.
func (e *Error) clean() *struct{ code, message string } {
	return &struct{ code, message string }{e.Code, e.Message}
}

func TestLimitsOfSize(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.MaxDescription, o.MaxMessage = 30, 20 })
	a, _, _, bid := pairOf(w)
	object := func(n int) string { return `{"x":"` + strings.Repeat("y", n-8) + `"}` }
	for event, tc := range map[string]struct {
		payload string
		limit   int
	}{
		"offer":     {`{"room":"r","to":"` + bid + `","description":`, 30},
		"answer":    {`{"room":"r","to":"` + bid + `","description":`, 30},
		"candidate": {`{"room":"r","to":"` + bid + `","candidate":`, 20},
		"message":   {`{"room":"r","data":`, 20},
		"state":     {`{"room":"r","state":`, 20},
		"metadata":  {`{"room":"r","set":`, 20},
		"join":      {`{"room":"r","state":`, 20},
	} {
		a.do(event, tc.payload+object(tc.limit)+`}`)
		a.fails(event, tc.payload+object(tc.limit+1)+`}`, CodeTooLarge)
	}
	a.fails("moderate", `{"room":"r","action":"mute","peer":"x","value":`+object(21)+`}`, CodeTooLarge)
}

func TestOrderFromOnePeerToAnother(t *testing.T) {
	w := newWorld(t, nil)
	a, b, _, bid := pairOf(w)
	a.do("offer", `{"room":"r","to":"`+bid+`","description":{}}`)
	a.do("message", `{"room":"r","data":1}`)
	a.do("candidate", `{"room":"r","to":"`+bid+`","candidate":null}`)
	a.do("state", `{"room":"r","state":{}}`)
	a.do("message", `{"room":"r","to":"`+bid+`","data":1}`)
	a.do("leave", `{"room":"r"}`)
	if got := b.names(); got != "offer, message, candidate, peer-state, message, peer-left" {
		t.Fatalf("got %s", got)
	}
}

func TestMessageToTheRoom(t *testing.T) {
	w := newWorld(t, nil)
	a, b, aid, _ := pairOf(w)
	c, d := w.socket("c", ""), w.socket("d", "")
	c.join()
	d.join()
	d.lose()
	b.take()
	if got := a.do("message", `{"room":"r","data":"hi"}`); got != `{"ok":true,"delivered":2}` {
		t.Fatalf("got %s", got)
	}
	b.got(`message {"room":"r","from":"` + aid + `","data":"hi"}`)
	if got := a.do("message", `{"room":"r","to":"`+aid+`","data":null}`); got != `{"ok":true,"delivered":1}` {
		t.Fatalf("got %s", got)
	}
}

func TestMessageToAUser(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.DirectMessages = true })
	ann, bob1, bob2, guest := w.socket("a", "ann"), w.socket("b1", "bob"), w.socket("b2", "bob"), w.socket("g", "")
	if got := ann.do("message", `{"user":"bob","data":{"ring":1}}`); got != `{"ok":true,"delivered":2}` {
		t.Fatalf("got %s", got)
	}
	for _, s := range []*socket{bob1, bob2} {
		s.got(`message {"user":"ann","data":{"ring":1}}`)
	}
	guest.got()
	guest.fails("message", `{"user":"bob","data":1}`, CodeForbidden)
	bob1.leave()
	if got := ann.do("message", `{"user":"bob","data":1}`); got != `{"ok":true,"delivered":1}` {
		t.Fatalf("got %s", got)
	}
	bob2.lose()
	if got := ann.do("message", `{"user":"bob","data":1}`); got != `{"ok":true,"delivered":0}` {
		t.Fatalf("got %s", got)
	}
	w.set(func(o *Options) { o.DirectMessages = false })
	ann.fails("message", `{"user":"bob","data":1}`, CodeForbidden)
}
