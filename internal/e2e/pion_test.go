//go:build unix

package e2e_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/pion/webrtc/v4"
)

// Two peers of a WebRTC implementation that is no browser find each other
// through the gateway and open a data channel. They know nothing but a room.
func TestPionPeersOpenADataChannel(t *testing.T) {
	address := startGateway(t)
	first := newCaller(t, address)
	first.join()
	second := newCaller(t, address)
	if peers := second.join(); len(peers) != 1 {
		t.Fatalf("the second peer sees %d others", len(peers))
	} else {
		second.call(peers[0])
	}
	for _, c := range []*caller{first, second} {
		select {
		case text := <-c.heard:
			if want := "hello from " + c.other(); text != want {
				t.Errorf("heard %q, want %q", text, want)
			}
		case err := <-c.failed:
			t.Fatal(err)
		case <-time.After(30 * time.Second):
			t.Fatal("no message came through the data channel")
		}
	}
}

// startGateway runs Caddy with the default gateway and returns its address.
func startGateway(t *testing.T) string {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(caddy(t), "run", "--config", "-", "--adapter", "caddyfile")
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "XDG_DATA_HOME=", "XDG_CONFIG_HOME=")
	cmd.Stdin = strings.NewReader("{\n\tadmin off\n}\nhttp://" + address + " {\n\tsocketio\n}\n")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready, ended := make(chan struct{}), make(chan struct{})
	var log strings.Builder
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			if log.WriteString(lines.Text() + "\n"); strings.Contains(lines.Text(), "serving initial configuration") {
				close(ready)
			}
		}
	}()
	t.Cleanup(func() {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		<-ended
		if err := cmd.Wait(); err != nil {
			t.Errorf("caddy: %v\n%s", err, &log)
		}
	})
	select {
	case <-ready:
	case <-ended:
		t.Fatalf("caddy ended:\n%s", &log)
	}
	return address
}

// caller is a peer: a Socket.IO client of a few lines, and a peer connection.
type caller struct {
	t      *testing.T
	conn   net.Conn
	pc     *webrtc.PeerConnection
	heard  chan string
	failed chan error
	joined chan joinAnswer

	// mu is held from a description's making to its sending, so that no
	// candidate overtakes it, and for every write.
	mu   sync.Mutex
	id   string // as a peer, known once joined
	peer string // the other's
}

type joinAnswer struct {
	OK    bool
	Self  struct{ ID string }
	Peers []struct{ ID string }
}

// newCaller makes a peer, which enters the room as soon as it is connected.
func newCaller(t *testing.T, address string) *caller {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, early, _, err := ws.Dial(ctx, "ws://"+address+"/socket.io/?EIO=4&transport=websocket")
	if err != nil {
		t.Fatal(err)
	}
	c := &caller{t: t, conn: conn, heard: make(chan string, 1), failed: make(chan error, 1), joined: make(chan joinAnswer, 1)}
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true) // a machine may have no other network
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	if c.pc, err = webrtc.NewAPI(webrtc.WithSettingEngine(settings)).NewPeerConnection(webrtc.Configuration{}); err != nil {
		t.Fatal(err)
	}
	c.pc.OnDataChannel(c.talk)
	c.pc.OnICECandidate(c.candidate)
	var in io.Reader = conn
	if early != nil {
		in = early // frames that came together with the handshake's answer
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.read(in)
	}()
	t.Cleanup(func() {
		if err := errors.Join(c.pc.GracefulClose(), conn.Close()); err != nil {
			t.Error(err)
		}
		<-done
	})
	c.write("40")
	return c
}

// join enters the room and returns the ids of the others.
func (c *caller) join() []string {
	c.t.Helper()
	select {
	case answer := <-c.joined:
		c.mu.Lock()
		c.id = answer.Self.ID
		c.mu.Unlock()
		var ids []string
		for _, p := range answer.Peers {
			ids = append(ids, p.ID)
		}
		return ids
	case err := <-c.failed:
		c.t.Fatal(err)
	case <-time.After(10 * time.Second):
		c.t.Fatal("no answer to join")
	}
	return nil
}

// call opens a data channel to a peer.
func (c *caller) call(peer string) {
	c.t.Helper()
	channel, err := c.pc.CreateDataChannel("chat", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	c.talk(channel)
	if err := c.describe("offer", peer, func() (webrtc.SessionDescription, error) { return c.pc.CreateOffer(nil) }); err != nil {
		c.t.Fatal(err)
	}
}

// talk sends a greeting and passes on the one that comes.
func (c *caller) talk(channel *webrtc.DataChannel) {
	channel.OnOpen(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.fail(channel.SendText("hello from " + c.id))
	})
	channel.OnMessage(func(m webrtc.DataChannelMessage) { c.heard <- string(m.Data) })
}

func (c *caller) other() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.peer
}

func (c *caller) fail(err error) {
	if err == nil {
		return
	}
	select {
	case c.failed <- err:
	default: // the first failure is enough
	}
}

// describe makes a description, takes it as the own, and sends it.
func (c *caller) describe(event, peer string, create func() (webrtc.SessionDescription, error)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.peer = peer
	description, err := create()
	if err != nil {
		return err
	}
	if err := c.pc.SetLocalDescription(description); err != nil {
		return err
	}
	return c.emit(event, map[string]any{"room": "r", "to": peer, "description": description})
}

func (c *caller) candidate(candidate *webrtc.ICECandidate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	payload := map[string]any{"room": "r", "to": c.peer, "candidate": nil}
	if candidate != nil {
		payload["candidate"] = candidate.ToJSON()
	}
	c.fail(c.emit("candidate", payload))
}

// emit sends an event. mu must be held.
func (c *caller) emit(event string, payload any) error {
	text, err := json.Marshal([]any{event, payload})
	if err != nil {
		return err
	}
	return wsutil.WriteClientText(c.conn, append([]byte("42"), text...))
}

func (c *caller) write(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fail(wsutil.WriteClientText(c.conn, []byte(text)))
}

// read handles packets until the connection ends.
func (c *caller) read(in io.Reader) {
	for {
		packet, err := wsutil.ReadServerText(struct {
			io.Reader
			io.Writer
		}{in, c.conn})
		if err != nil {
			return // the test ends, or says that nothing came
		}
		if err := c.packet(string(packet)); err != nil {
			c.fail(fmt.Errorf("handling %.40s: %w", packet, err))
		}
	}
}

func (c *caller) packet(packet string) error {
	switch {
	case packet == "2": // Engine.IO's ping
		c.write("3")
	case strings.HasPrefix(packet, "40"): // connected
		c.write(`421["join",{"room":"r"}]`)
	case strings.HasPrefix(packet, "431"): // the answer
		var answers []joinAnswer
		if err := json.Unmarshal([]byte(packet[3:]), &answers); err != nil {
			return err
		}
		if len(answers) != 1 || !answers[0].OK {
			return errors.New("not joined: " + strconv.Quote(packet))
		}
		c.joined <- answers[0]
	case strings.HasPrefix(packet, "42"):
		return c.event(packet[2:])
	}
	return nil
}

func (c *caller) event(text string) error {
	var name string
	var payload struct {
		From        string
		Description webrtc.SessionDescription
		Candidate   *webrtc.ICECandidateInit
	}
	if err := json.Unmarshal([]byte(text), &[]any{&name, &payload}); err != nil {
		return err
	}
	switch name {
	case "offer":
		if err := c.pc.SetRemoteDescription(payload.Description); err != nil {
			return err
		}
		return c.describe("answer", payload.From, func() (webrtc.SessionDescription, error) { return c.pc.CreateAnswer(nil) })
	case "answer":
		return c.pc.SetRemoteDescription(payload.Description)
	case "candidate":
		if payload.Candidate != nil {
			return c.pc.AddICECandidate(*payload.Candidate)
		}
	case "exception":
		return errors.New(text)
	}
	return nil
}
