package gateway

import (
	"context"
	"encoding/json"
	"time"
)

// Cluster connects this node to others, which serve the same namespaces to other
// clients. It is a Caddy module in the namespace "http.handlers.socketio.cluster".
// All methods may be called concurrently.
type Cluster interface {
	// Key is equal for modules that stand for the same cluster: when a config
	// reload brings one of the same key, links stay as they are, otherwise
	// every namespace leaves the old cluster and joins the new one.
	Key() string
	// Join makes this node's part of a namespace a member. It neither waits for
	// the network nor fails when that is away: the link catches up by itself.
	// The link does not end with the module, but with its Close.
	Join(ns string, local Local) (Link, error)
}

// Local is what a cluster uses of a namespace on this node; it reaches the
// sockets of this node only. All methods may be called concurrently, and none
// waits for the network.
type Local interface {
	// Encode makes the message of an event; see [Socket.Emit].
	Encode(set Set, event string, args ...any) (*Message, error)
	// Has reports whether a message for one room may concern this node.
	Has(room string) bool
	// Deliver sends an event. Calls for one link follow one another, in the
	// cluster's order.
	Deliver(m *Message)
	// Gap tells, between two calls of Deliver, that a message has its place
	// there that was delivered before without: no socket can be recovered over
	// that from what this node keeps.
	Gap()
	// Missed is Gap for messages that have been lost there. The sockets that are
	// connected to this node have not got them, and will not be recovered
	// later: they stay, but once their connection is lost they come back as new
	// ones.
	Missed()
	// Ask sends an event, tells by asked how many sockets were sent it, and calls
	// ack for each that answers until ctx ends. It does not wait.
	Ask(ctx context.Context, m *Message, asked func(n int), ack func(Args))
	Join(set Set, rooms []string)
	Leave(set Set, rooms []string)
	Disconnect(set Set, closeConnection bool)
	Sockets(set Set) []SocketInfo
	// ServerSide gives an event of another node's [Namespace.ServerSideEmit] to
	// the gateway. ack is nil if no answer is asked for; it counts once.
	ServerSide(m *Message, ack func(Args))
}

// Set is a set of sockets: those in any of the rooms, or all without rooms, less
// those in an excepted one.
type Set struct {
	Rooms, Except []string
}

// Message is an event between nodes. It is never changed once it was handed over.
type Message struct {
	Set
	Volatile bool
	// Data is the JSON array of the event's name and its arguments. Objects of
	// the form {"_placeholder":true,"num":N} stand for the N-th attachment.
	Data        json.RawMessage
	Attachments [][]byte
	// Offset is the position that the cluster gave to the message, empty if it
	// keeps none. See [Sessions].
	Offset string
	// Own is set for what comes back from this node's own [Link.Echo].
	Own uint64
}

// Link is a namespace's membership in a cluster. Its methods concern the other
// nodes only, and all may be called concurrently. Those that return no error
// do not wait: what they send arrives in this order. While the cluster cannot be
// reached it is kept, up to a bound; beyond it the oldest is dropped, which is
// logged and counted.
type Link interface {
	Publish(m *Message)
	// Echo publishes a message that also comes back to this node's
	// [Local.Deliver], in the one order in which all nodes get it, with Offset
	// and the given number as Own. While the cluster cannot be reached it
	// comes back at once, without an offset. Only with [Link.Sessions].
	Echo(m *Message, own uint64)
	Join(set Set, rooms []string)
	Leave(set Set, rooms []string)
	Disconnect(set Set, closeConnection bool)

	// Ask sends an event and calls ack for each answer, until all asked sockets
	// have answered or ctx ends, whose error it then returns.
	Ask(ctx context.Context, m *Message, ack func(Args)) error
	// Sockets lists the set.
	Sockets(ctx context.Context, set Set) ([]SocketInfo, error)
	// ServerSide sends an event to the other nodes' gateways. With ack, it
	// calls that for each answer and waits for those of all nodes, or for ctx's
	// end, whose error it then returns.
	ServerSide(ctx context.Context, m *Message, ack func(Args)) error
	// Nodes counts the nodes, this one included.
	Nodes(ctx context.Context) (int, error)

	// State is what the nodes share.
	State() State
	// Sessions is the memory from which sockets are recovered on any node; nil
	// if the cluster has none.
	Sessions() Sessions
	// Close leaves the cluster. What was published before is still sent, if
	// that can be done at once.
	Close() error
}

// Sessions is what a cluster remembers for connection state recovery: messages in
// their order, and the state of sockets whose connection was lost. Offsets are
// made of a time in milliseconds, "-" and a count within it.
type Sessions interface {
	// Position is the offset of the last message that has been delivered, in
	// whichever namespace; "" before the cluster was first reached, "0-0" if
	// there has been no message yet.
	Position() string
	// Keep keeps a session for at most ttl. It does not wait.
	Keep(s *Session, ttl time.Duration)
	// Take returns a session and forgets it, nil if there is none.
	Take(ctx context.Context, pid string) (*Session, error)
	// Since calls each for every message after offset that the nodes delivered
	// or are about to, in order, this node's own among them; false ends it. m
	// is nil for what is no event or not for this namespace. known is false if
	// what follows that offset is no longer kept.
	Since(ctx context.Context, offset string, each func(m *Message, offset string) bool) (known bool, err error)
}

// Session is the state of a socket whose connection was lost.
type Session struct {
	// PID is the secret by which the client comes back.
	PID   string
	ID    string
	Rooms []string
	// Data is the socket's data as JSON, nil for none.
	Data json.RawMessage
	// User is the id of the socket's user, "" for an anonymous one.
	User string
	// Began, Sent and Kept are offsets: of the last message before the socket
	// entered, the last one sent to it, and the last one before it was lost.
	// All are "" if a server of another kind kept the session.
	Began, Sent, Kept string
}

// ServerSideReceiver is implemented by gateways that take what other nodes send
// with [Namespace.ServerSideEmit].
type ServerSideReceiver interface {
	// ServerSide is called for each event, in order. The value that it returns,
	// or the error's message and code, is the answer of this node if the other
	// asked for one. It must not wait for other nodes.
	ServerSide(ctx context.Context, ns Namespace, ev *Event) (any, error)
}
