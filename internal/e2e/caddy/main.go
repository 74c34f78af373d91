// Command caddy is Caddy with the Socket.IO server and the gateway of the
// end-to-end tests.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddy-socketio/caddy-socketio/caddymodule"
	_ "github.com/caddy-socketio/caddy-socketio/caddymodule/redis"
	_ "github.com/caddy-socketio/caddy-socketio/internal/e2e/testgateway"
)

func main() {
	caddycmd.Main()
}
