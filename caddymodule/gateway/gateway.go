// Package gateway is the interface between the Socket.IO server and the
// handlers of a namespace. Other Go modules implement [Gateway], register it as
// a Caddy module in the namespace "http.handlers.socketio.gateways", and are
// built in with xcaddy:
//
//	type Chat struct{}
//
//	func (Chat) CaddyModule() caddy.ModuleInfo {
//		return caddy.ModuleInfo{
//			ID:  "http.handlers.socketio.gateways.chat",
//			New: func() caddy.Module { return new(Chat) },
//		}
//	}
//
//	func (Chat) Connect(ctx context.Context, s gateway.Socket) error {
//		gateway.On(s, "say", func(ctx context.Context, text string) (any, error) {
//			return nil, s.Broadcast().Emit("said", text)
//		})
//		return nil
//	}
//
// The package imports neither Caddy nor the Socket.IO library.
package gateway

import "context"

// Gateway holds the event handlers of a namespace.
type Gateway interface {
	// Connect is called once for each socket, after authentication and before
	// its first event. It registers the socket's event handlers. An error
	// refuses the socket: the client gets "connect_error" with the message and
	// data of an [*Error], or "internal" for any other error. What the socket
	// emits meanwhile is sent once it is connected.
	//
	// When a config reload brings a new instance of the gateway, Connect is
	// called on it for every live socket, whose [Socket.Connected] is then true
	// already; the handlers it registers replace the earlier ones in one step,
	// and an error disconnects the socket.
	//
	// ctx is the socket's context: it ends when the socket disconnects.
	Connect(ctx context.Context, s Socket) error
}

// EventNamer is implemented by gateways that handle events by [Socket.HandleAny]
// and want them told apart in metrics and traces, where events without a handler
// of their own count as "other", since clients could make up any number of names.
type EventNamer interface {
	// Events lists the names. It is called once for each namespace.
	Events() []string
}

// RenewalWatcher is implemented by gateways that want to know when the identity of
// a socket has changed, such as its role.
type RenewalWatcher interface {
	// Renewed is called when the client has renewed its token, before the
	// socket's next event. [Socket.Identity] is the new one.
	Renewed(ctx context.Context, s Socket)
}

// Initializer is implemented by gateways that want their namespace before the
// first socket, as NestJS's afterInit.
type Initializer interface {
	// Init is called once for each namespace the gateway serves (a gateway
	// under a /regexp/ name can serve many), before the first Connect in it.
	// ctx ends when the gateway's configuration is replaced or its namespace
	// is gone. An error makes the namespace refuse its sockets.
	Init(ctx context.Context, ns Namespace) error
}
