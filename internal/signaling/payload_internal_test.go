package signaling

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// TestWrongFieldsAreNamed lists, for every event, what is refused before
// membership is looked at.
func TestWrongFieldsAreNamed(t *testing.T) {
	w := newWorld(t, nil)
	s := w.socket("s", "")
	cases := map[string][][2]string{
		"join": {
			{`{"room":"r","state":[]}`, "state must be an object"},
			{`{"room":"r","state":null}`, "state must be an object"},
			{`{"room":"r","resume":1}`, "resume must be a string"},
		},
		"leave": {},
		"offer": {
			{`{"room":"r"}`, "to is missing"},
			{`{"room":"r","to":1}`, "to must be a string"},
			{`{"room":"r","to":"x"}`, "description is missing"},
			{`{"room":"r","to":"x","description":"v=0"}`, "description must be an object"},
		},
		"answer": {{`{"room":"r","to":"x","description":null}`, "description must be an object"}},
		"candidate": {
			{`{"room":"r","to":"x"}`, "candidate is missing"},
			{`{"room":"r","to":"x","candidate":"c"}`, "candidate must be an object or null"},
			{`{"room":"r","candidate":null}`, "to is missing"},
		},
		"message": {
			{`{"room":"r"}`, "data is missing"},
			{`{"room":"r","to":{},"data":1}`, "to must be a string"},
			{`{"user":true,"data":1}`, "user must be a string"},
			{`{"user":"u"}`, "data is missing"},
			{`{"user":"u","room":"r","data":1}`, "user excludes room and to"},
		},
		"state": {{`{"room":"r"}`, "state is missing"},
			{`{"room":"r","state":"x"}`, "state must be an object"}},
		"peers": {
			{`{"room":"r","cursor":5}`, "cursor must be a string"},
			{`{"room":"r","cursor":"x"}`, "cursor must be one from an earlier answer"},
			{`{"room":"r","limit":"5"}`, "limit must be a number"},
			{`{"room":"r","limit":0}`, "limit must be a whole number from 1 to 100"},
			{`{"room":"r","limit":101}`, "limit must be a whole number from 1 to 100"},
			{`{"room":"r","limit":1.5}`, "limit must be a whole number from 1 to 100"},
		},
		"metadata": {
			{`{"room":"r","set":[]}`, "set must be an object"},
			{`{"room":"r","remove":"x"}`, "remove must be an array of strings"},
			{`{"room":"r","remove":["a",1]}`, "remove must be an array of strings"},
			{`{"room":"r","revision":"1"}`, "revision must be a number"},
			{`{"room":"r","revision":-1}`, "revision must be a whole number from 0 to 2147483647"},
		},
		"lock": {
			{`{"room":"r"}`, "name is missing"},
			{`{"room":"r","name":""}`, "name must have 1 to 128 bytes"},
			{`{"room":"r","name":"l","ttl":999}`, "ttl must be a whole number from 1000 to 300000"},
			{`{"room":"r","name":"l","ttl":300001}`, "ttl must be a whole number from 1000 to 300000"},
			{`{"room":"r","name":"l","ttl":1e400}`, "ttl must be a whole number from 1000 to 300000"},
			{`{"room":"r","name":"l","ttl":[]}`, "ttl must be a number"},
		},
		"unlock":      {{`{"room":"r","name":5}`, "name must be a string"}},
		"ice-servers": {},
		"moderate": {
			{`{"room":"r"}`, "action is missing"},
			{`{"room":"r","action":"ban"}`,
				"action must be kick, mute, promote, lock-room, unlock-room or close-room"},
			{`{"room":"r","action":"kick"}`, "peer is missing"},
			{`{"room":"r","action":"kick","peer":1}`, "peer must be a string"},
			{`{"room":"r","action":"mute","peer":"x"}`, "value is missing"},
			{`{"room":"r","action":"mute","peer":"x","value":1}`, "value must be an object"},
			{`{"room":"r","action":"mute","peer":"x","value":{"audio":1}}`, "value.audio must be a boolean"},
		},
	}
	for _, event := range Events() {
		own, known := cases[event]
		if !known {
			t.Errorf("%s has no cases", event)
		}
		for _, tc := range slices.Concat(own, everyEvent) {
			if e := s.failure(event, tc[0], CodeInvalidPayload); e.Message != tc[1] {
				t.Errorf("%s %s: got %q, want %q", event, tc[0], e.Message, tc[1])
			}
		}
	}
	s.fails("nonsense", `{}`, CodeUnknownEvent)
	s.do("join", `{"room":"`+strings.Repeat("é", 64)+`"}`) // 128 bytes
}

// everyEvent is what every event refuses. Where data is needed first, room still
// comes before it.
var everyEvent = [][2]string{
	{``, "the payload must be an object"},
	{`[]`, "the payload must be an object"},
	{`null`, "the payload must be an object"},
	{`{"room":"r"`, "the payload must be an object"},
	{"{\"room\":\"r\",\"x\":\"\xff\"}", "the payload must be an object"},
	{`{"room":"r","x":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`, "the payload must be an object"},
	{`{}`, "room is missing"},
	{`{"ROOM":"r"}`, "room is missing"},
	{`{"room":["r"]}`, "room must be a string"},
	{`{"room":""}`, "room must have 1 to 128 bytes"},
	{`{"room":"` + strings.Repeat("é", 64) + `x"}`, "room must have 1 to 128 bytes"},
	{`{"room":"a\u0000"}`, "room must not contain control characters"},
	{`{"room":"a\u0085"}`, "room must not contain control characters"},
}

func TestNamesAreReadAsJSONMeansThem(t *testing.T) {
	w := newWorld(t, nil)
	a, b := w.socket("a", ""), w.socket("b", "")
	a.do("join", `{"room":"x","ro\u006fm":"\u00e9\"\\😀"}`)
	if got := decode[joined](t, b.do("join", `{"room":"é\u0022\\\ud83d\ude00"}`)); got.Count != 2 {
		t.Fatalf("got %+v", got)
	}
	b.do("join", `{"room":"`+strings.Repeat("é", 64)+`"}`)
}

func TestPatternsOfRooms(t *testing.T) {
	for _, tc := range []struct {
		pattern, name string
		want          bool
	}{
		{"a", "a", true}, {"a", "ab", false}, {"*", "", true}, {"*", "anything", true},
		{"team-*", "team-", true}, {"team-*", "my-team-1", false}, {"*-x", "a-x", true}, {"*-x", "a-xy", false},
		{"a*b*c", "aXbYc", true}, {"a*b*c", "acb", false}, {"a*a", "a", false}, {"**", "x", true}, {"a**b", "ab", true},
		{"*aab", "aaab", true}, {"", "", true}, {"", "x", false},
	} {
		if got := matches(tc.pattern, tc.name); got != tc.want {
			t.Errorf("%q against %q: %v", tc.pattern, tc.name, got)
		}
	}
	if !(&User{}).mayEnter("x") || (&User{Rooms: []string{}}).mayEnter("x") {
		t.Error("nil means all, an empty list none")
	}
}

// FuzzHandle lets a peer send anything: the answers are errors for the client,
// and what the other is sent is well-formed (the fake socket checks that).
func FuzzHandle(f *testing.F) {
	for _, event := range Events() {
		f.Add(event, []byte(`{"room":"r","to":"x","peer":"x","name":"n","action":"mute","data":[1],"set":{"k":1},"remove":["k"],`+
			`"state":{},"description":{},"candidate":null,"value":{"audio":true},"user":"u",`+
			`"cursor":"1","limit":1,"ttl":1000,"revision":0}`))
	}
	f.Fuzz(func(t *testing.T, event string, raw []byte) {
		w := newWorld(t, func(o *Options) { o.Host.Mode, o.DirectMessages = HostFirst, true })
		a, b := w.socket("a", "u"), w.socket("b", "")
		a.join()
		b.join()
		// The error's kind is checked by try's answers count; any code is right.
		_, err := a.try(event, string(raw))
		var own *Error
		if err != nil && !errors.As(err, &own) {
			t.Fatalf("an error that clients could not be told: %v", err)
		}
	})
}
