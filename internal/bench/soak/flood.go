package soak

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/wire"
)

// pour sends a packet after another, each as packet makes it, until the server has
// had enough. Its answers are read and dropped.
func (a *attacker) pour(ctx context.Context, every time.Duration, packet func(i int) string) error {
	if err := a.enter(ctx); err != nil {
		return err
	}
	drained := make(chan error, 1)
	conn := a.conn
	go func() { drained <- a.drain(ctx) }()
	for i := 0; pause(ctx, every); i++ {
		if _, err := conn.Write(wire.TextFrame(packet(i))); err != nil {
			break
		}
	}
	_ = conn.SetDeadline(time.Now()) // lets go of the reader
	return <-drained
}

// floodEvents sends five times as many events as are allowed.
func floodEvents(ctx context.Context, a *attacker) error {
	ping := wire.EventPacket("ping", "", 0)
	return a.pour(ctx, 2*time.Millisecond, func(int) string { return ping })
}

// storm asks for namespaces.
func storm(ctx context.Context, a *attacker) error {
	return a.pour(ctx, 5*time.Millisecond, func(i int) string { return fmt.Sprintf("40/storm-%d,", i) })
}

// joinAndLeave makes rooms and leaves them.
func joinAndLeave(ctx context.Context, a *attacker) error {
	return a.pour(ctx, 5*time.Millisecond, func(i int) string {
		return wire.EventPacket([]string{"join", "leave"}[i%2], fmt.Sprintf(`{"room":"storm-%d-%d"}`, a.n, i/2), i)
	})
}

// floodAcks answers what nobody has asked.
func floodAcks(ctx context.Context, a *attacker) error {
	return a.pour(ctx, 2*time.Millisecond, func(i int) string { return fmt.Sprintf("43%d[1]", i) })
}

// beginning is that of a frame over the limit.
var beginning = sync.OnceValue(func() string {
	return string(wire.TextFrame(strings.Repeat("x", 1_100_000))[:1000])
})

// oversized announces more than the limit.
func oversized(ctx context.Context, a *attacker) error {
	if err := a.enter(ctx); err != nil {
		return err
	}
	if err := a.write(beginning()); err != nil {
		return err
	}
	return a.drain(ctx)
}

// bomb posts what would be ten megabytes if the server unpacked it.
func bomb(ctx context.Context, a *attacker) error {
	sid, err := a.poll(ctx)
	if err != nil {
		return err
	}
	_, err = a.request(ctx, http.MethodPost, "transport=polling&sid="+sid, "Content-Encoding: gzip\r\n", compressed())
	return err
}

// compressed is ten megabytes of zeros, a thousandth of that on the wire.
var compressed = sync.OnceValue(func() []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(make([]byte, 10<<20)) // a buffer takes everything
	_ = w.Close()
	return out.Bytes()
})

// malformedPackets are breaches of either protocol.
var malformedPackets = []string{
	"abc", "7", "2", "49", "42{}", "42[]", `42["x",`, `42[{"toString":"x"}]`, `42["connect"]`, "431{}", "41{}", `44{"message":"x"}`,
	`4511-["x"]`, `45-1-["x"]`, `451-["x",{"_placeholder":true,"num":9}]`, `42/none,["x"]`, `42["x",` + strings.Repeat("[", 200),
	`42["` + "\xff" + `"]`,
	`42["ping",1e999999]`, "4299999999999999999999[\"ping\"]", `42["__proto__",{"__proto__":{"x":1}}]`,
}

// malformed sends one after the other.
func malformed(ctx context.Context, a *attacker) error {
	if err := a.enter(ctx); err != nil {
		return err
	}
	if err := a.write(string(wire.TextFrame(malformedPackets[a.n%len(malformedPackets)]))); err != nil {
		return err
	}
	if err := a.conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	return a.drain(ctx)
}
