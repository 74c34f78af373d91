package redis

import (
	"errors"
	"slices"
	"testing"
)

func TestReadBroadcast(t *testing.T) {
	for name, text := range map[string]string{
		"as we write it":    `{"opts":{"rooms":["a",7,null],"except":["\u0062"],"flags":{"volatile":true}},"packet":{"type":2,"data":["e",{"opts":1}]}}`,
		"as Node does":      `{"packet":{"type":2,"data":["e",{"opts":1}],"nsp":"/"},"opts":{"flags":{"volatile":true,"timeout":9},"rooms":["a",7,null],"except":["b"]}}`,
		"with unknown ones": ` { "x" : [ {} ] , "opts":{"rooms":["a",7,null],"y":{},"except":["b"],"flags":{"volatile":true}},"packet":{"data":["e",{"opts":1}]} } `,
	} {
		t.Run(name, func(t *testing.T) {
			m, err := readBroadcast([]byte(text), func(*wireSet) bool { return true })
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(m.Rooms, []string{"a", "7", ""}) || !slices.Equal(m.Except, []string{"b"}) || !m.Volatile ||
				string(m.Data) != `["e",{"opts":1}]` {
				t.Fatalf("got %+v, %s", m.Set, m.Data)
			}
		})
	}
}

func TestBroadcastsThatAreRefused(t *testing.T) {
	for text, want := range map[string]error{
		``: errText, `{`: errText, `[]`: errText,
		`{"packet":{"data":["e"]}}`:                                errKind,
		`{"opts":null,"packet":{"data":["e"]}}`:                    errKind,
		`{"opts":{"rooms":[{}]},"packet":{"data":["e"]}}`:          errName,
		`{"opts":{"rooms":"a"},"packet":{"data":["e"]}}`:           errText,
		`{"opts":{"rooms":[],"except":1},"packet":{"data":["e"]}}`: errText,
		`{"opts":{}}`:                                    errText,
		`{"opts":{},"packet":{}}`:                        errEvent,
		`{"opts":{},"packet":{"data":[{}]}}`:             errEvent,
		`{"opts":{},"packet":{"data":["e",]}}`:           errText,
		"{\"opts\":{},\"packet\":{\"data\":[\"\xff\"]}}": errText,
	} {
		m, err := readBroadcast([]byte(text), func(*wireSet) bool { return true })
		if m != nil && err == nil || !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", text, err, want)
		}
	}
}

// TestForNobodyHere also says that such a message is not decoded.
func TestForNobodyHere(t *testing.T) {
	text := []byte(`{"opts":{"rooms":["elsewhere"]},"packet":{"type":2,"data":["e",1]}}`)
	m, err := readBroadcast(text, func(set *wireSet) bool { return !slices.Contains(set.Rooms, "elsewhere") })
	if m != nil || err != nil {
		t.Fatalf("got %v, %v", m, err)
	}
}

// BenchmarkReadBroadcast is a candidate of 1 KB: for a socket here, and for another node's.
func BenchmarkReadBroadcast(b *testing.B) {
	text := []byte(`{"opts":{"rooms":["0123456789abcdefghij"],"except":[],"flags":{}},"packet":{"type":2,"data":["candidate",{"candidate":"` +
		string(slices.Repeat([]byte("0123456789"), 100)) + `"}]}}`)
	for name, wanted := range map[string]bool{"here": true, "elsewhere": false} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := readBroadcast(text, func(*wireSet) bool { return wanted }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
