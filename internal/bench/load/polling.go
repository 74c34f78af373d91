package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/wire"
)

var errStatus = errors.New("unexpected answer")

// Poller is a client on long polling with two kept-alive connections, as a
// browser has. It belongs to one goroutine.
type Poller struct {
	addr      string
	get, post *half
	sid       string
	poll      []byte // the request
}

// half is one of its connections.
type half struct {
	net.Conn
	answers *wire.ResponseReader
}

// Polling measures the event "ping" with its ack by n clients on long polling.
// An operation is one POST and one GET.
func Polling(ctx context.Context, t Target, m Meter, w Window, n int) (cost Cost, err error) {
	f := NewFleet(t) // without clients; it holds the goroutines and failures
	pollers := make([]*Poller, n)
	defer func() {
		f.closing.Store(true)
		for _, p := range pollers {
			err = errors.Join(err, p.Close())
		}
		err = errors.Join(err, f.Close())
	}()
	for i := range pollers {
		if pollers[i], err = t.DialPolling(ctx); err != nil {
			return Cost{}, err
		}
	}
	var exchanges atomic.Int64
	for _, p := range pollers {
		f.serving.Go(func() {
			ping := p.postRequest(wire.EventPacket("ping", "", 0))
			for !f.closing.Load() {
				if err := p.exchange(ping); err != nil {
					f.fail(err)
					return
				}
				exchanges.Add(1)
			}
		})
	}
	return w.measure(ctx, m, f, &exchanges)
}

// DialPolling opens a session and enters the main namespace.
func (t Target) DialPolling(ctx context.Context) (*Poller, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	p := &Poller{addr: t.Addr}
	err := p.connect(ctx, t)
	if err == nil {
		err = p.enter()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connecting by polling: %w", err), p.Close())
	}
	return p, nil
}

// connect opens one connection for polls and one for posts: on a shared one a
// post would wait behind the poll that its answer is to come through.
func (p *Poller) connect(ctx context.Context, t Target) error {
	for _, h := range []**half{&p.get, &p.post} {
		conn, err := t.Connect(ctx)
		if err != nil {
			return err
		}
		*h = &half{conn, wire.NewResponseReader(conn)}
		deadline := time.Now().Add(2 * time.Minute) // bounds the whole case
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	return nil
}

// enter opens the session and connects to the main namespace.
func (p *Poller) enter() error {
	const path = "/socket.io/?EIO=4&transport=polling"
	p.poll = fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, p.addr)
	body, err := p.get.ask(p.poll)
	if err != nil {
		return err
	}
	var open struct {
		SID string `json:"sid"`
	}
	if err := json.Unmarshal(bytes.TrimPrefix(body, []byte("0")), &open); err != nil || open.SID == "" {
		return fmt.Errorf("%w: open packet %.100q", errStatus, body)
	}
	p.sid = open.SID
	p.poll = fmt.Appendf(nil, "GET %s&sid=%s HTTP/1.1\r\nHost: %s\r\n\r\n", path, open.SID, p.addr)
	if _, err = p.post.ask(p.postRequest(wire.Connect)); err != nil {
		return err
	}
	return p.await(wire.Connected)
}

// postRequest is a whole POST of one packet, ready to be written many times.
func (p *Poller) postRequest(packet string) []byte {
	_, target, _ := bytes.Cut(p.poll, []byte(" "))
	target, _, _ = bytes.Cut(target, []byte(" "))
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: text/plain;charset=UTF-8\r\nContent-Length: %d\r\n\r\n%s",
		target, p.addr, len(packet), packet)
}

// exchange has a poll waiting, posts a packet and reads its ack from the poll.
func (p *Poller) exchange(post []byte) error {
	if _, err := p.get.Write(p.poll); err != nil {
		return err
	}
	// Whether poll or post arrives first is left open, as with a browser.
	if _, err := p.post.ask(post); err != nil {
		return err
	}
	ok, err := p.answered(wire.Ack)
	if err != nil || ok {
		return err
	}
	return p.await(wire.Ack)
}

// await polls until a packet of the kind comes.
func (p *Poller) await(kind wire.Kind) error {
	for {
		if _, err := p.get.Write(p.poll); err != nil {
			return err
		}
		if ok, err := p.answered(kind); err != nil || ok {
			return err
		}
	}
}

// answered reads a poll's answer, and whether a packet of the kind was in it.
func (p *Poller) answered(kind wire.Kind) (found bool, err error) {
	body, err := p.get.answer()
	if err != nil {
		return false, err
	}
	for packet := range bytes.SplitSeq(body, []byte{wire.Separator}) {
		switch wire.Classify(packet) {
		case kind:
			found = true
		case wire.Heartbeat:
			if _, err := p.post.ask(p.postRequest("3")); err != nil {
				return false, err
			}
		case wire.Closed, wire.Refused:
			return false, fmt.Errorf("%w: %.100q", errRefused, packet)
		}
	}
	return found, nil
}

// ask sends a request and reads its answer.
func (h *half) ask(request []byte) ([]byte, error) {
	if _, err := h.Write(request); err != nil {
		return nil, err
	}
	return h.answer()
}

// answer reads the answer to a request that was sent before. Its body is valid
// until the next one.
func (h *half) answer() ([]byte, error) {
	status, body, err := h.answers.Next()
	if err == nil && status != 200 {
		err = fmt.Errorf("%w: status %d, %.100q", errStatus, status, body)
	}
	return body, err
}

// Close ends both connections without a goodbye.
func (p *Poller) Close() error {
	var errs []error
	if p != nil {
		for _, h := range []*half{p.get, p.post} {
			if h != nil {
				errs = append(errs, h.Close())
			}
		}
	}
	return errors.Join(errs...)
}

// Stall begins a POST of size bytes and sends only some of them.
func (p *Poller) Stall(sent, size int) error {
	request := p.postRequest("4" + strings.Repeat("x", size-1))
	_, err := p.post.Write(request[:len(request)-size+sent])
	return err
}
