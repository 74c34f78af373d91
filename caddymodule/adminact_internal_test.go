package caddymodule

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestOrdersOfMoreThanOneObjectAreRefused(t *testing.T) {
	for _, body := range []string{``, `[]`, `{"room":["a"]}`, `{}{}`, `{} x`, `{"rooms":"a"}`, `{"close":"yes"}`} {
		if o, err := readOrder(strings.NewReader(body)); err == nil {
			t.Errorf("%s: accepted as %+v", body, o)
		}
	}
	if _, err := readOrder(strings.NewReader(` {"close":true} ` + "\n")); err != nil {
		t.Error(err)
	}
}

// FuzzOrder checks that what is understood is understood in the same way when it
// is written again.
func FuzzOrder(f *testing.F) {
	f.Add(`{"namespace":"/","rooms":["a"],"except":["b"],"event":"news","args":[{"a":1},"b",null]}`)
	f.Add(`{"targets":["vip"],"close":true}`)
	f.Add(`{"args":[1e999]}{}`)
	f.Fuzz(func(t *testing.T, body string) {
		o, err := readOrder(strings.NewReader(body))
		if err != nil {
			return
		}
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatalf("%+v: %v", o, err)
		}
		again, err := readOrder(strings.NewReader(string(text)))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		second, err := json.Marshal(again)
		if err != nil || !reflect.DeepEqual(text, second) {
			t.Fatalf("%s became %s, %v", text, second, err)
		}
	})
}
