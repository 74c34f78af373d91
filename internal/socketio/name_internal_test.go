package socketio

import (
	"strings"
	"testing"
)

func TestPatternsCannotEscapeTheirAnchors(t *testing.T) {
	if re, err := ParseNamespace("/a)|(?:b/"); err == nil {
		t.Fatalf("accepted as %v", re)
	}
}

// FuzzNamespaceName checks what a name may be, and that its packets can name it.
func FuzzNamespaceName(f *testing.F) {
	for _, s := range []string{"/", "/chat", "/chat/", `/\/room-\d+/`, "chat", "/a,b", "/a?b", "/(/", "/a)|(?:b/", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		re, err := ParseNamespace(name)
		if err != nil {
			return
		}
		if static := re == nil; static == (len(name) > 1 && strings.HasSuffix(name, "/")) {
			t.Fatalf("%q is static: %v", name, static)
		}
		if re != nil {
			return
		}
		got, rest, err := parseNamespace([]byte(name + ",x"))
		if err != nil || string(got) != name || string(rest) != "x" {
			t.Fatalf("%q is read as %q and %q, %v", name, got, rest, err)
		}
	})
}

// FuzzConnect checks that an auth payload is an object or refused.
func FuzzConnect(f *testing.F) {
	for _, s := range []string{`0`, `0{"token":"x"}`, `0/a,{"pid":"p"}`, `0/a,{"pid":"p","offset":""}`, `0null`, `0[]`, `0"x"`, `0{"__proto__":{}}`, `0{"pid":1e999}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := parsePacket(data)
		if err != nil || p.kind != kindConnect {
			return
		}
		c := &conn{session: &scriptedSession{}}
		name, auth, err := c.readConnect(&p)
		if err != nil {
			return
		}
		if !strings.HasPrefix(name, "/") {
			t.Fatalf("namespace %q", name)
		}
		if _, recovers := auth["pid"].(string); recovers && auth["offset"] == "" {
			t.Fatal("no offset")
		}
	})
}
