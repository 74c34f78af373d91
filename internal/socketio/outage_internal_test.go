package socketio

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// recovering is a node with recovery around a cluster whose messages come back at
// once.
func recovering(t *testing.T, test func(t *testing.T, c *fakeCluster, w *world, emit func(event string))) {
	c := &fakeCluster{keeps: true, sessions: map[string]*gateway.Session{}}
	settings := Settings{Namespaces: namespaces("/", silent), Cluster: c, Recovery: time.Minute}
	inBubble(t, settings, func(t *testing.T, w *world) {
		test(t, c, w, func(event string) {
			t.Helper()
			if err := w.server.Namespace("/").Emit(event); err != nil {
				t.Fatal(err)
			}
			c.settle()
			synctest.Wait()
		})
	})
}

func back(id told, offset string) string { return `{"pid":"` + id.Pid + `","offset":"` + offset + `"}` }

// What a node sends while the cluster is away gets its place late.
func TestNobodyIsRecoveredWithAHoleAroundAnOutage(t *testing.T) {
	for name, lost := range map[string]string{"lost before": "before", "lost within": "within", "lost in its beginning": "between"} {
		for _, when := range []string{"returns within", "returns after", "returns after further events"} {
			t.Run(name+", "+when, func(t *testing.T) {
				recovering(t, func(t *testing.T, c *fakeCluster, w *world, emit func(string)) {
					one := w.dial()
					id := one.connect("")
					emit("seen")
					one.want(`2["seen",*`)
					seen := c.log[0].Offset
					cut := func(at string) {
						if at == lost {
							one.cut()
							synctest.Wait()
						}
					}
					cut("before")
					c.away = true
					cut("within")
					emit("first")
					cut("between") // the client may or may not have got it
					emit("second")
					if when != "returns within" {
						c.returns()
						synctest.Wait()
					}
					if when == "returns after further events" {
						emit("third")
					}
					one = w.dial()
					after := one.connect(back(id, seen))
					if when == "returns within" {
						if after == id {
							t.Error("recovered, though nobody can tell what it has missed")
						}
						return
					}
					if after != id {
						t.Fatal("not recovered, though the cluster knows what it has missed")
					}
					one.want(`2["first",*`, `2["second",*`)
					if when == "returns after further events" {
						one.want(`2["third",*`)
					}
				})
			})
		}
	}
}

// A client that was silently lost in an outage, and is seen to be later, has not got
// what was sent to it without a place.
func TestWhatHadNoPlaceIsSentAgain(t *testing.T) {
	recovering(t, func(t *testing.T, c *fakeCluster, w *world, emit func(string)) {
		one := w.dial()
		id := one.connect("")
		emit("seen")
		one.want(`2["seen",*`)
		c.away = true
		emit("unsure")
		c.returns()
		one.cut()
		synctest.Wait()
		one = w.dial()
		if after := one.connect(back(id, c.log[0].Offset)); after != id {
			t.Fatal("not recovered")
		}
		one.want(`2["unsure",*`)
	})
}

// What was before a client came is none of its business, and a node that has not
// reached the cluster yet cannot tell what that was.
func TestNobodyIsRecoveredFromBeforeTheClusterWasReached(t *testing.T) {
	for name, test := range map[string]struct {
		lost string
		hear bool
	}{
		"lost before": {lost: "before"}, "lost before, with an event": {lost: "before", hear: true},
		"lost after, with an event": {lost: "after", hear: true},
	} {
		t.Run(name, func(t *testing.T) {
			recovering(t, func(t *testing.T, c *fakeCluster, w *world, emit func(string)) {
				c.place(&gateway.Message{Data: []byte(`["old"]`)}) // by another node
				c.away, c.unreached = true, true
				one := w.dial()
				id := one.connect("")
				synctest.Wait()
				if test.hear {
					emit("unsure")
					one.want(`2["unsure"]`)
				}
				for _, now := range []string{"before", "after"} {
					if now == "after" {
						c.unreached = false
						c.returns()
						synctest.Wait()
					}
					if now == test.lost {
						one.cut()
						synctest.Wait()
					}
				}
				one = w.dial()
				if after := one.connect(back(id, noOffset)); after == id {
					t.Errorf("recovered, and was told %s", one.next())
				}
			})
		})
	}
}

// A Redis that has lost its newest messages and whose clock is behind gives out
// lower numbers.
func TestNumbersThatGoBack(t *testing.T) {
	recovering(t, func(t *testing.T, c *fakeCluster, w *world, emit func(string)) {
		c.ahead = 1000
		one, two, three := w.dial(), w.dial(), w.dial()
		id := one.connect("")
		first := two.connect("")
		three.connect("")
		emit("a")
		emit("b")
		for _, client := range []*client{one, two, three} {
			client.want(`2["a",*`, `2["b",*`)
		}
		one.cut()
		synctest.Wait()
		old := c.log[1].Offset
		c.ahead, c.log = 900, nil
		emit("c")
		emit("d")
		for _, client := range []*client{two, three} {
			client.want(`2["c",*`, `2["d",*`)
		}
		one = w.dial()
		fresh := one.connect(back(id, old))
		if fresh == id {
			t.Error("recovered from a number that means nothing any more")
		}
		two.cut()
		synctest.Wait()
		c.ahead = 2000
		emit("e")
		three.want(`2["e",*`)
		two = w.dial()
		if after := two.connect(back(first, c.log[1].Offset)); after == first {
			two.want(`2["e",*`)
		}
		one.cut()
		synctest.Wait()
		emit("f")
		three.want(`2["f",*`)
		one = w.dial()
		if after := one.connect(back(fresh, c.log[2].Offset)); after != fresh {
			t.Error("not recovered with a new number")
		}
		one.want(`2["f",*`)
	})
}
