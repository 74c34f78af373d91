package redis

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"
)

const (
	readCount = 100
	readBlock = time.Second
	// sureCount is after how many entries of a backlog it is looked whether some
	// have been trimmed unread.
	sureCount = 100
	// maxSeen bounds the nodes whose serials are kept.
	maxSeen = 10000
)

// stream reads the stream for all namespaces of a connection. After an interruption
// it goes on where it was. Position may be called concurrently; the rest is the
// reading goroutine's.
type stream struct {
	c        *connection
	position atomic.Pointer[string] // nil before Redis was first reached
	reading  atomic.Bool            // the last attempt succeeded, or none was made yet
	started  chan struct{}          // closed after the first attempt

	seen serials
	pace pace
	// Nothing up to sure has been trimmed unread; unsure counts what was read
	// since.
	sure   string
	unsure int
	// added is how many entries there ever were up to position, about, sureAdded
	// up to sure. They mean nothing with a Redis before version 7.
	added, sureAdded int64
}

func newStream(c *connection) *stream {
	s := &stream{c: c, started: make(chan struct{}), seen: serials{}, pace: newPace(readCount)}
	s.reading.Store(true)
	return s
}

// away reports whether messages would not come back now.
func (c *connection) away() bool {
	return c.down.Load() || c.stream != nil && !c.stream.reading.Load()
}

// run reads until the connection ends.
func (s *stream) run() {
	start := sync.OnceFunc(func() { close(s.started) })
	for s.c.ctx.Err() == nil {
		err := s.attach()
		start()
		for err == nil {
			s.reading.Store(true)
			err = s.read()
		}
		if s.c.ctx.Err() != nil {
			return
		}
		s.c.troubled("XREAD", err)
		s.c.renew()
		if s.reading.Swap(false) {
			for _, l := range s.c.all() {
				l.release()
			}
		}
		select {
		case <-time.After(retryWait):
		case <-s.c.ctx.Done():
		}
	}
}

// attach finds the place to read on from. A stream that ends before the place
// where we were is another one, or a copy that lacks what we have.
func (s *stream) attach() error {
	ctx, cancel := context.WithTimeout(s.c.ctx, s.c.options.timeout())
	defer cancel()
	end, added := "0-0", int64(0)
	info, err := s.c.client.XInfoStream(ctx, s.c.options.Stream).Result()
	switch {
	case err == nil:
		end, added = info.LastGeneratedID, info.EntriesAdded
	case !isReply(err) || !strings.Contains(err.Error(), "no such key"):
		return err
	}
	s.unsure = sureCount
	if at := s.position.Load(); at == nil || before(end, *at) {
		s.position.Store(&end)
		s.sure, s.unsure = end, 0
		s.added, s.sureAdded = added, added
	}
	return nil
}

// read waits for the next entries and hands them on.
func (s *stream) read() error {
	ctx, cancel := context.WithTimeout(s.c.ctx, readBlock+s.c.options.timeout())
	defer cancel()
	found, err := s.c.client.XRead(ctx, &redis.XReadArgs{
		Streams: []string{s.c.options.Stream, *s.position.Load()}, Count: s.pace.count, Block: readBlock,
	}).Result()
	if isNil(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, one := range found {
		if err := s.mind(ctx, len(one.Messages)); err != nil {
			return err
		}
		for i := range one.Messages {
			s.take(&one.Messages[i])
			s.position.Store(&one.Messages[i].ID)
		}
		s.added += int64(len(one.Messages))
		if int64(len(one.Messages)) < s.pace.count { // that was the end
			s.unsure = 0
		}
		if s.unsure == 0 {
			s.sure, s.sureAdded = *s.position.Load(), s.added
		}
		s.pace.read(one.Messages)
	}
	return nil
}

// mind finds out, now and then before n entries are handed on, whether the stream
// has been trimmed faster than it was read.
func (s *stream) mind(ctx context.Context, n int) error {
	if s.unsure += n; s.unsure < sureCount {
		return nil
	}
	lost, trimmed, err := s.lost(ctx)
	if err != nil {
		return err
	}
	s.unsure = 0
	if !lost {
		return nil
	}
	s.c.metrics.overruns.Inc()
	fields := []zap.Field{zap.String("address", s.c.options.display()), zap.Int64("max_length", s.c.options.MaxLength)}
	if n := trimmed - s.sureAdded; n > 0 {
		s.c.metrics.missed.Add(float64(n))
		fields = append(fields, zap.Int64("messages", n))
	}
	s.added = max(s.added, trimmed)
	logger().Error("messages missed: the stream was trimmed before this node had read them; raise max_length", fields...)
	for _, l := range s.c.all() {
		l.overrun()
	}
	return nil
}

// oldest returns the id of a stream's first entry. The entry itself may be large.
const oldest = `
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)
return first[1] and first[1][1] or ''
`

// lost reports whether entries behind sure have been trimmed, and how many ever were.
// A stream that was never trimmed is a new one: Redis has been restarted without the
// old one.
func (s *stream) lost(ctx context.Context) (lost bool, trimmed int64, err error) {
	first, err := s.c.client.Eval(ctx, oldest, []string{s.c.options.Stream}).Text()
	if err != nil || !before(s.sure, first) {
		return false, 0, err
	}
	info, err := s.c.client.XInfoStream(ctx, s.c.options.Stream).Result()
	if err != nil {
		return false, 0, err
	}
	trimmed = info.EntriesAdded - info.Length
	return trimmed != 0, trimmed, nil
}

// overrun is called when entries have been lost. Some of this link's own may be
// among them, which then will not come back, and notes of the state.
func (l *link) overrun() {
	l.release()
	l.delivering.Lock()
	l.local.Missed()
	l.delivering.Unlock()
	l.state.missed()
}

// take hands an entry to the links of its namespace.
func (s *stream) take(m *redis.XMessage) {
	e := fieldsOf(m)
	if e.serial > 0 && s.seen.again(e.uid, e.serial) {
		return // it was sent twice, when the answer got lost
	}
	for _, l := range s.c.of(e.nsp) {
		f := l.format.(*streamsFormat) // a connection has one adapter
		switch {
		case e.uid == l.uid && e.serial > 0:
			l.back(e.serial, m.ID)
			continue
		case e.uid == l.uid && e.kind != kindBroadcast && e.kind != kindNote:
			continue // done already
		}
		if err := f.read(e.kind, e.data, m.ID); err != nil {
			s.c.malformed("an entry of the stream", err)
		}
	}
}

// entryFields are those of an entry of the stream.
type entryFields struct {
	uid, nsp, data string
	kind           kind
	serial         uint64
}

func fieldsOf(m *redis.XMessage) (e entryFields) {
	text := func(key string) string {
		s, _ := m.Values[key].(string)
		return s
	}
	e.uid, e.nsp, e.data = text("uid"), text("nsp"), text("data")
	if n, err := strconv.Atoi(text("type")); err == nil {
		e.kind = kind(n)
	}
	if n, err := strconv.ParseUint(text("n"), 10, 64); err == nil {
		e.serial = n
	}
	return e
}

// serials are the last serial of each node.
type serials map[string]uint64

// again reports whether a message has been seen, and notes it.
func (s serials) again(uid string, serial uint64) bool {
	if last, ok := s[uid]; ok && serial <= last {
		return true
	}
	if len(s) >= maxSeen {
		clear(s) // a message is sent twice within seconds, and nodes do not come and go so fast
	}
	s[uid] = serial
	return false
}

// before compares the ids of entries.
func before(a, b string) bool {
	aTime, aCount := splitID(a)
	bTime, bCount := splitID(b)
	return aTime < bTime || aTime == bTime && aCount < bCount
}

// splitID reads an id, which is zeros if it is none.
func splitID(id string) (ms, count uint64) {
	first, second, _ := strings.Cut(id, "-")
	ms, err := strconv.ParseUint(first, 10, 64)
	if err != nil {
		return 0, 0
	}
	count, err = strconv.ParseUint(second, 10, 64)
	if err != nil {
		return ms, 0
	}
	return ms, count
}
