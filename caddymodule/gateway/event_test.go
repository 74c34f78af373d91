package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

func args(t testing.TB, attachments [][]byte, values ...string) gateway.Args {
	t.Helper()
	raw := make([]json.RawMessage, len(values))
	for i, v := range values {
		raw[i] = json.RawMessage(v)
	}
	return gateway.NewArgs(raw, attachments)
}

func TestDecodeNamesTheWrongField(t *testing.T) {
	var v struct {
		Room string `json:"room"`
		Peer struct {
			Order int `json:"order"`
		} `json:"peer"`
	}
	for name, tc := range map[string]struct{ payload, message string }{
		"field":        {`{"room":7}`, "room must not be number"},
		"nested field": {`{"peer":{"order":"x"}}`, "peer.order must not be string"},
		"argument":     {`[1]`, "argument 1 must not be array"},
		"not JSON":     {`{"room"`, "malformed payload"},
	} {
		t.Run(name, func(t *testing.T) {
			err := args(t, nil, tc.payload).Decode(0, &v)
			var e *gateway.Error
			if !errors.As(err, &e) || e.Code != "invalid-payload" || e.Message != tc.message {
				t.Fatalf("got %#v, want invalid-payload %q", err, tc.message)
			}
		})
	}
}

func TestDecodeKeepsErrorsOfCustomTypes(t *testing.T) {
	var v picky
	err := args(t, nil, `"anything"`).Decode(0, &v)
	var e *gateway.Error
	if !errors.As(err, &e) || e.Code != "too-large" {
		t.Fatalf("got %#v, want the type's own error", err)
	}
}

type picky struct{}

func (*picky) UnmarshalJSON([]byte) error { return &gateway.Error{Code: "too-large"} }

func TestMissingArgumentLeavesTheValue(t *testing.T) {
	v := "before"
	if err := args(t, nil).Decode(0, &v); err != nil || v != "before" {
		t.Fatalf("got %q, %v", v, err)
	}
	if args(t, nil, `1`).Raw(-1) != nil || args(t, nil, `1`).Raw(1) != nil {
		t.Fatal("an argument outside the range must be nil")
	}
}

func TestDecodeBinaryAtAnyDepth(t *testing.T) {
	a := args(t, [][]byte{[]byte("ab"), {0, 255}},
		` {"file":{"_placeholder":true,"num":1},"all":[{"_placeholder":true,"num":0},"x"],"n":12345678901234567890}`)
	var v struct {
		File []byte         `json:"file"`
		All  []any          `json:"all"`
		N    json.Number    `json:"n"`
		Bin  gateway.Binary `json:"bin"`
	}
	if err := a.Decode(0, &v); err != nil {
		t.Fatal(err)
	}
	if string(v.File) != "\x00\xff" || v.All[0] != "YWI=" || v.N != "12345678901234567890" {
		t.Fatalf("got %+v", v)
	}
	var whole gateway.Binary
	if err := args(t, [][]byte{[]byte("ab")}, `{"_placeholder":true,"num":0}`).Decode(0, &whole); err != nil || string(whole) != "ab" {
		t.Fatalf("got %q, %v", whole, err)
	}
}

func TestDecodeRefusesPlaceholdersWithoutAttachment(t *testing.T) {
	for _, payload := range []string{
		`{"_placeholder":true,"num":1}`, `{"_placeholder":true,"num":-1}`, `{"_placeholder":true}`,
		`[{"_placeholder":true,"num":9}]`, `{"a":{"_placeholder":true,"num":9}}`,
	} {
		var v any
		err := args(t, [][]byte{{1}}, payload).Decode(0, &v)
		var e *gateway.Error
		if !errors.As(err, &e) || e.Code != "invalid-payload" {
			t.Errorf("%s: got %#v", payload, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(`{"_placeholder":true,"num":0}`, []byte("x"))
	f.Add(`[{"a":{"_placeholder":true,"num":1}}]`, []byte{})
	f.Add(`{"_placeholder":1e400}`, []byte{0})
	f.Fuzz(func(t *testing.T, payload string, attachment []byte) {
		var v any
		err := args(t, [][]byte{attachment}, payload).Decode(0, &v)
		var e *gateway.Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("an error that clients could not be told: %v", err)
		}
		if err == nil && !json.Valid([]byte(payload)) && strings.TrimSpace(payload) != "" {
			t.Fatalf("accepted %q", payload)
		}
	})
}

// handlers is the part of a socket that On needs.
type handlers struct {
	gateway.Socket
	m map[string]gateway.Handler
}

func (h handlers) Handle(event string, f gateway.Handler) { h.m[event] = f }

func TestOnDecodesTheFirstArgument(t *testing.T) {
	h := handlers{m: map[string]gateway.Handler{}}
	gateway.On(h, "add", func(_ context.Context, n int) (any, error) { return n + 1, nil })
	for payload, want := range map[string]any{`41`: 42, ``: 1} {
		ev := &gateway.Event{Name: "add"}
		if payload != "" {
			ev.Args = args(t, nil, payload)
		}
		if got, err := h.m["add"](t.Context(), ev); err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", payload, got, err, want)
		}
	}
	if got, err := h.m["add"](t.Context(), &gateway.Event{Args: args(t, nil, `"x"`)}); err == nil || got != nil {
		t.Errorf("the handler ran on a wrong type: %v", got)
	}
}

func TestErrorTellsCodeOrMessage(t *testing.T) {
	cause := errors.New("cause")
	e := &gateway.Error{Code: "room-full", Cause: cause}
	if e.Error() != "room-full" || !errors.Is(e, cause) {
		t.Fatalf("got %q", e.Error())
	}
	if e.Message = "the room is full"; e.Error() != "the room is full" {
		t.Fatalf("got %q", e.Error())
	}
}

func TestCookiesOfTheHandshake(t *testing.T) {
	h := gateway.Handshake{Header: http.Header{"Cookie": {"a=1; b=2"}}}
	if c := h.Cookies(); len(c) != 2 || c[1].Name != "b" || c[1].Value != "2" {
		t.Fatalf("got %v", c)
	}
}
