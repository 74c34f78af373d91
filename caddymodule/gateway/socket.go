package gateway

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Socket is one client in one namespace. All methods may be called
// concurrently. Handlers of one socket run one at a time, in the order in which
// the client sent the events.
type Socket interface {
	// ID is the public, random identifier of the socket. It is also the name
	// of a room that only this socket is in.
	ID() string
	// Namespace is the namespace that the socket is in.
	Namespace() Namespace
	// Handshake describes the request that opened the connection.
	Handshake() *Handshake
	// Identity is who the client is, nil when nobody authenticated it.
	Identity() *Identity
	// Transport is the transport in use now: "polling" or "websocket".
	Transport() string
	// Connected reports whether the client has been told that it is connected
	// and has not disconnected.
	Connected() bool
	// Recovered reports whether connection state recovery restored the socket:
	// its id, rooms and data are those of the earlier connection.
	Recovered() bool
	// Context ends when the socket disconnects.
	Context() context.Context

	// Handle registers the handler of an event, in place of an earlier one.
	// [On] is the typed form.
	Handle(event string, h Handler)
	// HandleAny registers the handler of every event that has none of its own.
	// Without it such events are answered with the code "unknown-event".
	HandleAny(h Handler)
	// OnDisconnect registers a function that is called once, after the last
	// handler has returned, with the reason and the rooms the socket was in.
	// Reasons are those of the reference server, such as "transport close",
	// "ping timeout", "client namespace disconnect" and
	// "server namespace disconnect".
	OnDisconnect(f func(reason string, rooms []string))

	// Emit sends an event to the client. Arguments are encoded as JSON when
	// Emit is called; json.RawMessage goes out as it is, [Binary] and a
	// top-level []byte as binary attachments. The error tells of an argument
	// that cannot be encoded, a reserved event name, or [ErrDisconnected]; nil
	// means queued, not received.
	Emit(event string, args ...any) error
	// EmitWithAck sends an event and waits for the client's ack, until ctx
	// ends or the socket disconnects. A handler may wait for its own client.
	EmitWithAck(ctx context.Context, event string, args ...any) (Args, error)

	// Join adds the socket to rooms, Leave removes it from one.
	Join(rooms ...string) error
	Leave(room string)
	// Rooms lists the rooms the socket is in, its own id among them.
	Rooms() []string
	// To addresses rooms, Broadcast the whole namespace; both without this
	// socket.
	To(rooms ...string) Target
	Broadcast() Target

	// Data is the value last given to SetData, for the gateway's own use and
	// for connection state recovery (as JSON).
	Data() any
	SetData(v any)

	// Disconnect tells the client that it is disconnected from the namespace
	// and, if closeConnection, closes its whole connection. A stock client
	// does not reconnect by itself afterwards.
	Disconnect(closeConnection bool)
}

// Namespace is a namespace of the server. All methods may be called
// concurrently. In a cluster its methods reach the sockets of every node.
type Namespace interface {
	Target
	// Name is the name, with its leading slash.
	Name() string
	// Server is the name of the directive that the namespace belongs to.
	Server() string
	// Socket returns a connected socket of this node, or nil.
	Socket(id string) Socket
	// ServerSideEmit sends an event to the gateways of the other nodes of a
	// cluster, if they are a [ServerSideReceiver]; see [Socket.Emit].
	ServerSideEmit(event string, args ...any) error
	// ServerSideEmitWithAck waits for the answers of all other nodes, until ctx
	// ends; then it returns those that came, and ctx's error.
	ServerSideEmitWithAck(ctx context.Context, event string, args ...any) ([]Args, error)
	// Nodes counts the nodes that serve the namespace, this one included.
	Nodes(ctx context.Context) (int, error)
	// State returns the value kept under key, or keeps and returns what init
	// makes. Values live as long as the namespace, across config reloads; one
	// that implements io.Closer is closed when the namespace ends, and one with
	// a method Status() any, whose result is made into JSON, is shown to
	// operators by the admin API. init must not call State.
	State(key string, init func() any) any
	// Shared is what the namespace shares with the other nodes of a cluster,
	// nil without a cluster.
	Shared() State
}

// Target is a set of sockets: those in any of the named rooms (or all of the
// namespace) less those in any excepted room. Its methods To, Except, Volatile
// and Local return a narrowed copy.
type Target interface {
	To(rooms ...string) Target
	Except(rooms ...string) Target
	// Volatile lets an event be dropped for clients that cannot take it now.
	Volatile() Target
	// Local leaves out the other nodes of a cluster.
	Local() Target

	// Emit sends an event to the set; see [Socket.Emit].
	Emit(event string, args ...any) error
	// EmitWithAck sends an event and collects the acks, until all have
	// answered or ctx ends; then it returns those that came, and ctx's error.
	EmitWithAck(ctx context.Context, event string, args ...any) ([]Args, error)
	// Sockets lists the set.
	Sockets(ctx context.Context) ([]SocketInfo, error)
	// Join and Leave change the rooms of the set.
	Join(rooms ...string) error
	Leave(rooms ...string) error
	// Disconnect disconnects the set; see [Socket.Disconnect].
	Disconnect(closeConnection bool) error
}

// SocketInfo describes a socket of this or, in a cluster, another node.
type SocketInfo struct {
	ID        string
	Rooms     []string
	Handshake *Handshake
	Identity  *Identity
	Data      any
}

// Handshake describes the request that opened a connection, and what the client
// sent when it entered the namespace.
type Handshake struct {
	// Header and Query are those of the first request.
	Header http.Header
	Query  url.Values
	// Auth is the JSON object that the client sent as auth payload, nil
	// without one.
	Auth map[string]any
	// ClientIP is the client's address, taken from forwarding headers only
	// when they come from Caddy's trusted proxies.
	ClientIP string
	// Secure reports whether the client used TLS.
	Secure bool
	// Host is the host and, if given, port that the client asked for.
	Host string
	// Time is when the connection was opened.
	Time time.Time
}

// Cookies parses the cookies of the first request.
func (h *Handshake) Cookies() []*http.Cookie {
	r := http.Request{Header: h.Header}
	return r.Cookies()
}

// Identity is who a client is.
type Identity struct {
	// ID is the user's id, never empty.
	ID string
	// Name is a name to show to others.
	Name string
	// Role is the user's role.
	Role string
	// Claims are the facts that the authenticator gives about the user, as
	// JSON values.
	Claims map[string]any
	// Rooms limits the rooms that the user may enter to those matched by one
	// of the patterns; "*" stands for any characters. Nil means all.
	Rooms []string
	// Expires is when the identity ends; zero means never.
	Expires time.Time
}
