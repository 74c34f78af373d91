package socketio

import (
	"sync"

	"github.com/zishang520/socket.io/v3/pkg/types"
)

// emitter is the least that the library needs of an event emitter: it sets one
// listener for each of two or three events, so that removing one needs no
// comparison of functions. The library's own costs 430 bytes more for each
// session. All methods may be called concurrently.
type emitter struct {
	mu        sync.Mutex
	listeners []listener
}

type listener struct {
	event types.EventName
	f     types.EventListener
	once  bool
}

var _ types.EventEmitter = (*emitter)(nil)

func (e *emitter) AddListener(event types.EventName, fs ...types.EventListener) error {
	return e.add(event, fs, false)
}

func (e *emitter) On(event types.EventName, fs ...types.EventListener) error {
	return e.add(event, fs, false)
}

func (e *emitter) Once(event types.EventName, fs ...types.EventListener) error {
	return e.add(event, fs, true)
}

func (e *emitter) add(event types.EventName, fs []types.EventListener, once bool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, f := range fs {
		e.listeners = append(e.listeners, listener{event, f, once})
	}
	return nil
}

func (e *emitter) Emit(event types.EventName, args ...any) {
	for _, f := range e.take(event) {
		f(args...)
	}
}

// take returns the listeners of an event, and drops those that are called once.
func (e *emitter) take(event types.EventName) (fs []types.EventListener) {
	e.mu.Lock()
	defer e.mu.Unlock()
	kept := e.listeners[:0]
	for _, l := range e.listeners {
		if l.event == event {
			fs = append(fs, l.f)
		}
		if l.event != event || !l.once {
			kept = append(kept, l)
		}
	}
	clear(e.listeners[len(kept):])
	e.listeners = kept
	return fs
}

// RemoveListener removes all listeners of the event: there is one.
func (e *emitter) RemoveListener(event types.EventName, _ types.EventListener) bool {
	return e.RemoveAllListeners(event)
}

func (e *emitter) RemoveAllListeners(event types.EventName) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := len(e.listeners)
	var kept []listener // a new one: a closed session keeps no listener alive
	for _, l := range e.listeners {
		if l.event != event {
			kept = append(kept, l)
		}
	}
	e.listeners = kept
	return len(kept) < n
}

func (e *emitter) Clear() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.listeners = nil
}

func (e *emitter) Listeners(event types.EventName) (fs []types.EventListener) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, l := range e.listeners {
		if l.event == event {
			fs = append(fs, l.f)
		}
	}
	return fs
}

func (e *emitter) ListenerCount(event types.EventName) int { return len(e.Listeners(event)) }

func (e *emitter) EventNames() (names []types.EventName) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, l := range e.listeners {
		names = append(names, l.event)
	}
	return names
}

func (e *emitter) Len() int { return len(e.EventNames()) }
