// Package engineio serves Engine.IO, the transport below Socket.IO: sessions
// over HTTP long-polling and websocket, their upgrade, heartbeats and bounds.
// It speaks protocol version 4 and, when allowed, 3, over HTTP/1.1, HTTP/2 and
// HTTP/3.
//
// A [Server] answers the requests of one path. Each new session is handed to
// the accept function, which returns the [Receiver] of what its client sends;
// what is sent to the client goes through [Session.Send] as [Message] values,
// which are encoded once and shared by all their receivers.
//
// The package knows neither Socket.IO nor the HTTP server in front of it.
package engineio
