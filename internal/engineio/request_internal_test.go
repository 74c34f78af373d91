package engineio

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// FuzzQuery compares with net/url.
func FuzzQuery(f *testing.F) {
	for _, q := range []string{"EIO=4&transport=polling&sid=a", "sid=&sid=b", "&&=&sid", "sid=%41+b", "sid=%4", "j=1", "s%69d=x", "sid=a=b"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, query string) {
		values, err := url.ParseQuery(query)
		if err != nil {
			return // what of it is taken counts as absent, or is checked further on
		}
		if got := param(query, "sid"); got != "" && !slices.Contains(values["sid"], got) {
			t.Fatalf("sid is %q, net/url has %q", got, values["sid"])
		}
		if hasParam(query, "j") && !values.Has("j") {
			t.Fatal("there is no j")
		}
	})
}

// FuzzHead checks that a session tells of its first request what that said.
func FuzzHead(f *testing.F) {
	f.Add("EIO=4&a=%20b", "Cookie", "a=b; c=d")
	f.Add("", "X-Empty", "")
	f.Add("a=1\nX:2", "User-Agent", "a:b\tc ")
	f.Fuzz(func(t *testing.T, query, key, value string) {
		key = http.CanonicalHeaderKey(key)
		// net/http lets no others in.
		if key == "" || strings.ContainsAny(key, ":\r\n") || strings.ContainsAny(value, "\r\n") {
			return
		}
		r := &http.Request{URL: &url.URL{RawQuery: query}, Header: http.Header{key: {value, "second"}, "Connection": {"x"}}}
		want := http.Header{key: {value, "second"}}
		switch key {
		case "Connection", "Upgrade", "Sec-Websocket-Key", "Sec-Websocket-Extensions", "Sec-Websocket-Version":
			want = http.Header{}
		}
		s := &Session{head: packHead(r)}
		if got := s.Header(); !maps.EqualFunc(got, want, slices.Equal) {
			t.Fatalf("got %q, want %q", got, want)
		}
		if strings.Contains(query, "\n") {
			return
		}
		if got := s.Query().Encode(); got != r.URL.Query().Encode() {
			t.Fatalf("query %q became %q", query, got)
		}
	})
}

// FuzzExtension checks that only those who offer compression get it.
func FuzzExtension(f *testing.F) {
	for _, h := range []string{"permessage-deflate", "a, permessage-deflate; server_max_window_bits=15", "permessage-deflate; x=\"", ";;,=", ""} {
		f.Add(h)
	}
	f.Fuzz(func(t *testing.T, header string) {
		if offersDeflate(http.Header{"Sec-Websocket-Extensions": {header}}) && !strings.Contains(header, "permessage-deflate") {
			t.Fatal("not offered")
		}
	})
}

// FuzzInflate checks the bound, and that what we deflate comes back.
func FuzzInflate(f *testing.F) {
	const limit = 10_000
	f.Add([]byte("4hello"))
	f.Add([]byte(strings.Repeat("4", 200)))
	f.Add([]byte{0x06, 0x06, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		if out, err := inflate(data, limit); err == nil && len(out) > limit {
			t.Fatalf("%d bytes", len(out))
		}
		frame := Binary(data).deflate()
		if frame[0]&0x40 == 0 {
			return // it did not shrink
		}
		body := frame[len(frame)-frameBody(frame):]
		if out, err := inflate(body, len(data)); err != nil || string(out) != string(data) {
			t.Fatalf("%q became %q, %v", data, out, err)
		}
	})
}

// frameBody is the length that an unmasked frame's header tells.
func frameBody(frame []byte) (n int) {
	switch n = int(frame[1]); n {
	case 126:
		return int(frame[2])<<8 | int(frame[3])
	case 127:
		n = 0
		for _, b := range frame[2:10] {
			n = n<<8 | int(b)
		}
	}
	return n
}
