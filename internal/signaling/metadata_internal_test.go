package signaling

import (
	"fmt"
	"strings"
	"testing"
)

func TestMetadataHasRevisions(t *testing.T) {
	w := newWorld(t, nil)
	a, b, aid, _ := pairOf(w)
	if got := a.do("metadata", `{"room":"r"}`); got != `{"ok":true,"metadata":{},"revision":0}` {
		t.Fatalf("got %s", got)
	}
	if got := a.do("metadata", `{"room":"r","set":{"x":{ "y":1},"z":2},"revision":0}`); got !=
		`{"ok":true,"metadata":{"x":{ "y":1},"z":2},"revision":1}` {
		t.Fatalf("got %s", got)
	}
	b.got(`metadata {"room":"r","set":{"x":{ "y":1},"z":2},"remove":[],"revision":1,"by":"` + aid + `"}`)
	if got := a.do("metadata", `{"room":"r","remove":["z","none"],"set":{"x":3}}`); got != `{"ok":true,"metadata":{"x":3},"revision":2}` {
		t.Fatalf("got %s", got)
	}
	b.got(`metadata {"room":"r","set":{"x":3},"remove":["z","none"],"revision":2,"by":"` + aid + `"}`)
	if e := b.failure("metadata", `{"room":"r","set":{"x":4},"revision":1}`, CodeConflict); e.Data["revision"] != int64(2) {
		t.Fatalf("got %v", e.Data)
	}
	if got := b.do("metadata", `{"room":"r","revision":1}`); got != `{"ok":true,"metadata":{"x":3},"revision":2}` {
		t.Fatalf("reading is no conflict: %s", got)
	}
	if got := b.do("metadata", `{"room":"r","set":{}}`); !strings.HasSuffix(got, `"revision":3}`) {
		t.Fatalf("got %s", got)
	}
}

func TestMetadataIsBounded(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.MaxMessage = 2000 })
	a, b, _, _ := pairOf(w)
	for i := range maxKeys {
		a.do("metadata", fmt.Sprintf(`{"room":"r","set":{"k%d":1}}`, i))
	}
	b.take()
	a.fails("metadata", `{"room":"r","set":{"more":1}}`, CodeTooLarge)
	a.fails("metadata", `{"room":"r","set":{"k0":"`+strings.Repeat("x", 1900)+`"}}`, CodeTooLarge)
	b.got()
	a.do("metadata", `{"room":"r","set":{"more":1},"remove":["k0"]}`)
}
