package caddymodule_test

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// polls is a client that speaks Engine.IO over polling and nothing more.
type polls struct {
	t    *testing.T
	base string
}

// open opens a session and enters the namespace "/".
func open(t *testing.T, url string, header ...string) *polls {
	t.Helper()
	p := &polls{t, url + "?EIO=4&transport=polling"}
	status, body := p.request(http.MethodGet, "", header...)
	if status != http.StatusOK || !strings.HasPrefix(body, "0{") {
		t.Fatalf("handshake: %d %q", status, body)
	}
	var hello struct{ SID string }
	if err := json.Unmarshal([]byte(body[1:]), &hello); err != nil {
		t.Fatal(err)
	}
	p.base += "&sid=" + hello.SID
	p.send("40")
	if got := p.receive(); !strings.HasPrefix(got, "40{") {
		t.Fatalf("connect: %q", got)
	}
	return p
}

func (p *polls) send(packet string) {
	p.t.Helper()
	if status, body := p.request(http.MethodPost, packet); status != http.StatusOK {
		p.t.Fatalf("post: %d %q", status, body)
	}
}

// receive is the body of the next poll, without heartbeats.
func (p *polls) receive() string {
	p.t.Helper()
	for {
		status, body := p.request(http.MethodGet, "")
		if status != http.StatusOK {
			p.t.Fatalf("poll: %d %q", status, body)
		}
		if body != "2" && body != "6" {
			return body
		}
	}
}

func (p *polls) request(method, body string, header ...string) (int, string) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.base, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return p.do(req)
}

// do may be called by any goroutine. Each request has a connection of its own: one
// that was used before could be about to be closed, after a reload.
func (p *polls) do(req *http.Request) (int, string) {
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Error(err)
		return 0, ""
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Error(err)
	}
	return res.StatusCode, string(text)
}

// get is a plain GET.
func get(t *testing.T, url string) (int, string) {
	t.Helper()
	p := &polls{t, url}
	return p.request(http.MethodGet, "")
}

// The bound of a body that nobody reads holds through Caddy's own, which would be
// a minute. (Which requests have one: internal/engineio.)
func TestRefusedBodyHoldsNoRequest(t *testing.T) {
	serve(t, "socketio {\nname refused-body\n}")
	conn, err := net.Dial("tcp", "localhost:9080")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	// Byte by byte: what is never idle for a minute could go on for a day.
	drip := time.NewTicker(200 * time.Millisecond)
	var sending sync.WaitGroup
	sending.Go(func() {
		_, err := io.WriteString(conn, "POST /socket.io/?EIO=4&transport=polling&sid=made-up HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n")
		for err == nil {
			<-drip.C
			_, err = io.WriteString(conn, "x")
		}
	})
	answer, err := io.ReadAll(conn)
	if err != nil && !errors.Is(err, syscall.ECONNRESET) || !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") {
		t.Errorf("got %.100q, %v", answer, err)
	}
	_ = conn.Close()
	sending.Wait()
}
