package caddymodule_test

import (
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/caddy-socketio/caddy-socketio/caddymodule"
	"github.com/caddy-socketio/caddy-socketio/internal/hub"
)

// Nothing may hold what belongs to a config that has been replaced, not even
// clients that came while it was the current one.
func TestReloadsLeakNothing(t *testing.T) {
	const warmUp, reloads = 20, 200
	// Certmagic keeps the logger of a process's first config for good.
	serve(t, "respond first")
	l := &leaking{t: t}
	empty := l.measure(0)
	l.start()
	l.reload(warmUp) // what is made once is there now
	before := l.measure(0)
	l.reload(reloads)
	after := l.measure(before.goroutines)
	after.isNoMoreThan(t, before, reloads<<10)
	if want := map[string]int{"leak": 1}; !maps.Equal(caddymodule.Servers(), want) {
		t.Errorf("held are %v, want %v", caddymodule.Servers(), want)
	}
	for len(l.sockets) > 0 {
		l.leave(0)
	}
	serve(t, "respond gone")
	if left := caddymodule.Servers(); len(left) != 0 {
		t.Errorf("the pool still holds %v", left)
	}
	end := l.measure(empty.goroutines)
	end.isNoMoreThan(t, empty, 1<<20)
	t.Logf("empty %+v, before %+v, after %+v, end %+v", empty, before, after, end)
}

// leaking is a server that is reloaded while clients stay, come and go.
type leaking struct {
	t           *testing.T
	config      string // with changed-0 for what each reload changes
	n           int
	generations tracked[hub.Generation]
	polling     *polls
	sockets     []frames
}

func (l *leaking) start() {
	l.t.Helper()
	text := strings.Replace(site(`metrics /metrics
header X-Changed changed-0
socketio {
	name leak
	namespace / {
		gateway shout
	}
	namespace /webrtc
	recovery 2m
	limits {
		exempt 127.0.0.0/8 ::1
	}
}`), "{\n", "{\nlog {\ncore counted\n}\n", 1)
	config, err := adapt(l.t, text)
	if err != nil {
		l.t.Fatal(err)
	}
	load(l.t, config)
	l.config, l.polling = string(config), open(l.t, engine)
	enter(l.t, "ws://localhost:9080") // never says anything
	first := enter(l.t, "ws://localhost:9080")
	first.send("40/webrtc,")
	first.want("40/webrtc,{")
	first.send(`42/webrtc,1["join",{"room":"r"}]`)
	first.want(`43/webrtc,1[{`)
	l.sockets = []frames{first}
}

// reload changes the config, so that each is new to Caddy. With each comes a
// client, which stays for some, beside three that were there from the beginning, one
// of them in a call and one that is idle.
func (l *leaking) reload(times int) {
	l.t.Helper()
	for range times {
		l.n++
		load(l.t, []byte(strings.Replace(l.config, "changed-0", "changed-"+strconv.Itoa(l.n), 1)))
		l.generations.add(caddymodule.Generation(running.ctx, "leak"))
		l.say()
		l.sockets = append(l.sockets, enter(l.t, "ws://localhost:9080"))
		if len(l.sockets) > 10 {
			l.leave(1)
		}
	}
}

// say has all clients send an event, which the current gateway answers.
func (l *leaking) say() {
	l.t.Helper()
	l.polling.send(`421["say","x"]`)
	if got := l.polling.receive(); got != `431["X"]` {
		l.t.Fatalf("reload %d: %q", l.n, got)
	}
	for _, s := range l.sockets {
		s.send(`421["say","x"]`)
		s.want(`431["X"]`)
	}
}

// leave ends a client over websocket.
func (l *leaking) leave(i int) {
	if err := l.sockets[i].Close(); err != nil {
		l.t.Error(err)
	}
	l.sockets = slices.Delete(l.sockets, i, i+1)
}

// usage is what there is of each kind.
type usage struct {
	goroutines, series              int
	generations, gateways, logCores int // which the garbage collector has left
	heap                            int64
}

// isNoMoreThan allows for some bytes of heap: what lists and tables have grown to,
// and Caddy's and the test's own.
func (u usage) isNoMoreThan(t *testing.T, before usage, bytes int64) {
	t.Helper()
	if grown := u.heap - before.heap; grown > bytes {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	if u.goroutines > before.goroutines {
		t.Errorf("%d goroutines before, %d after:\n%s", before.goroutines, u.goroutines, strings.Join(goroutines(), "\n\n"))
	}
	before.heap, before.goroutines = u.heap, u.goroutines
	if u != before {
		t.Errorf("before %+v, after %+v", before, u)
	}
}

// measure collects garbage until no more than enough goroutines are left, or
// their number has stopped falling.
func (l *leaking) measure(enough int) usage {
	l.t.Helper()
	u := usage{series: series(l.t), goroutines: 1 << 20}
	for same := 0; same < 50 && u.goroutines > enough; same++ {
		runtime.GC()
		if n := len(goroutines()); n < u.goroutines {
			u.goroutines, same = n, 0
		}
		runtime.Gosched()
	}
	var m runtime.MemStats
	for range 3 { // what pools keep is free after the second, what has a finalizer after that
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	u.heap = int64(m.HeapAlloc)
	u.generations, u.gateways, u.logCores = l.generations.live(), shouts.live(), logCores.live()
	return u
}

// series counts this module's samples in the metrics.
func series(t *testing.T) int {
	t.Helper()
	_, text := get(t, "http://localhost:9080/metrics")
	return strings.Count(text, "\ncaddy_socketio_")
}

// goroutines are the stacks of those that do not end by themselves.
func goroutines() []string {
	text := make([]byte, 1<<20)
	all := strings.Split(string(text[:runtime.Stack(text, true)]), "\n\n")
	return slices.DeleteFunc(all, func(stack string) bool {
		_, top, _ := strings.Cut(stack, "\n")
		top, _, _ = strings.Cut(top, "\n")
		// An idle worker of ours, and one of Certmagic that sleeps until it looks
		// again at a lock that has been given back: both end after seconds.
		return strings.Contains(top, "/socketio.(*workers).loop(") || strings.Contains(stack, "certmagic.keepLockfileFresh(")
	})
}
