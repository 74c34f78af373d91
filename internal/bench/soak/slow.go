package soak

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/wire"
)

// slowHeader begins a request and never ends it; whoever does so byte by byte
// costs the server no more. Caddy's read_header_timeout is what ends it.
func slowHeader(ctx context.Context, a *attacker) error {
	if err := a.dial(ctx); err != nil {
		return err
	}
	if err := a.write("GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nX-Slow: "); err != nil {
		return err
	}
	return a.drain(ctx)
}

// slowBody announces a thousand bytes and sends ten. The session's heartbeat is
// what ends it.
func slowBody(ctx context.Context, a *attacker) error {
	sid, err := a.poll(ctx)
	if err != nil {
		return err
	}
	if err := a.dial(ctx); err != nil {
		return err
	}
	const head = "POST /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: %s\r\nContent-Length: 1000\r\n\r\n42[\"ping\"]"
	if err := a.write(fmt.Sprintf(head, sid, a.target)); err != nil {
		return err
	}
	return a.drain(ctx)
}

// slowFrame stops in the middle of a frame.
func slowFrame(ctx context.Context, a *attacker) error {
	if err := a.enter(ctx); err != nil {
		return err
	}
	whole := wire.TextFrame(wire.EventPacket("ping", fmt.Sprintf("%01000d", 1), 0))
	if err := a.write(string(whole[:100])); err != nil {
		return err
	}
	return a.drain(ctx)
}

// slowUpgrade probes and never takes over.
func slowUpgrade(ctx context.Context, a *attacker) error {
	sid, err := a.poll(ctx)
	if err != nil {
		return err
	}
	if err := a.upgrade(ctx, sid); err != nil {
		return err
	}
	if err := a.write(string(wire.TextFrame("2probe"))); err != nil {
		return err
	}
	return a.drain(ctx)
}

// neverRead has the server send as much as it likes, and reads none of it.
func neverRead(ctx context.Context, a *attacker) error {
	if err := a.enter(ctx); err != nil {
		return err
	}
	big := string(wire.TextFrame(wire.EventPacket("ping", fmt.Sprintf("%q", fmt.Sprintf("%020000d", 1)), 0)))
	for pause(ctx, 5*time.Millisecond) {
		if err := a.write(big); err != nil {
			return err
		}
	}
	return nil
}

// handshake opens a session and leaves it behind.
func handshake(ctx context.Context, a *attacker) error {
	_, err := a.poll(ctx)
	return err
}

// guess tries ids on both transports.
func guess(ctx context.Context, a *attacker) error {
	sid := fmt.Sprintf("%028d", a.n)
	if a.n%2 == 0 {
		return a.upgrade(ctx, sid)
	}
	_, err := a.request(ctx, http.MethodGet, "transport=polling&sid="+sid, "", nil)
	return err
}

// connectAndGo is gone before the server's answer.
func connectAndGo(ctx context.Context, a *attacker) error { return a.enter(ctx) }
