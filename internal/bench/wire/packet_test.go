package wire

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestClassify(t *testing.T) {
	for packet, want := range map[string]Kind{
		"": Other, "9": Other, "4": Other, "3": Other, "6": Other, "45-": Other,
		`0{"sid":"a"}`: Open, "1": Closed, "2": Heartbeat, "40": Connected, "41": Closed,
		`42["x"]`: Event, `4317["x"]`: Ack, `44{"message":"no"}`: Refused,
	} {
		if got := Classify([]byte(packet)); got != want {
			t.Errorf("%q: got %d, want %d", packet, got, want)
		}
	}
}

func TestEventPacketsAndTheirNames(t *testing.T) {
	if got := EventPacket("ping", "", 0); got != `420["ping"]` {
		t.Errorf("got %s", got)
	}
	packet := EventPacket("message", `{"a":1}`, -1)
	if packet != `42["message",{"a":1}]` {
		t.Errorf("got %s", packet)
	}
	if !IsEvent([]byte(packet), "message") {
		t.Error("does not know its own event")
	}
	for _, other := range []string{`42["messages"]`, `42["mess`, `42["message`, `43["message"]`, ""} {
		if IsEvent([]byte(other), "message") {
			t.Errorf("takes %q for the event", other)
		}
	}
}

func TestReadUpgrade(t *testing.T) {
	const answer = "HTTP/1.1 101 Switching Protocols\r\nA: b\r\n\r\n"
	rest, err := ReadUpgrade(strings.NewReader(answer + "\x81\x00"))
	if err != nil || string(rest) != "\x81\x00" {
		t.Fatalf("got %q, %v", rest, err)
	}
	if rest, err = ReadUpgrade(iotest.OneByteReader(strings.NewReader(answer))); err != nil || len(rest) != 0 {
		t.Fatalf("byte by byte: got %q, %v", rest, err)
	}
	if _, err = ReadUpgrade(strings.NewReader("HTTP/1.1 429 Too Many Requests\r\n\r\n")); err == nil || !strings.Contains(err.Error(), "429") {
		t.Fatalf("refused: got %v", err)
	}
	if _, err = ReadUpgrade(strings.NewReader("HTTP/1.1 101 Sw")); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("cut off: got %v", err)
	}
	if _, err = ReadUpgrade(strings.NewReader(strings.Repeat("x", 1<<20))); !errors.Is(err, ErrProtocol) {
		t.Fatalf("endless: got %v", err)
	}
}
