package socketio

import "sync"

// maxQueued bounds the events that wait for one socket's handlers.
const maxQueued = 64

// queue holds what a socket's handlers have still to do. All methods may be
// called concurrently.
type queue struct {
	mu         sync.Mutex
	head, tail *inbound
	length     int
	bytes      int
	// busy tells that a worker has the queue, or that holds keep all from it.
	busy  bool
	holds int8
	woken bool // there is something to do besides events
	// ending tells that the socket has gone, ended that nothing is left to do.
	ending, ended bool
	// space is closed when an event has been taken; made when needed.
	space chan struct{}
}

// init holds the queue until both the socket's Connect has returned and the
// client has been told that it is connected, or has gone.
func (q *queue) init() { q.busy, q.holds = true, 2 }

// release takes one of the two holds back. Up to the last a stop waits for the
// socket, which may be in the library's hands then, and in no worker's.
func (s *Socket) release() {
	q := &s.queue
	q.mu.Lock()
	q.holds--
	if q.holds > 0 {
		q.mu.Unlock()
		return
	}
	q.busy = false
	q.start(s)
	s.ns.server.busy.add(-1)
}

// start gets a worker if there is work and none has it. It must be called with mu
// held, and unlocks it.
func (q *queue) start(s *Socket) {
	work := q.head != nil || q.woken || q.ending
	if q.busy || q.ended || !work {
		q.mu.Unlock()
		return
	}
	q.busy = true
	q.mu.Unlock()
	s.ns.server.busy.add(1)
	s.ns.server.workers.run(s)
}

// push adds an event. While the queue is full it blocks, and with it the reading
// of the whole session. It reports false when the socket has gone.
func (q *queue) push(in *inbound, limit int) bool {
	q.mu.Lock()
	for q.length >= maxQueued || q.length > 0 && q.bytes+in.size > limit {
		if q.ending {
			break
		}
		if q.space == nil {
			q.space = make(chan struct{})
		}
		space := q.space
		q.mu.Unlock()
		<-space
		q.mu.Lock()
	}
	if q.ending {
		q.mu.Unlock()
		return false
	}
	if q.tail == nil {
		q.head = in
	} else {
		q.tail.next = in
	}
	q.tail = in
	q.length++
	q.bytes += in.size
	q.start(in.socket)
	return true
}

// wake has a worker look after the socket, for its new binding.
func (q *queue) wake(s *Socket) {
	q.mu.Lock()
	q.woken = true
	q.start(s)
}

// end lets what is queued be handled, then ends the socket. What a client sent
// before it left counts; what it sent to be thrown out does not: then drop.
func (q *queue) end(s *Socket, drop bool) {
	q.mu.Lock()
	q.ending = true
	if drop {
		q.head, q.tail, q.length, q.bytes = nil, nil, 0, 0
	}
	q.room()
	q.start(s)
}

// room wakes a blocked push. It must be called with mu held.
func (q *queue) room() {
	if q.space != nil {
		close(q.space)
		q.space = nil
	}
}

// take returns the next event. Without one it reports whether the worker is to
// look after the socket again, or whether the socket is to be ended, and then
// gives up the queue.
func (q *queue) take() (in *inbound, again, end bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.woken { // maybe since the worker has looked
		q.woken = false
		return nil, true, false
	}
	if in = q.head; in != nil {
		if q.head = in.next; q.head == nil {
			q.tail = nil
		}
		in.next = nil
		q.length--
		q.bytes -= in.size
		q.room()
		return in, false, false
	}
	q.busy = false
	if q.ending && !q.ended {
		q.ended = true
		return nil, false, true
	}
	return nil, false, false
}

// run implements job: the socket's turn on a worker.
func (s *Socket) run() {
	defer s.ns.server.busy.add(-1)
	for {
		s.rebind()
		in, again, end := s.queue.take()
		switch {
		case in != nil:
			s.handle(in)
		case end:
			s.end()
			return
		case !again:
			return
		}
	}
}
