package caddymodule_test

import (
	"crypto/tls"
	"io"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// Each of these wraps the response in its own way, and most of the wrappers
// cannot be hijacked themselves.
func TestWebsocketsThroughOtherHandlers(t *testing.T) {
	for name, directives := range map[string]string{
		"nothing":      "socketio {\nname ws\n}",
		"access logs":  "log {\noutput discard\n}\nsocketio {\nname ws\n}",
		"encode":       "route {\nencode\nsocketio {\nname ws\n}\n}",
		"templates":    "route {\ntemplates\nsocketio {\nname ws\n}\n}",
		"request_body": "request_body {\nmax_size 1MB\n}\nsocketio {\nname ws\n}",
		"all of them":  "log {\noutput discard\n}\nroute {\nrequest_body {\nmax_size 1MB\n}\nencode\ntemplates\nsocketio {\nname ws\n}\n}",
	} {
		t.Run(name, func(t *testing.T) {
			serve(t, directives)
			pingOverWebsocket(t, "ws://localhost:9080")
		})
	}
}

func TestWebsocketOverTLS(t *testing.T) {
	for name, directives := range map[string]string{
		"plain":  "socketio {\nname wss\n}",
		"logged": "log {\noutput discard\n}\nencode\nsocketio {\nname wss\n}",
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(site(directives), "http://localhost:9080 {", "https://localhost:9443 {\ntls internal {\non_demand\n}", 1)
			serveText(t, text)
			pingOverWebsocket(t, "wss://localhost:9443")
		})
	}
}

func pingOverWebsocket(t *testing.T, origin string) {
	t.Helper()
	f := enter(t, origin)
	defer f.Close()
	f.send(`421["ping"]`)
	f.want("431[")
}

// dial opens a websocket of HTTP/1.1, which the caller closes.
func dial(t *testing.T, url string) frames {
	t.Helper()
	dialer := ws.Dialer{TLSConfig: &tls.Config{InsecureSkipVerify: true}}
	conn, early, _, err := dialer.Dial(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	in := io.Reader(conn)
	if early != nil { // the server's first frame came along with its answer
		in = early
	}
	return frames{t, readWriteCloser{in, conn, conn}}
}

// enter opens a session, which the caller closes, and enters the namespace "/".
func enter(t *testing.T, origin string) frames {
	t.Helper()
	f := dial(t, origin+"/socket.io/?EIO=4&transport=websocket")
	f.want("0{")
	f.send("40")
	f.want("40{")
	return f
}
