package engineio

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// wsClient is a raw websocket client.
type wsClient struct {
	t    *testing.T
	rw   io.ReadWriter
	conn net.Conn // nil inside a stream of HTTP/2 or HTTP/3
}

// frame is a frame as received.
type frame struct {
	op      ws.OpCode
	payload string
}

// websocket opens a websocket, and fails the test if that is refused.
func (st *site) websocket(query string, lines ...string) *wsClient {
	st.t.Helper()
	c, res := st.tryWebSocket(query, lines...)
	if res.status != http.StatusSwitchingProtocols {
		st.t.Fatalf("websocket handshake: %v", res)
	}
	return c
}

func (st *site) tryWebSocket(query string, lines ...string) (*wsClient, answer) {
	st.t.Helper()
	conn, err := st.dial()
	if err != nil {
		st.t.Fatal(err)
	}
	st.t.Cleanup(func() { _ = conn.Close() })
	request := "GET /socket.io/?" + query + " HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	for _, l := range lines {
		request += l + "\r\n"
	}
	if _, err := io.WriteString(conn, request+"\r\n"); err != nil {
		st.t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		st.t.Fatal(err)
	}
	_ = res.Body.Close() // it is not read: what follows are frames, or nothing
	return &wsClient{st.t, struct {
		io.Reader
		io.Writer
	}{in, conn}, conn}, answer{status: res.StatusCode, header: res.Header}
}

func (c *wsClient) send(op ws.OpCode, payload string) {
	c.t.Helper()
	c.frame(ws.NewFrame(op, true, []byte(payload)))
}

func (c *wsClient) text(s string) { c.t.Helper(); c.send(ws.OpText, s) }

// frame sends any frame, masked, with one write.
func (c *wsClient) frame(f ws.Frame) {
	c.t.Helper()
	if err := c.tryFrame(f); err != nil {
		c.t.Fatal(err)
	}
}

func (c *wsClient) tryFrame(f ws.Frame) error {
	b, err := ws.CompileFrame(ws.MaskFrame(f))
	if err != nil {
		return err
	}
	_, err = c.rw.Write(b)
	return err
}

func (c *wsClient) read() (frame, error) {
	if c.conn != nil {
		if err := c.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			return frame{}, err
		}
	}
	f, err := c.readFrame()
	if err != nil {
		return frame{}, err
	}
	if f.Header.Masked {
		return frame{}, errors.New("a masked frame from the server")
	}
	return frame{f.Header.OpCode, string(f.Payload)}, nil
}

func (c *wsClient) readFrame() (ws.Frame, error) {
	h, err := ws.ReadHeader(c.rw)
	if err != nil {
		return ws.Frame{}, err
	}
	payload := make([]byte, h.Length)
	_, err = io.ReadFull(c.rw, payload)
	return ws.Frame{Header: h, Payload: payload}, err
}

// want reads one frame.
func (c *wsClient) want(op ws.OpCode, payload string) {
	c.t.Helper()
	if got, err := c.read(); err != nil || got != (frame{op, payload}) {
		c.t.Fatalf("got %v %.100q (%v), want %v %.100q", got.op, got.payload, err, op, payload)
	}
}

func (c *wsClient) wantText(s string) { c.t.Helper(); c.want(ws.OpText, s) }

// wantOpen reads the OPEN packet.
func (c *wsClient) wantOpen() {
	c.t.Helper()
	if got, err := c.read(); err != nil || !strings.HasPrefix(got.payload, `0{"sid":"`) {
		c.t.Fatalf("got %v (%v), want OPEN", got, err)
	}
}

// wantClose reads up to a close frame with a code, answers it, and then expects
// the end of the connection.
func (c *wsClient) wantClose(code ws.StatusCode, reason string) {
	c.t.Helper()
	for {
		got, err := c.read()
		if err != nil {
			c.t.Fatalf("no close frame: %v", err)
		}
		if got.op != ws.OpClose {
			continue
		}
		gotCode, gotReason := ws.ParseCloseFrameData([]byte(got.payload))
		if gotCode != code || gotReason != reason {
			c.t.Fatalf("closed with %d %q, want %d %q", gotCode, gotReason, code, reason)
		}
		break
	}
	_ = c.tryFrame(ws.NewCloseFrame([]byte{}))
	c.wantEnd()
}

// wantEnd expects the end of the connection.
func (c *wsClient) wantEnd() {
	c.t.Helper()
	if got, err := c.read(); err == nil {
		c.t.Fatalf("got %v, want the end", got)
	}
}
