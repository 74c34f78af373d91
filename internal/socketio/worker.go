package socketio

import "time"

// workerIdle is how long a worker without work stays.
const workerIdle = 5 * time.Second

// job is what a worker runs.
type job interface{ run() }

// workers run the handlers of sockets. A worker is started when none is idle, so
// that a handler that waits holds up only its own socket; one that is idle has
// its stack grown already. All methods may be called concurrently.
type workers struct {
	jobs chan job
	stop chan struct{}
}

func newWorkers() *workers {
	return &workers{jobs: make(chan job), stop: make(chan struct{})}
}

func (w *workers) run(j job) {
	select {
	case w.jobs <- j:
	default:
		go w.loop(j)
	}
}

func (w *workers) loop(j job) {
	idle := time.NewTimer(workerIdle)
	defer idle.Stop()
	for {
		j.run()
		j = nil // a socket that has gone must not be kept
		idle.Reset(workerIdle)
		select {
		case j = <-w.jobs:
		case <-idle.C:
			return
		case <-w.stop:
			return
		}
	}
}

// close ends the idle workers, and the others after their jobs.
func (w *workers) close() { close(w.stop) }
