package redis

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

var (
	errEvent = errors.New("it is no event")
	errDeaf  = errors.New("redis has not confirmed the subscriptions in time")
)

// format is how an adapter writes messages and reads what comes by pub/sub. Its
// methods may be called concurrently.
type format interface {
	broadcast(m *gateway.Message, serial uint64) (command, error)
	change(kind change, set gateway.Set, rooms []string, closeConnection bool) command
	ask(id string, m *gateway.Message, timeout time.Duration) (command, error)
	fetch(id string, set gateway.Set) command
	// serverSide asks for answers if id is not empty.
	serverSide(id string, m *gateway.Message) (command, error)
	// topics are the channels and patterns to subscribe to; the first is that
	// by whose subscribers nodes are counted.
	topics() (channels, patterns []string)
	// receive takes what comes by a channel. The payload is valid until it returns.
	receive(channel string, payload []byte) error
	// emission and note publish for the state.
	emission(m *gateway.Message) ([]any, error)
	note(text []byte) []any
}

type change int

const (
	changeJoin change = iota
	changeLeave
	changeDisconnect
)

// link is a namespace's membership. It implements [gateway.Link].
type link struct {
	c      *connection
	ns     string
	local  gateway.Local
	uid    string
	format format

	requests requests
	sessions *sessions // nil with pub/sub
	self     *self
	state    *state

	ctx    context.Context // ends with the link
	cancel context.CancelFunc
	ended  chan struct{}

	// delivering is held while local gets messages, so that calls follow one
	// another.
	delivering sync.Mutex

	// flushing is held while what is ready is delivered. It is taken before any
	// other lock.
	flushing sync.Mutex

	mu      sync.Mutex // guards the following fields
	serial  uint64     // of the last message
	echoes  []echo     // that have not come back, in their order
	waiting int        // the size of echoes
	ready   []echo     // that are delivered without having come back
	// released is the serial of the last one that was delivered so.
	released uint64
	wake     chan struct{}
	closing  sync.Once

	lost atomic.Bool // some of echoes will never come back
}

// echo is a message that is to come back.
type echo struct {
	serial, own uint64
	m           *gateway.Message
}

// size is what an echo takes, about.
func (e *echo) size() int {
	n := 64 + len(e.m.Data)
	for _, one := range e.m.Attachments {
		n += len(one)
	}
	return n
}

func newLink(c *connection, ns string, local gateway.Local) *link {
	l := &link{c: c, ns: ns, local: local, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	if c.stream != nil {
		l.uid = randomID(8)
		l.format = newStreamsFormat(l)
		l.sessions = &sessions{l}
	} else {
		l.uid = randomID(3)
		l.format = newClassicFormat(l)
	}
	l.join()
	c.topics.change()
	go l.run()
	return l
}

func randomID(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// run delivers what need not come back.
func (l *link) run() {
	defer close(l.ended)
	for {
		select {
		case <-l.wake:
		case <-l.ctx.Done():
			return
		}
		if l.lost.Swap(false) {
			l.release()
		}
		l.flush()
	}
}

// flush delivers what is ready. When it returns, all that was is delivered.
func (l *link) flush() {
	l.flushing.Lock()
	defer l.flushing.Unlock()
	l.mu.Lock()
	ready := l.ready
	l.ready = nil
	l.mu.Unlock()
	for _, e := range ready {
		l.deliver(e.m, "", e.own)
	}
}

func (l *link) deliver(m *gateway.Message, offset string, own uint64) {
	c := *m
	c.Offset, c.Own = offset, own
	l.delivering.Lock()
	defer l.delivering.Unlock()
	l.local.Deliver(&c)
}

// Publish implements [gateway.Link].
func (l *link) Publish(m *gateway.Message) { l.publish(m, 0, false) }

// Echo implements [gateway.Link].
func (l *link) Echo(m *gateway.Message, own uint64) { l.publish(m, own, true) }

func (l *link) publish(m *gateway.Message, own uint64, comesBack bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.serial++
	serial := l.serial
	cmd, err := l.format.broadcast(m, serial)
	if err != nil {
		l.c.malformed("a message of this node", err)
	}
	if comesBack {
		e := echo{serial, own, m}
		l.echoes = append(l.echoes, e)
		l.waiting += e.size()
		if err != nil || l.c.away() || l.waiting > l.c.options.maxQueue() {
			l.releaseNow()
		} else {
			cmd.done = func(_ any, err error) {
				if err != nil { // the caller may hold mu
					l.lost.Store(true)
					l.awake()
				}
			}
		}
	}
	if err == nil {
		l.c.sender.send(cmd)
	}
}

// release delivers what has not come back.
func (l *link) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.releaseNow()
}

// releaseNow must be called with mu held.
func (l *link) releaseNow() {
	if len(l.echoes) == 0 {
		return
	}
	l.ready, l.released = append(l.ready, l.echoes...), l.echoes[len(l.echoes)-1].serial
	l.echoes, l.waiting = nil, 0
	l.awake()
}

func (l *link) awake() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// back is called when a message of this link comes back. Those before it that have
// not come back go first, without a place: if they come yet, they are late.
func (l *link) back(serial uint64, offset string) {
	l.mu.Lock()
	var e echo
	for len(l.echoes) > 0 && l.echoes[0].serial <= serial {
		e, l.echoes[0] = l.echoes[0], echo{}
		l.echoes = l.echoes[1:]
		l.waiting -= e.size()
		if e.serial < serial {
			l.ready, l.released = append(l.ready, e), e.serial
		}
	}
	if len(l.echoes) == 0 {
		l.echoes = nil
	}
	late := serial <= l.released
	l.mu.Unlock()
	l.flush()
	switch {
	case e.serial == serial:
		l.deliver(e.m, offset, e.own)
	case late:
		l.delivering.Lock()
		defer l.delivering.Unlock()
		l.local.Gap()
	}
}

// Join implements [gateway.Link].
func (l *link) Join(set gateway.Set, rooms []string) {
	l.c.sender.send(l.format.change(changeJoin, set, rooms, false))
}

// Leave implements [gateway.Link].
func (l *link) Leave(set gateway.Set, rooms []string) {
	l.c.sender.send(l.format.change(changeLeave, set, rooms, false))
}

// Disconnect implements [gateway.Link].
func (l *link) Disconnect(set gateway.Set, closeConnection bool) {
	l.c.sender.send(l.format.change(changeDisconnect, set, nil, closeConnection))
}

// changed makes a change that another node asks for.
func (l *link) changed(kind change, set gateway.Set, rooms []string, closeConnection bool) {
	switch kind {
	case changeJoin:
		l.local.Join(set, rooms)
	case changeLeave:
		l.local.Leave(set, rooms)
	case changeDisconnect:
		l.local.Disconnect(set, closeConnection)
	}
}

// Ask implements [gateway.Link].
func (l *link) Ask(ctx context.Context, m *gateway.Message, ack func(gateway.Args)) error {
	return l.perform(ctx, &request{ack: ack}, func(id string, timeout time.Duration) (command, error) {
		return l.format.ask(id, m, timeout)
	})
}

// Sockets implements [gateway.Link].
func (l *link) Sockets(ctx context.Context, set gateway.Set) ([]gateway.SocketInfo, error) {
	r := &request{perNode: true}
	err := l.perform(ctx, r, func(id string, _ time.Duration) (command, error) {
		return l.format.fetch(id, set), nil
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sockets, err
}

// ServerSide implements [gateway.Link].
func (l *link) ServerSide(ctx context.Context, m *gateway.Message, ack func(gateway.Args)) error {
	if ack == nil {
		cmd, err := l.format.serverSide("", m)
		if err == nil {
			l.c.sender.send(cmd)
		}
		return err
	}
	return l.perform(ctx, &request{perNode: true, ack: ack}, func(id string, _ time.Duration) (command, error) {
		return l.format.serverSide(id, m)
	})
}

// Nodes implements [gateway.Link]. It counts who has subscribed, once this node has:
// before, it would get no answers.
func (l *link) Nodes(ctx context.Context) (int, error) {
	if l.c.away() {
		return 0, errAway
	}
	wait, cancel := context.WithTimeoutCause(ctx, l.c.options.Request, errDeaf)
	defer cancel()
	channels, patterns := l.format.topics()
	for _, topic := range slices.Concat(channels, patterns) {
		if err := l.c.topics.await(wait, topic); err != nil {
			return 0, err
		}
	}
	total, err := l.c.servers.subscribers(ctx, l.c.client, channels[0])
	if err != nil {
		return 0, fmt.Errorf("counting subscribers: %w", err)
	}
	return total, nil
}

// State implements [gateway.Link].
func (l *link) State() gateway.State { return l.state }

// emission implements outlet.
func (l *link) emission(e *gateway.Emission) ([]any, error) {
	m, err := l.local.Encode(gateway.Set{Rooms: e.Rooms, Except: e.Except}, e.Event, e.Args...)
	if err != nil {
		return nil, err
	}
	return l.format.emission(m)
}

// note implements outlet.
func (l *link) note(text []byte) []any { return l.format.note(text) }

// noted takes a note of the state.
func (l *link) noted(text []byte) error { return l.state.noted(text) }

// Sessions implements [gateway.Link].
func (l *link) Sessions() gateway.Sessions {
	if l.sessions == nil {
		return nil
	}
	return l.sessions
}

// Close implements [gateway.Link].
func (l *link) Close() (err error) {
	l.closing.Do(func() {
		l.leave()
		l.c.topics.change()
		l.cancel()
		<-l.ended
		err = release(l.c.options)
	})
	return err
}

// ask asks the sockets of this node for another one.
func (l *link) ask(m *gateway.Message, opts *wireSet, asked func(n int), ack func(gateway.Args)) {
	timeout := l.c.options.Request
	if opts != nil && opts.Flags.Timeout > 0 {
		timeout = min(time.Duration(opts.Flags.Timeout)*time.Millisecond, maxAsk)
	}
	ctx, cancel := context.WithTimeout(l.ctx, timeout)
	context.AfterFunc(ctx, cancel)
	l.local.Ask(ctx, m, asked, ack)
}

// maxAsk bounds how long another node may have us wait for acks.
const maxAsk = 10 * time.Minute

// list describes the sockets of this node for another one.
func (l *link) list(set gateway.Set) []wireSocket {
	all := []wireSocket{}
	for _, s := range l.local.Sockets(set) {
		all = append(all, listed(&s))
	}
	return all
}
