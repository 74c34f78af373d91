package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/wire"
)

// roomName is the same on all servers, so that payloads are equally long.
func roomName(n int) string { return fmt.Sprint("room-", n) }

// candidate is the payload of a relay: an ICE candidate of 1,000 bytes, which
// is what a description with few media lines has, too.
func candidate(room, to string) string {
	const line = "candidate:842163049 1 udp 1677729535 203.0.113.7 54321 typ srflx raddr 10.0.0.1 rport 54321 generation 0 "
	text := strings.Repeat(line, 10)[:930]
	return fmt.Sprintf(`{"room":%q,"to":%q,"candidate":{"candidate":%q,"sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"abcd"}}`,
		room, to, text)
}

// joinAnswer is what the generator needs of the ack of "join".
type joinAnswer struct {
	OK   bool `json:"ok"`
	Self struct {
		ID string `json:"id"`
	} `json:"self"`
}

// Join enters a room and returns the own peer's id.
func (c *Client) Join(room string) (string, error) {
	if err := c.Send(wire.TextFrame(JoinPacket(room))); err != nil {
		return "", err
	}
	if err := c.conn.SetReadDeadline(time.Now().Add(dialTimeout)); err != nil {
		return "", err
	}
	packet, err := c.Await(wire.Ack)
	if err != nil {
		return "", err
	}
	id, err := ParseJoin(packet)
	return id, errors.Join(err, c.conn.SetReadDeadline(time.Time{}))
}

// JoinPacket is the event with which a client enters a room.
func JoinPacket(room string) string {
	return wire.EventPacket("join", fmt.Sprintf(`{"room":%q}`, room), 0)
}

// ParseJoin reads the own id from the answer to join. It is the only answer that
// the generator reads as JSON, and never while something is measured.
func ParseJoin(packet []byte) (string, error) {
	var answer []joinAnswer
	body := packet[min(len(packet), len("430")):]
	if err := json.Unmarshal(body, &answer); err != nil {
		return "", fmt.Errorf("reading the answer to join: %w", err)
	}
	if len(answer) != 1 || !answer[0].OK || answer[0].Self.ID == "" {
		return "", fmt.Errorf("%w: %.200s", errBadAnswer, packet)
	}
	return answer[0].Self.ID, nil
}
