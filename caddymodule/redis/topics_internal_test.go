package redis

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// TestSubscriptionsOutliveAPause: a Redis that stands still for longer than it may
// is subscribed to anew, since nobody knows what has become of the connection.
func TestSubscriptionsOutliveAPause(t *testing.T) {
	s := startServer(t)
	o := &options{Addresses: []string{s.address}}
	o.defaults()
	c := newConnection(o)
	l := newLink(c, "/", nowhere{})
	c.start()
	t.Cleanup(func() {
		l.cancel()
		<-l.ended
		if err := c.Destruct(); err != nil { // that Redis has been away is no fault
			t.Error(err)
		}
	})
	channels, _ := l.format.topics()
	until := func(want bool, what string) {
		t.Helper()
		deadline := time.After(patience)
		for c.topics.confirmed(channels[0]) != want {
			select {
			case <-time.After(10 * time.Millisecond):
			case <-deadline:
				t.Fatal(what)
			}
		}
	}
	until(true, "it never subscribed")
	if err := s.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	until(false, "the silence was not noticed")
	if err := s.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	until(true, "it did not subscribe again")
	if n, err := l.Nodes(t.Context()); err != nil || n != 1 {
		t.Fatalf("%d nodes, %v", n, err)
	}
}

// With pub/sub, notes of the state are lost while nothing is subscribed to: who goes
// by them is told, also when this node gave its signs of life all the time.
func TestNotesThatMayBeLostAreTold(t *testing.T) {
	s := startServer(t)
	m := join(t, "a", &Cluster{URL: "redis://" + s.address, Adapter: adapterPubSub})
	told := make(chan struct{}, 9)
	defer m.l.state.Watch(gateway.Watcher{Back: func() { told <- struct{}{} }})()
	stateful := m.l.format.(*classicFormat).stateful
	eventually(t, "it is there, and has said so", func() bool {
		m.c.pulse.mu.Lock()
		defer m.c.pulse.mu.Unlock()
		return m.c.pulse.again < 0 && m.c.topics.confirmed(stateful)
	})
	for len(told) > 0 {
		<-told
	}
	s.do("CLIENT", "KILL", "TYPE", "pubsub")
	select {
	case <-told:
	case <-time.After(patience):
		t.Error("nobody was told")
	}
}

// A node that has just been started asks the others once it can hear what they answer,
// and counts as one no earlier than they hear it.
func TestANewNodeHearsAnswers(t *testing.T) {
	for _, adapter := range []string{adapterStreams, adapterPubSub} {
		t.Run(adapter, func(t *testing.T) {
			s := startServer(t)
			config := &Cluster{URL: "redis://" + s.address, Adapter: adapter, SpecificResponses: adapter == adapterPubSub}
			other := join(t, "other", config)
			channels, _ := other.l.format.topics()
			for range 20 {
				gather(t, other) // the one before has gone
				m := join(t, "new", config)
				n, err := m.l.Nodes(t.Context())
				if hear := s.connect().PubSubNumSub(t.Context(), channels[0]).Val()[channels[0]]; err != nil || n != 2 || hear != 2 {
					t.Fatalf("counted %d nodes, %v, and %d hear", n, err, hear)
				}
				var answers []string
				err = m.l.Ask(t.Context(), event("poll"), func(args gateway.Args) { answers = append(answers, string(args.Raw(0))) })
				if err != nil || !slices.Equal(answers, []string{`"other to [\"poll\"]"`}) {
					t.Fatalf("asked: %q, %v", answers, err)
				}
				m.stop()
			}
		})
	}
}
