package redis

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPackAndUnpack(t *testing.T) {
	for _, text := range []string{
		`null`, `true`, `-1`, `127`, `65536`, `9007199254740993`, `1.5`, `"ä\u0001<"`, `[]`, `{}`,
		`["e",{"b":[1,{"a":null}],"a":"x"}]`, `["e",{"_placeholder":true,"num":0},{"x":{"_placeholder":true,"num":1}}]`,
	} {
		b, err := pack(nil, []byte(text), [][]byte{{1}, {2, 3}})
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		back, _, err := unpack(b)
		if err != nil || string(back) != text {
			t.Errorf("%s became %s, %v", text, back, err)
		}
	}
}

func TestUnpackWhatJavaScriptSends(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"undefined":         {"\x91\xd4\x00\x00", `[null]`},
		"a date of old":     {"\xd7\x00\x00\x00\x01\x8f\x00\x00\x00\x00", `"2024-04-21T09:32:31.104Z"`},
		"seconds":           {"\xd6\xff\x00\x00\x00\x01", `"1970-01-01T00:00:01.000Z"`},
		"with nanoseconds":  {"\xd7\xff\x1d\xcd\x65\x00\x00\x00\x00\x01", `"1970-01-01T00:00:01.125Z"`},
		"before 1970":       {"\xc7\x0c\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff", `"1969-12-31T23:59:59.000Z"`},
		"no number":         {"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00", `null`},
		"a large number":    {"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", `18446744073709551615`},
		"an unknown type":   {"\xd4\x05\x00", ``},
		"more than a value": {"\xc0\xc0", ``},
		"a lying length":    {"\xdd\xff\xff\xff\xff", ``},
		"a lying string":    {"\xdb\xff\xff\xff\xff", ``},
		"no UTF-8":          {"\xa1\xff", ``},
		"nothing":           {"", ``},
	} {
		text, _, err := unpack([]byte(c.in))
		if string(text) != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: got %s, %v; want %s", name, text, err, c.want)
		}
	}
}

// A few bytes must not make gigabytes.
func TestALyingLengthAllocatesNothing(t *testing.T) {
	for _, in := range []string{"\xc6\xa4\x00\x00\x00", "\xdb\xa4\x00\x00\x00", "\xdd\xff\xff\xff\xff", "\xdf\xff\xff\xff\xff"} {
		bytesEach := testing.Benchmark(func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := unpack([]byte(in)); err == nil {
					b.Fatalf("%q was taken", in)
				}
			}
		}).AllocedBytesPerOp()
		if bytesEach > 4096 {
			t.Errorf("%q takes %d bytes", in, bytesEach)
		}
	}
}

func TestPackRefusesWhatIsNoJSON(t *testing.T) {
	for _, text := range []string{
		"", "[", "{", `"`, `"a`, `"a\`, "[1,]", "[,1]", "[1 2]", `{"a"}`, `{"a":}`, `{"a":1,}`, `{1:2}`, "tru", "nul", "[1]]", "[1}", "+", "1e999",
		strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1),
	} {
		if b, err := pack(nil, []byte(text), nil); err == nil {
			t.Errorf("%s became %q", text, b)
		}
	}
}

func FuzzPack(f *testing.F) {
	f.Add([]byte(` ["e" , {"b":[1, -2.5e3, {"a":null}],"ä\u0001":"\"\\"}, true]`))
	f.Add([]byte(`["e",{"_placeholder":true,"num":0}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := pack(nil, text, [][]byte{{1}})
		var want any
		if json.Unmarshal(text, &want) != nil || !utf8.Valid(text) {
			return // what this node sends is valid
		}
		if err != nil {
			if !errors.Is(err, errDepth) && !errors.Is(err, errMsgpack) {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		back, _, err := unpack(b)
		var got any
		if err == nil {
			err = json.Unmarshal(back, &got)
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%q became %q, %v", text, back, err)
		}
	})
}

func FuzzUnpack(f *testing.F) {
	f.Add([]byte("\x93\xa1a\x81\xa1k\xc4\x01x\xd4\x00\x00"))
	f.Add([]byte("\xd7\xff\x1d\xcd\x65\x00\x00\x00\x00\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		text, attachments, err := unpack(b)
		if err != nil {
			return
		}
		if !json.Valid(text) {
			t.Fatalf("%q became %q", b, text)
		}
		again, err := pack(nil, text, attachments)
		if err != nil {
			t.Fatal(err)
		}
		if twice, _, err := unpack(again); err != nil || !json.Valid(twice) {
			t.Fatalf("%q became %q, %v", text, twice, err)
		}
	})
}
