package engineio

import (
	"runtime"
	"sync"
)

// flushBatch is how many connections a flush takes at a time. With more than
// that waiting for each of those under way, a further one is started.
const flushBatch = 64

// flusher writes to connections that have something to write. Senders leave that
// to it, so that what several of them have for one client goes out in one write:
// a system call for each message is what a server under load spends most of its
// time in. With nothing else to do on the processor the write follows at once.
// All methods may be called concurrently. It owns its goroutines, which end when
// there is nothing to write.
type flusher struct {
	// mu guards the following fields.
	mu      sync.Mutex
	waiting []*conn           // each once
	first   [flushBatch]*conn // the usual case's array
	running int
}

// add has the queue of a connection written soon. The connection must not be in
// the list. It never blocks.
func (f *flusher) add(c *conn) {
	f.mu.Lock()
	f.waiting = append(f.waiting, c)
	start := len(f.waiting) > flushBatch*f.running && f.running < runtime.GOMAXPROCS(0)
	if start {
		f.running++
	}
	f.mu.Unlock()
	if start {
		go f.run()
	}
}

func (f *flusher) run() {
	var batch [flushBatch]*conn
	for {
		// Those that are about to run may have more for the same clients.
		runtime.Gosched()
		n := f.take(batch[:])
		if n == 0 {
			return
		}
		for _, c := range batch[:n] {
			c.flush()
		}
		clear(batch[:n])
	}
}

// take moves the connections that wait longest to batch. Without one the caller
// is no longer running.
func (f *flusher) take(batch []*conn) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := copy(batch, f.waiting)
	clear(f.waiting[:n])
	f.waiting = f.waiting[n:]
	if len(f.waiting) == 0 {
		f.waiting = f.first[:0] // a burst must not stay in memory
	}
	if n == 0 {
		f.running--
	}
	return n
}
