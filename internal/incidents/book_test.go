package incidents_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-socketio/caddy-socketio/internal/incidents"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newBook() (*incidents.Book, *observer.ObservedLogs) {
	core, logs := observer.New(zap.DebugLevel)
	logger := zap.New(core)
	return incidents.New(func() *zap.Logger { return logger }), logs
}

// A flood of an hour is a line for each interval, and each incident is counted.
func TestFloodDoesNotFillTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, logs := newBook()
		const seconds, each = 3600, 100
		for range seconds {
			for range each {
				b.Limit(incidents.EventsPerSocket, zap.String("user", "ada"))
			}
			time.Sleep(time.Second)
		}
		lines := logs.FilterMessage("limit reached").All()
		if most := 2 + seconds/int(incidents.Interval/time.Second); len(lines) > most {
			t.Errorf("%d lines, want %d at most", len(lines), most)
		}
		first := lines[0].ContextMap()
		if first["user"] != "ada" || first["limit"] != "events_per_socket" || lines[0].Level != zap.WarnLevel {
			t.Errorf("the first line is %v %v", lines[0].Level, first)
		}
		b.Close()
		if told := countTold(logs); told != seconds*each {
			t.Errorf("the lines tell of %d incidents, want %d", told, seconds*each)
		}
		if n := b.Counts()[incidents.EventsPerSocket]; n != seconds*each {
			t.Errorf("counted %d, want %d", n, seconds*each)
		}
	})
}

// countTold is how many incidents the lines tell of.
func countTold(logs *observer.ObservedLogs) (n int) {
	for _, line := range logs.All() {
		if more, ok := line.ContextMap()["more"].(int64); ok {
			n += int(more)
		} else {
			n++
		}
	}
	return n
}

func TestQuietIntervalBringsTheDetailsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, logs := newBook()
		defer b.Close()
		for range 3 {
			b.Limit(incidents.Connections, zap.String("remote_ip", "192.0.2.1"))
			b.Limit(incidents.Connections)
			time.Sleep(3 * incidents.Interval)
		}
		// Each time a line with details, and one that tells of the other.
		if got := logs.FilterField(zap.String("remote_ip", "192.0.2.1")).Len(); got != 3 || logs.Len() != 6 {
			t.Errorf("%d of %d lines have details, want 3 of 6", got, logs.Len())
		}
	})
}

func TestReasonsHaveSharesOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, logs := newBook()
		for range 50 {
			b.Line(zap.InfoLevel, "connection refused", "unauthorized")
		}
		b.Line(zap.InfoLevel, "connection refused", "origin")
		b.Close()
		if n := logs.FilterField(zap.String("reason", "unauthorized")).Len(); n != 11 {
			t.Errorf("%d lines of the flood, want 10 and the sum", n)
		}
		if n := logs.FilterField(zap.String("reason", "origin")).Len(); n != 1 {
			t.Errorf("%d lines of the other reason, want 1", n)
		}
	})
}

func TestEndlessReasonsTakeNoMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, logs := newBook()
		for i := range 10_000 {
			b.Line(zap.InfoLevel, "connection refused", time.Duration(i).String())
		}
		if n := logs.Len(); n > 200 {
			t.Errorf("%d lines", n)
		}
		if n := logs.FilterField(zap.String("reason", "other")).Len(); n == 0 {
			t.Error("none of the lines is about the others")
		}
		b.Close()
	})
}

func TestNothingIsWrittenAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, logs := newBook()
		b.Limit(incidents.SendBuffer)
		b.Close()
		b.Limit(incidents.SendBuffer)
		time.Sleep(2 * incidents.Interval)
		if logs.Len() != 1 || b.Counts()[incidents.SendBuffer] != 2 {
			t.Errorf("%d lines, %d counted", logs.Len(), b.Counts()[incidents.SendBuffer])
		}
	})
}

func TestAllAtOnce(t *testing.T) {
	b, logs := newBook()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				b.Limit(incidents.Nesting)
				b.Line(zap.WarnLevel, "x", "y")
			}
		})
	}
	all.Wait()
	b.Close()
	if told := countTold(logs); told != 16_000 {
		t.Errorf("the lines tell of %d incidents", told)
	}
	var none *incidents.Book
	none.Limit(incidents.Nesting)
	none.Line(zap.WarnLevel, "x", "y")
	none.Close()
}
