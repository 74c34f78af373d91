package socketio

import (
	"sync"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// line keeps in order what this node sends in a namespace whose messages get
// their place from the cluster: such a message waits for its return from there,
// and what is sent after it, acks and disconnects among it, waits behind it. All
// methods may be called concurrently.
type line struct {
	// running is held while steps run, whose order it keeps. It is taken before
	// any other lock.
	running sync.Mutex

	mu    sync.Mutex // guards the following fields
	steps []step
	first uint64 // the number of steps[0], which begin at 1
}

// step is what waits in a line. f gets the message as it has come back, or nil
// if it never will.
type step struct {
	f    func(m *gateway.Message)
	echo bool
}

// then runs f after what waits, or reports false if nothing does: the caller may
// go on at once then.
func (l *line) then(f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.steps) == 0 {
		return false
	}
	l.steps = append(l.steps, step{f: func(*gateway.Message) { f() }})
	return true
}

// echo lets send publish a message by the number that it has in the line, and
// runs f when the message has come back. send is called in the order of numbers,
// and must not block.
func (l *line) echo(send func(number uint64), f func(m *gateway.Message)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.steps = append(l.steps, step{f: f, echo: true})
	send(l.first + uint64(len(l.steps)))
}

// back takes a message that has come back, and runs its step and what waited
// behind it. Messages come back in their order.
func (l *line) back(m *gateway.Message) {
	l.running.Lock()
	defer l.running.Unlock()
	for {
		f, number, ok := l.head(m.Own)
		switch {
		case !ok:
			return
		case number == m.Own:
			f(m)
		default:
			f(nil)
		}
		l.pop()
	}
}

// head returns the first step, which stays in the line while it runs, if it may
// run now that the message of a number is back.
func (l *line) head(back uint64) (f func(*gateway.Message), number uint64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.steps) == 0 || l.steps[0].echo && l.first+1 > back {
		return nil, 0, false
	}
	return l.steps[0].f, l.first + 1, true
}

func (l *line) pop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.steps[0] = step{}
	if l.steps = l.steps[1:]; len(l.steps) == 0 {
		l.steps = nil
	}
	l.first++
}

// run implements job: it runs what waits without its messages, as the cluster has
// been left.
func (l *line) run() { l.back(&gateway.Message{Own: 1<<64 - 1}) }
