package redis

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"
)

// command is a Redis command on its way.
type command struct {
	args []any
	size int
	// once keeps it from being sent again when it may have been executed.
	once bool
	// now keeps it from waiting until Redis can be reached: somebody waits for it.
	now bool
	// waiter is closed when nobody waits for it any more: then it is not sent. It
	// may be nil.
	waiter <-chan struct{}
	// done gets the answer, if it is set; its error is errDropped for a command
	// that was never sent. It must not block.
	done func(reply any, err error)
}

var (
	errDropped = errors.New("too much waits for redis")
	errEnded   = errors.New("the cluster has been left")
	errAway    = errors.New("redis cannot be reached")
)

const (
	// A batch must get through within the timeout, and into a Redis that is nearly
	// full: after each that did not, the next is half as large, down to
	// minBatchBytes. A command may be larger alone.
	maxBatch      = 256
	maxBatchBytes = 1 << 20
	minBatchBytes = 1 << 14
	// commandBytes and argBytes are what a command takes besides its texts.
	commandBytes = 128
	argBytes     = 32

	retryWait = 100 * time.Millisecond
	retryMost = 2 * time.Second
)

// sender executes commands in the order in which they were given, many at once in
// a pipeline. While Redis is away they wait, up to a bound; beyond it the oldest
// are dropped, with a metric and a log line. All methods may be called
// concurrently.
type sender struct {
	c *connection

	mu       sync.Mutex // guards the following fields
	queue    []command
	bytes    int // of queue, and of what is being executed ahead of it
	inFlight int // the latter
	limit    int // of the next batch, in bytes
	wake     chan struct{}
	closed   bool
	idle     chan struct{} // closed once there is nothing to do; nil if nobody waits
	logs     limiter
}

// ping is a command that finds out whether Redis is there.
func ping() command { return command{args: []any{"PING"}, once: true, now: true} }

func newSender(c *connection) *sender {
	return &sender{c: c, wake: make(chan struct{}, 1), limit: maxBatchBytes}
}

// send queues a command.
func (s *sender) send(cmd command) {
	for _, arg := range cmd.args {
		switch arg := arg.(type) {
		case string:
			cmd.size += len(arg)
		case []byte:
			cmd.size += len(arg)
		}
	}
	cmd.size += commandBytes + argBytes*len(cmd.args)
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		cmd.finish(nil, errEnded)
		return
	}
	s.queue = append(s.queue, cmd)
	s.bytes += cmd.size
	dropped := s.trim()
	s.mu.Unlock()
	for _, one := range dropped {
		one.finish(nil, errDropped)
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// trim drops the oldest commands that are over the bound. It must be called with
// mu held.
func (s *sender) trim() (dropped []command) {
	for s.bytes > s.c.options.maxQueue() && len(s.queue) > 1 {
		dropped = append(dropped, s.pop())
	}
	if len(dropped) == 0 {
		return nil
	}
	s.c.metrics.dropped.Add(float64(len(dropped)))
	if skipped, ok := s.logs.allow(time.Now()); ok {
		logger().Error("messages to other nodes dropped: redis has been away for too long",
			zap.String("address", s.c.options.display()), zap.Int("dropped", len(dropped)), zap.Int("log_lines_skipped", skipped))
	}
	return dropped
}

// pop takes the first command out of the queue. It must be called with mu held.
func (s *sender) pop() command {
	cmd := s.queue[0]
	s.queue[0] = command{}
	if s.queue = s.queue[1:]; len(s.queue) == 0 {
		s.queue = nil
	}
	s.bytes -= cmd.size
	return cmd
}

func (cmd *command) finish(reply any, err error) {
	if cmd.done != nil {
		cmd.done(reply, err)
	}
}

// do queues a command and waits for its answer. While Redis is away it fails at
// once.
func (s *sender) do(ctx context.Context, args ...any) (any, error) {
	if s.c.down.Load() {
		return nil, errAway
	}
	type answer struct {
		reply any
		err   error
	}
	got := make(chan answer, 1)
	s.send(command{args: args, once: true, now: true, waiter: ctx.Done(), done: func(reply any, err error) { got <- answer{reply, err} }})
	select {
	case a := <-got:
		return a.reply, a.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// finish waits a moment for what is queued, and takes nothing more.
func (s *sender) finish() {
	s.mu.Lock()
	s.closed = true
	var idle chan struct{}
	if s.bytes > 0 && !s.c.down.Load() {
		idle = make(chan struct{})
		s.idle = idle
	}
	s.mu.Unlock()
	if idle == nil {
		return
	}
	timer := time.NewTimer(2 * time.Second)
	defer timer.Stop()
	select {
	case <-idle:
	case <-timer.C:
	}
}

// run executes commands until the connection ends.
func (s *sender) run() {
	wait := retryWait
	for {
		batch := s.take()
		if len(batch) == 0 {
			if !s.c.down.Load() {
				select {
				case <-s.wake:
				case <-s.c.ctx.Done():
					s.abandon()
					return
				}
				continue
			}
			batch = []command{ping()} // is it back?
		}
		again, err := s.execute(batch)
		s.settle(again, err)
		if err == nil {
			wait = retryWait
			s.c.setDown(false, nil)
			continue
		}
		s.c.setDown(true, err)
		s.c.renew()
		timer := time.NewTimer(wait)
		wait = min(2*wait, retryMost)
		select {
		case <-timer.C:
		case <-s.c.ctx.Done():
			timer.Stop()
			s.abandon()
			return
		}
	}
}

// take returns the next commands, which are in flight until settle.
func (s *sender) take() (batch []command) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) > 0 && len(batch) < maxBatch {
		if len(batch) > 0 && s.inFlight+s.queue[0].size > s.limit {
			break
		}
		cmd := s.pop()
		if cmd.isAbandoned() {
			continue
		}
		s.inFlight += cmd.size
		batch = append(batch, cmd)
	}
	if len(batch) == 0 && s.idle != nil {
		close(s.idle)
		s.idle = nil
	}
	s.bytes += s.inFlight
	return batch
}

// isAbandoned reports whether nobody waits any more for a command that is of no use
// then, or even harmful: it may take a session out of Redis.
func (cmd *command) isAbandoned() bool {
	select {
	case <-cmd.waiter:
		return true
	default:
		return false
	}
}

// settle puts what is to be sent again in the place of what take returned. failure
// is why, if Redis is away.
func (s *sender) settle(again []command, failure error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if failure == nil {
		s.limit = min(2*s.limit, maxBatchBytes)
	} else {
		s.limit = max(minBatchBytes, s.limit/2)
	}
	s.bytes -= s.inFlight
	s.inFlight = 0
	if len(again) == 0 {
		return
	}
	for i := range again {
		s.bytes += again[i].size
	}
	s.queue = append(again, s.queue...)
}

// failed logs a command that Redis refuses for good.
func (s *sender) failed(name any, err error) {
	if skipped, ok := s.logs.allow(time.Now()); ok {
		logger().Error("a redis command failed", zap.Any("command", name), zap.Error(err), zap.Int("log_lines_skipped", skipped))
	}
}

// abandon ends what waits when the connection ends.
func (s *sender) abandon() {
	s.mu.Lock()
	rest := s.queue
	s.queue, s.bytes, s.inFlight, s.closed = nil, 0, 0, true
	if s.idle != nil {
		close(s.idle)
		s.idle = nil
	}
	s.mu.Unlock()
	for _, cmd := range rest {
		cmd.finish(nil, errEnded)
	}
}
