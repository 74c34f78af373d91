// Package hub is the live server of one named directive. It outlives the configs
// that describe it, each of which is a [Generation]. It knows nothing of Caddy.
package hub

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-socketio/caddy-socketio/internal/engineio"
	"github.com/caddy-socketio/caddy-socketio/internal/incidents"
	"github.com/caddy-socketio/caddy-socketio/internal/socketio"
)

// Generation is what one config says about a server: its settings, its gateways
// and its logger. The hub keeps no other reference to anything of a config, so
// that a config can be collected once its generation has been dropped. It must
// not be changed once it was given to a hub.
type Generation struct {
	Engine  engineio.Settings
	Sockets socketio.Settings
	// Drain is the window over which closes are spread on a stop.
	Drain  time.Duration
	Logger *zap.Logger
	// Notify tells the front's event system what has happened. It may block;
	// it is called by one goroutine. Nil: nobody is told.
	Notify func(event string, data map[string]any)
}

// Hub is a live server. All methods may be called concurrently.
type Hub struct {
	engine  *engineio.Server
	sockets *socketio.Server
	opened  time.Time
	metrics *metrics
	notices *notices
	// incidents are counted and logged here for all generations.
	incidents *incidents.Book

	// changing orders changes of generation. It is held while gateways initialize
	// themselves, which may take them long, and taken before mu.
	changing sync.Mutex

	mu sync.Mutex // guards the following fields; nobody is called with it held
	// generations holds those pushed and not dropped; the last one counts. Only
	// who holds changing changes it.
	generations []*Generation
	reloads     int
	drained     chan struct{} // closed when a drain has ended; nil before one begins
	deadline    time.Time     // by which a drain and what follows it are over
}

// New makes a hub of its first generation.
func New(g *Generation) (*Hub, error) {
	h := &Hub{
		opened: time.Now(), generations: []*Generation{g}, metrics: newMetrics(g.Sockets.Name), notices: newNotices(g),
	}
	h.incidents = incidents.New(func() *zap.Logger { return h.notices.current.Load().Logger })
	var err error
	if h.sockets, err = socketio.NewServer(h.observed(g)); err != nil {
		return nil, err
	}
	h.engine = engineio.NewServer(h.engineSettings(g), h.sockets.Accept)
	go h.notices.run()
	return h, nil
}

// Push makes a generation the current one, once the whole config that it belongs
// to is live. Pushing it again changes nothing. On an error the earlier one stays.
func (h *Hub) Push(g *Generation) error {
	h.changing.Lock()
	defer h.changing.Unlock()
	if slices.Contains(h.generations, g) {
		return nil
	}
	if err := h.apply(g); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.generations = append(h.generations, g)
	return nil
}

// Drop forgets a generation whose config ends, pushed or not. When the current
// one goes, the hub falls back to the latest of the others.
func (h *Hub) Drop(g *Generation) error {
	h.changing.Lock()
	defer h.changing.Unlock()
	i := slices.Index(h.generations, g)
	if i < 0 {
		return nil
	}
	last := i == len(h.generations)-1
	h.mu.Lock()
	h.generations = slices.Delete(h.generations, i, i+1)
	h.mu.Unlock()
	if n := len(h.generations); last && n > 0 {
		return h.apply(h.generations[n-1])
	}
	return nil
}

// apply must be called with changing held.
func (h *Hub) apply(g *Generation) error {
	if err := h.sockets.Configure(h.observed(g)); err != nil {
		return err
	}
	h.engine.Configure(h.engineSettings(g))
	h.notices.current.Store(g)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reloads++
	return nil
}

// observed are the generation's settings, with the hub as observer.
func (h *Hub) observed(g *Generation) *socketio.Settings {
	s := g.Sockets
	s.Observer, s.Incidents = observer{h}, h.incidents
	return &s
}

func (h *Hub) engineSettings(g *Generation) *engineio.Settings {
	s := g.Engine
	s.Incidents = h.incidents
	return &s
}

// ServeHTTP answers an Engine.IO request.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request, c engineio.Client) {
	h.engine.ServeHTTP(w, r, c)
}

// The parts of a drain's window, in twelfths from its beginning.
const (
	window = 12
	settle = 4  // until then running handlers and acks are waited for
	spread = 9  // until then closes are spread
	cut    = 11 // then the connections are cut that have not closed
)

// Drain says goodbye: new sessions are refused, running handlers and acks may
// finish, and the sessions' closes are spread over what is left of the window.
// Clients are told nothing that would keep them from coming back. A second call
// waits for the first.
func (h *Hub) Drain() {
	h.mu.Lock()
	if done := h.drained; done != nil {
		h.mu.Unlock()
		<-done
		return
	}
	done := make(chan struct{})
	h.drained = done
	total := h.notices.current.Load().Drain
	began := time.Now()
	h.deadline = began.Add(total)
	h.mu.Unlock()
	defer close(done)

	part := func(n int64) time.Time { return began.Add(time.Duration(int64(total) / window * n)) }
	h.engine.Refuse()
	h.notices.post("socketio.drain", map[string]any{"sessions": h.engine.Len()})
	wait, stop := context.WithDeadline(context.Background(), part(settle))
	_ = h.sockets.Settle(wait) // what still runs by then is cut by the closes
	stop()
	ctx, cancel := context.WithDeadline(context.Background(), part(cut))
	defer cancel()
	h.engine.Drain(ctx, time.Until(part(spread)))
}

// Stop ends the server together with the process: it drains, and waits in what is
// left of the window for handlers, disconnect hooks and notices that still run. A
// second call waits for the first.
func (h *Hub) Stop() error {
	h.Drain()
	h.mu.Lock()
	deadline := h.deadline
	h.mu.Unlock()
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	return h.Close(ctx, false)
}

// Close ends the server for good. goodbye tells every socket that it is
// disconnected, which is right when the server has been removed: a stock client
// does not come back then. What still runs when ctx ends is left behind.
func (h *Hub) Close(ctx context.Context, goodbye bool) error {
	var err error
	if goodbye {
		without := h.observed(h.notices.current.Load())
		without.Namespaces = nil // whose sockets are told, and logged
		err = h.sockets.Configure(without)
	}
	h.engine.Drain(ctx, 0)
	err = errors.Join(err, h.sockets.Close(ctx))
	h.incidents.Close()
	h.notices.stop(ctx)
	return err
}
