// Package caddymodule is the Caddy module "http.handlers.socketio": it makes
// Caddy the Socket.IO server of a site.
//
// The package is a thin layer. It translates a site's configuration into the
// settings of a hub (package internal/hub), which is the live server of one named
// directive and outlives config reloads, and hands requests to it. Gateways and
// authenticators are guest modules; their interfaces are in package
// caddymodule/gateway.
package caddymodule
