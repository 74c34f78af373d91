// Package incidents counts and logs what strangers can cause as often as they
// like: limits that are reached, clients that are refused, handlers that fail. A
// log that a flood fills hides what matters, and costs the disk.
package incidents

import (
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Interval is how long a kind of line stays silent once it has had its lines; at
// its end one more tells how many were left out.
const Interval = 10 * time.Second

const (
	// linesOfLimit is how many lines a limit gets: one client at its bound is
	// like the next.
	linesOfLimit = 1
	// linesOfReason is more, since each of these has a cause of its own.
	linesOfReason = 10
	// mostPages bounds the memory should reasons ever come from outside; further
	// ones share a page.
	mostPages = 100
)

// Book counts and logs incidents. All methods may be called concurrently, and on
// a nil Book, which does nothing. It outlives configs with their server.
type Book struct {
	logger func() *zap.Logger
	counts map[Limit]*atomic.Uint64 // never changed

	mu     sync.Mutex // guards the following fields
	pages  map[heading]*page
	closed bool
}

// heading is what lines have in common that count together. key is the name of
// the field that says what kind they are of.
type heading struct {
	level              zapcore.Level
	message, key, kind string
}

// page is a heading's running interval. The book's mu guards it.
type page struct {
	lines int // written
	more  int // left out since the last line
	timer *time.Timer
}

// New makes a book. logger is asked for each line, and may return another one
// after a config reload.
func New(logger func() *zap.Logger) *Book {
	b := &Book{logger: logger, counts: map[Limit]*atomic.Uint64{}, pages: map[heading]*page{}}
	for _, l := range Limits() {
		b.counts[l] = new(atomic.Uint64)
	}
	return b
}

// Limit counts that a client has run into a limit, and warns of it: with what
// about says of the client the first time, with a number from then on.
func (b *Book) Limit(l Limit, about ...zap.Field) {
	if b == nil {
		return
	}
	b.counts[l].Add(1)
	b.line(heading{zap.WarnLevel, "limit reached", "limit", string(l)}, linesOfLimit, about)
}

// Line writes a line whose field "reason" is one of a fixed set, unless the same
// reason has filled its share of the log.
func (b *Book) Line(level zapcore.Level, message, reason string, about ...zap.Field) {
	if b != nil {
		b.line(heading{level, message, "reason", reason}, linesOfReason, about)
	}
}

// Counts is how often each limit was reached since the book was made.
func (b *Book) Counts() map[Limit]uint64 {
	out := map[Limit]uint64{}
	if b != nil {
		for l, n := range b.counts {
			out[l] = n.Load()
		}
	}
	return out
}

// Close writes what was left out so far. Counting goes on, logging does not.
func (b *Book) Close() {
	if b == nil {
		return
	}
	b.mu.Lock()
	pages := b.pages
	b.pages, b.closed = nil, true
	b.mu.Unlock()
	for h, p := range pages {
		p.timer.Stop()
		b.sum(h, p.more)
	}
}

// line writes a line, or counts it as left out.
func (b *Book) line(h heading, most int, about []zap.Field) {
	if b.take(&h, most) {
		b.write(h, about...)
	}
}

// take reports whether a line may be written. It moves a heading too many to the
// common page.
func (b *Book) take(h *heading, most int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	p := b.pages[*h]
	if p == nil && len(b.pages) >= mostPages {
		h.kind = "other"
		p = b.pages[*h]
	}
	if p == nil {
		p = &page{}
		b.pages[*h] = p
		page := *h
		p.timer = time.AfterFunc(Interval, func() { b.turn(page) })
	}
	if p.lines < most {
		p.lines++
		return true
	}
	p.more++
	return false
}

// turn ends a heading's interval. While incidents keep coming the next begins at
// once, with no lines but the sum at its end; after a quiet one the page is gone.
func (b *Book) turn(h heading) {
	b.mu.Lock()
	p := b.pages[h]
	if p == nil {
		b.mu.Unlock()
		return
	}
	more := p.more
	p.more = 0
	if more == 0 {
		delete(b.pages, h)
	} else {
		p.timer.Reset(Interval)
	}
	b.mu.Unlock()
	b.sum(h, more)
}

// sum tells how many lines were left out.
func (b *Book) sum(h heading, more int) {
	if more > 0 {
		b.write(h, zap.Int("more", more), zap.Duration("within", Interval))
	}
}

// write is called without mu, since a log may be slow.
func (b *Book) write(h heading, about ...zap.Field) {
	if line := b.logger().Check(h.level, h.message); line != nil {
		line.Write(append([]zap.Field{zap.String(h.key, h.kind)}, about...)...)
	}
}
