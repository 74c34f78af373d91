package socketio

import (
	"time"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// Observer is told what happens, for metrics and events of the front. Its
// methods are called by many goroutines at once, on the way of a packet: they
// must be fast and must not block. ns is the configured name, a /regexp/ name
// for the namespaces that it matches, so it is bounded.
type Observer interface {
	// Connected and Disconnected are called once for each socket, in this
	// order. transport is the one at the time.
	Connected(ns, transport string, s gateway.Socket)
	Disconnected(ns, transport string, s gateway.Socket, reason string)
	// Refused is called for each refused CONNECT; reason is "invalid namespace",
	// "unauthorized", "gateway", "limit" or "closed".
	Refused(ns, reason string)
	// Handled is called after each event of a client. known reports that the
	// gateway names that very event, so that its name is bounded.
	Handled(ns, event string, known bool, took time.Duration, err error)
}

// nobody is the observer that is told nothing.
type nobody struct{}

func (nobody) Connected(string, string, gateway.Socket)            {}
func (nobody) Disconnected(string, string, gateway.Socket, string) {}
func (nobody) Refused(string, string)                              {}
func (nobody) Handled(string, string, bool, time.Duration, error)  {}
