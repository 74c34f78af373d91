package soak

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/load"
	"github.com/caddy-socketio/caddy-socketio/internal/bench/wire"
)

const (
	noop = "6"
	pong = "3"
)

// poller is a link over long polling. Its connections are kept alive and opened
// again when a reload has ended them, as a browser's are.
type poller struct {
	http    *http.Client
	url     string
	sid     string
	retries *atomic.Int64
	ctx     context.Context // of all requests
	end     context.CancelFunc

	posting sync.Mutex // held during a POST: two at once would have no order
	queue   [][]byte   // owned by next
}

// poll opens a session and enters the main namespace.
func poll(ctx context.Context, t load.Target, retries *atomic.Int64) (*poller, error) {
	p := &poller{http: &http.Client{Transport: &http.Transport{}}, retries: retries}
	p.ctx, p.end = context.WithCancel(context.WithoutCancel(ctx))
	p.url = "http://" + t.Addr + "/socket.io/?EIO=4&transport=polling"
	if err := p.enter(); err != nil {
		p.close()
		return nil, fmt.Errorf("connecting by polling: %w", err)
	}
	return p, nil
}

func (p *poller) enter() error {
	body, err := p.request(http.MethodGet, "")
	if err != nil {
		return err
	}
	var open struct {
		SID string `json:"sid"`
	}
	if err := json.Unmarshal(bytes.TrimPrefix(body, []byte("0")), &open); err != nil || open.SID == "" {
		return fmt.Errorf("open packet %.100q: %w", body, err)
	}
	p.sid = open.SID
	p.url += "&sid=" + open.SID
	if err := p.send(wire.Connect); err != nil {
		return err
	}
	_, err = await(p, wire.Connected)
	return err
}

func (p *poller) send(packet string) error {
	p.posting.Lock()
	defer p.posting.Unlock()
	_, err := p.request(http.MethodPost, packet)
	return err
}

func (p *poller) next() ([]byte, wire.Kind, error) {
	for {
		if len(p.queue) == 0 {
			body, err := p.request(http.MethodGet, "")
			if err != nil {
				return nil, 0, err
			}
			p.queue = bytes.Split(body, []byte{wire.Separator})
		}
		packet := p.queue[0]
		p.queue = p.queue[1:]
		switch kind := wire.Classify(packet); {
		case string(packet) == noop:
		case kind == wire.Heartbeat:
			if err := p.send(pong); err != nil {
				return nil, 0, err
			}
		default:
			return packet, kind, nil
		}
	}
}

// request returns the answer's body.
func (p *poller) request(method, body string) ([]byte, error) {
	return again(p.retries, func() (_ []byte, err error) {
		req, err := http.NewRequestWithContext(p.ctx, method, p.url, strings.NewReader(body))
		if err != nil {
			return nil, err
		}
		resp, err := p.http.Do(req)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		answer, err := io.ReadAll(resp.Body)
		if err == nil && resp.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s: %s %.100q", method, resp.Status, answer)
		}
		return answer, err
	})
}

// upgrade takes the session over to a websocket. A poll is under way once the
// websocket has been probed, and its end is awaited, as stock clients do.
func (p *poller) upgrade(ctx context.Context, t load.Target) (*websocket, error) {
	c, err := again(p.retries, func() (*load.Client, error) { return t.Probe(ctx, p.sid) })
	if err != nil {
		return nil, err
	}
	w := &websocket{client: c, early: p.queue}
	body, err := p.request(http.MethodGet, "")
	if err == nil {
		w.early = append(w.early, bytes.Split(body, []byte{wire.Separator})...)
		err = w.send("5")
	}
	if err != nil {
		w.close()
		return nil, err
	}
	p.http.CloseIdleConnections()
	p.end()
	return w, nil
}

func (p *poller) close() {
	p.end()
	p.http.CloseIdleConnections()
}

// await skips packets up to one of the kind.
func await(l link, kind wire.Kind) ([]byte, error) {
	for {
		packet, got, err := l.next()
		if err != nil || got == kind {
			return packet, err
		}
		if got == wire.Refused || got == wire.Closed {
			return nil, fmt.Errorf("the server ended it: %.100q", packet)
		}
	}
}
