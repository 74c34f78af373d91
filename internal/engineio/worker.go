package engineio

import "time"

// workerIdle is how long a worker without work stays.
const workerIdle = 5 * time.Second

// workers write to connections that would block. A worker is started when none
// is idle, so that a stalled client holds up only its own. All methods may be
// called concurrently.
type workers struct {
	work chan *conn
	stop chan struct{}
}

func newWorkers() *workers {
	return &workers{work: make(chan *conn), stop: make(chan struct{})}
}

// run writes what the connection has, which the caller has the right to write.
func (w *workers) run(c *conn) {
	// An idle worker has a grown stack and a warm cache; a new one has neither.
	select {
	case w.work <- c:
	default:
		go w.loop(c)
	}
}

func (w *workers) loop(c *conn) {
	idle := time.NewTimer(workerIdle)
	defer idle.Stop()
	c.writeBlocking()
	for {
		idle.Reset(workerIdle)
		select {
		case next := <-w.work:
			next.writeBlocking()
		case <-idle.C:
			return
		case <-w.stop:
			return
		}
	}
}
