package socketio

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestMalformedPacketsAreRefused(t *testing.T) {
	deep := strings.Repeat("[", 101) + strings.Repeat("]", 101)
	for name, p := range map[string]string{
		"empty": "", "unknown type": "7", "letter": "x", "not UTF-8": "2[\"\xff\"]",
		"no array": `2{}`, "no name": `2[]`, "object as name": `2[{"toString":"x"}]`, "null as name": `2[null]`,
		"reserved": `2["connect"]`, "reserved, escaped": `2["disconnec\u0074"]`, "reserved binary": `50-["newListener"]`,
		"unclosed": `2["x"`, "trailing": `2["x"]]`, "two values": `2["x" 1]`, "comma": `2["x",]`,
		"id of 21 digits": `2111111111111111111111["x"]`, "id over 64 bits": `299999999999999999999["x"]`,
		"eleven attachments": `511-["x"]`, "no dash": `51["x"]`, "no count": `5-["x"]`, "signed": `5+1-["x"]`, "huge": `599999999999-["x"]`,
		"long namespace": "2/" + strings.Repeat("a", 512) + `,["x"]`,
		"deep":           `2["x",` + deep + `]`, "ack without array": `31{}`, "many arguments": `2["x"` + strings.Repeat(",1", 1001) + `]`,
		"DISCONNECT with payload": `1{}`, "CONNECT with array": `0[]`, "CONNECT with text": `0"x"`, "CONNECT_ERROR": `4[]`,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, one(echo), func(t *testing.T, w *world) {
				c := w.dial()
				if !strings.Contains(name, "CONNECT") || strings.Contains(name, "DISCONNECT") {
					c.enter("/")
				}
				c.send(p)
				c.want("closed")
				w.empty("/")
			})
		})
	}
}

func TestBinaryOutOfTurn(t *testing.T) {
	for name, send := range map[string]func(*client){
		"without header":    func(c *client) { c.sendBinary([]byte("x")) },
		"text in between":   func(c *client) { c.send(`51-["x",{"_placeholder":true,"num":0}]`, `2["x"]`) },
		"one too many":      func(c *client) { c.send(`50-["x"]`); c.sendBinary([]byte("x")) },
		"after a plain one": func(c *client) { c.send(`2["x"]`); c.sendBinary([]byte("x")) },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, one(echo), func(t *testing.T, w *world) {
				c := w.dial()
				c.enter("/")
				send(c)
				for got := c.next(); got != "closed"; got = c.next() {
					if !strings.HasPrefix(got, `2["exception"`) {
						t.Fatalf("got %q", got)
					}
				}
			})
		})
	}
}

func TestBinaryEventWithoutAttachments(t *testing.T) {
	inBubble(t, one(echo), func(t *testing.T, w *world) {
		c := w.dial()
		c.enter("/")
		c.send(`50-1["echo",1]`, `22["echo",2]`)
		c.want(`31[1]`, `32[2]`)
	})
}

func FuzzParsePacket(f *testing.F) {
	for _, s := range []string{
		`2["a",1]`, `2/n,12["a",{"b":[true,null,-1.5e3,"\u00e9"]}]`, `51-["x",{"_placeholder":true,"num":0}]`, `31[]`, `0{"token":"x"}`, `1/x,`,
		`2["\"\\"]`, `2[1.0]`, `450-["ev"]`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := parsePacket(data)
		if err != nil {
			return
		}
		if !utf8.Valid(data) {
			t.Fatal("accepted invalid UTF-8")
		}
		in, err := newInbound(&p)
		var want []json.RawMessage
		wrong := json.Unmarshal(p.payload, &want) != nil || want == nil
		if err == nil && wrong {
			t.Fatalf("accepted %q, which encoding/json refuses", p.payload)
		}
		if err == nil && len(in.values) != len(want)-map[bool]int{true: 0, false: 1}[in.isAck] {
			t.Fatalf("%q: %d values, want %d", p.payload, len(in.values), len(want))
		}
		if err != nil && !wrong && len(want) > 0 && in == nil && p.kind == kindAck && len(want) <= maxArguments && depth(p.payload) < maxDepth {
			t.Fatalf("refused %q, which encoding/json accepts", p.payload)
		}
	})
}

// FuzzSplitArray compares with encoding/json, element by element.
func FuzzSplitArray(f *testing.F) {
	for _, s := range []string{`[]`, `[1,"a",{"b":[]}]`, ` [ 1 , [ 2 ] ] `, `[1e5,-0.1,true,false,null]`, `["\u12aZ"]`, `[01]`, `[.5]`, `[{"a":1,}]`, `[1]x`, "[\"\n\"]"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if depth(text) > maxDepth || strings.Count(string(text), ",") >= maxArguments {
			return
		}
		got, err := splitArray[json.RawMessage](text, maxArguments, nil)
		var want []json.RawMessage
		ok := json.Unmarshal(text, &want) == nil && strings.HasPrefix(strings.TrimLeft(string(text), " \t\r\n"), "[")
		if ok != (err == nil) {
			t.Fatalf("%q: %v, encoding/json says %v", text, err, ok)
		}
		if !ok {
			return
		}
		if len(got) != len(want) {
			t.Fatalf("%q: %d elements, want %d", text, len(got), len(want))
		}
		for i := range got {
			if string(got[i]) != string(want[i]) {
				t.Fatalf("%q: element %d is %q, want %q", text, i, got[i], want[i])
			}
		}
		if (validJSON(text) == nil) != json.Valid(text) {
			t.Fatalf("%q: validJSON differs", text)
		}
	})
}

// depth is an upper bound of the nesting.
func depth(text []byte) int {
	return strings.Count(string(text), "[") + strings.Count(string(text), "{")
}
