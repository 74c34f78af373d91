package engineio

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"io"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

func TestCompressedPoll(t *testing.T) {
	st := newSite(t, settings())
	query, r := st.open()
	large, small := strings.Repeat("compress me ", 100), "small"
	for _, c := range []struct{ data, accept, encoding string }{
		{large, "gzip, deflate, br", "gzip"},
		{large, "gzip;q=0, deflate", ""},
		{large, "", ""},
		{small, "gzip", ""},
	} {
		r.session.Send(Text([]byte(c.data)))
		a := st.get(query, header("Accept-Encoding", c.accept))
		if got := a.header.Get("Content-Encoding"); got != c.encoding {
			t.Fatalf("%+v: encoding %q", c, got)
		}
		body := a.body
		if c.encoding == "gzip" {
			z, err := gzip.NewReader(strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(z)
			if err != nil {
				t.Fatal(err)
			}
			body = string(b)
		}
		if body != "4"+c.data {
			t.Fatalf("%+v: %q", c, body)
		}
		if vary := a.header.Get("Vary"); (vary == "Accept-Encoding") != (c.data == large) {
			t.Fatalf("%+v: Vary %q", c, vary)
		}
	}
}

const deflateOffer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"

func TestPerMessageDeflate(t *testing.T) {
	s := settings()
	s.PerMessageDeflate = 100
	st := newSite(t, s)
	c, res := st.tryWebSocket("EIO=4&transport=websocket", deflateOffer)
	if got := res.header.Get("Sec-WebSocket-Extensions"); got != deflateAnswer {
		t.Fatalf("extensions %q", got)
	}
	a := st.next()
	plain := st.websocket("EIO=4&transport=websocket")
	b := st.next()
	c.wantAny()
	plain.wantOpen()

	large := strings.Repeat("compress me ", 1000)
	m := Text([]byte(large))
	for _, r := range []*recorder{a, b} {
		r.session.Send(m)
		r.session.Send(Text([]byte("small")))
	}
	plain.wantText("4" + large)
	f, err := c.readFrame()
	if err != nil || f.Header.Rsv != rsv1 || len(f.Payload) > 500 {
		t.Fatalf("%+v %v", f.Header, err)
	}
	inflated, err := io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(f.Payload), bytes.NewReader(deflateTail))))
	if err != nil || string(inflated) != "4"+large {
		t.Fatal(err)
	}
	c.wantText("4small")

	s = settings() // a reload turns it off
	st.srv.Configure(s)
	a.session.Send(Text([]byte(large)))
	c.wantText("4" + large)

	c.frame(compressed("4" + large))
	if got := receive(t, a.got); got.data != large {
		t.Fatal("changed on the way")
	}
}

// wantAny reads a frame that may be compressed.
func (c *wsClient) wantAny() {
	c.t.Helper()
	if f, err := c.readFrame(); err != nil || f.Header.OpCode != ws.OpText {
		c.t.Fatal(f, err)
	}
}

// compressed is a frame as a client with the extension sends it.
func compressed(text string) ws.Frame {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	_, _ = io.WriteString(w, text)
	_ = w.Flush()
	f := ws.NewTextFrame(bytes.TrimSuffix(b.Bytes(), deflateTail[:4]))
	f.Header.Rsv = rsv1
	return f
}

func TestDeflateFaults(t *testing.T) {
	for name, c := range map[string]struct {
		frame ws.Frame
		code  ws.StatusCode
	}{
		"bomb":      {compressed("4" + strings.Repeat("0", 10_000_000)), 1009},
		"malformed": {func() ws.Frame { f := ws.NewTextFrame([]byte("\xff\xff\xff")); f.Header.Rsv = rsv1; return f }(), 1007},
	} {
		t.Run(name, func(t *testing.T) {
			s := settings()
			s.PerMessageDeflate = 1000
			st := newSite(t, s)
			wsc := st.websocket("EIO=4&transport=websocket", deflateOffer)
			wsc.wantOpen()
			wsc.frame(c.frame)
			wsc.wantClose(c.code, "")
			st.next().wantClosed(t, "transport error")
		})
	}
}

func TestExtensionOffers(t *testing.T) {
	s := settings()
	s.PerMessageDeflate = 1000
	st := newSite(t, s)
	for offer, want := range map[string]string{
		"permessage-deflate":                                                deflateAnswer,
		"permessage-deflate; server_max_window_bits=10":                     "",
		"permessage-deflate; server_max_window_bits=10, permessage-deflate": deflateAnswer,
		"permessage-deflate; unknown":                                       "",
		"x-webkit-deflate-frame":                                            "",
		"permessage-deflate; client_max_window_bits=99":                     "",
		";;;": "",
	} {
		_, res := st.tryWebSocket("EIO=4&transport=websocket", "Sec-WebSocket-Extensions: "+offer)
		if got := res.header.Get("Sec-WebSocket-Extensions"); got != want {
			t.Errorf("%q: %q, want %q", offer, got, want)
		}
	}
}
