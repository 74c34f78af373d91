// Package socketio is the seam to the Socket.IO library: namespaces, sockets and
// their gateways over the sessions of internal/engineio. It implements the
// interfaces of caddymodule/gateway; no type of the library leaves it.
//
// The library does what happens rarely: CONNECT, middleware, the namespaces and
// the life of a socket. Events and acks go past it, from the frame to the typed
// handler and back: a [Server] makes a conn for each session, which hands the
// packets of known sockets to their queues, whose handlers answer through the
// session again. Rooms and broadcasts are the package's own as well.
package socketio
