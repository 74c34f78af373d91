package soak

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/wire"
)

// attack is one way to misbehave.
type attack struct {
	name string
	// atOnce is how many do it at any time, pause how long each rests between
	// two times: abuse is to be a part of the load, not to be all of it.
	atOnce int
	pause  time.Duration
	// once does it once. The attacker ends its connection afterwards; what the
	// server makes of it shows in the others, and in what is left.
	once func(ctx context.Context, a *attacker) error
}

// attacks are all of them, each from an address of its own.
var attacks = []attack{
	{"handshakes, more than allowed", 4, 20 * time.Millisecond, handshake},
	{"session ids guessed", 2, 20 * time.Millisecond, guess},
	{"request headers that never end", 20, 0, slowHeader},
	{"bodies that never end", 20, 0, slowBody},
	{"frames that never end", 20, 0, slowFrame},
	{"upgrades that never end", 10, 0, slowUpgrade},
	{"CONNECT and gone", 2, 50 * time.Millisecond, connectAndGo},
	{"malformed packets", 2, 50 * time.Millisecond, malformed},
	{"messages over the limit", 1, 200 * time.Millisecond, oversized},
	{"compressed bodies", 1, 200 * time.Millisecond, bomb},
	{"events, more than allowed", 2, time.Second, floodEvents},
	{"namespaces that do not exist", 1, time.Second, storm},
	{"rooms joined and left", 1, time.Second, joinAndLeave},
	{"acks that nobody asked for", 1, time.Second, floodAcks},
	{"clients that do not read", 2, time.Second, neverRead},
}

// attacker is who does it: an address, and at most one connection at a time.
type attacker struct {
	from   net.Addr
	target string
	conn   net.Conn
	in     *bufio.Reader
	n      int // times so far
}

// attack carries one out again and again until ctx ends.
func (s *stage) attack(ctx context.Context, number int, a attack) {
	done := make(chan struct{}, a.atOnce)
	for range a.atOnce {
		go func() {
			defer func() { done <- struct{}{} }()
			from := net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 1, byte(number + 1)}), 0))
			one := &attacker{from: from, target: s.target.Addr}
			for ctx.Err() == nil {
				// That the server cuts an attacker off is what is hoped for.
				_ = a.once(ctx, one)
				one.hangUp()
				one.n++
				s.attacks.add(a.name)
				pause(ctx, a.pause+time.Millisecond)
			}
		}()
	}
	for range a.atOnce {
		<-done
	}
}

// dial opens the connection, which ends with ctx or after the longest time that
// the server should have any patience.
func (a *attacker) dial(ctx context.Context) error {
	a.hangUp()
	conn, err := (&net.Dialer{LocalAddr: a.from}).DialContext(ctx, "tcp", a.target)
	if err != nil {
		return err
	}
	a.conn, a.in = conn, bufio.NewReader(conn)
	return conn.SetDeadline(time.Now().Add(15 * time.Second))
}

func (a *attacker) hangUp() {
	if a.conn != nil {
		_ = a.conn.Close() // it is given up
		a.conn = nil
	}
}

func (a *attacker) write(text string) error {
	_, err := a.conn.Write([]byte(text))
	return err
}

// request sends a request over a connection of its own and reads the answer.
func (a *attacker) request(ctx context.Context, method, query, header string, body []byte) (string, error) {
	if err := a.dial(ctx); err != nil {
		return "", err
	}
	length := ""
	if method == http.MethodPost {
		length = fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	const form = "%s /socket.io/?EIO=4&%s HTTP/1.1\r\nHost: %s\r\n%s%s\r\n%s"
	if err := a.write(fmt.Sprintf(form, method, query, a.target, length, header, body)); err != nil {
		return "", err
	}
	resp, err := http.ReadResponse(a.in, nil)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var answer bytes.Buffer
	_, err = answer.ReadFrom(resp.Body)
	return answer.String(), err
}

// poll opens a session over long polling and returns its id.
func (a *attacker) poll(ctx context.Context) (string, error) {
	answer, err := a.request(ctx, http.MethodGet, "transport=polling", "", nil)
	if err != nil {
		return "", err
	}
	_, sid, _ := strings.Cut(answer, `"sid":"`)
	sid, _, _ = strings.Cut(sid, `"`)
	return sid, nil
}

// upgrade opens a websocket, of a session of that id or of a new one.
func (a *attacker) upgrade(ctx context.Context, sid string) error {
	if err := a.dial(ctx); err != nil {
		return err
	}
	path := "/socket.io/?EIO=4&transport=websocket"
	if sid != "" {
		path += "&sid=" + sid
	}
	if err := a.write(string(wire.UpgradeRequest(a.target, path))); err != nil {
		return err
	}
	_, err := wire.ReadUpgrade(a.conn)
	return err
}

// enter opens a websocket and enters the main namespace.
func (a *attacker) enter(ctx context.Context) error {
	if err := a.upgrade(ctx, ""); err != nil {
		return err
	}
	return a.write(string(wire.TextFrame(wire.Connect)))
}

// drain reads until the server ends the connection, or the attacker's time is up.
func (a *attacker) drain(ctx context.Context) error {
	conn := a.conn
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
	defer stop()
	_, err := a.in.WriteTo(nowhere{})
	return err
}

type nowhere struct{}

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
