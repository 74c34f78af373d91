package caddymodule

import (
	"context"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-socketio/caddy-socketio/internal/hub"
)

// hubs are the live servers by name. The name alone is the key: settings change
// with configs, which the servers outlive.
var hubs = caddy.NewUsagePool()

// pooled ends a hub with its last reference.
type pooled struct{ *hub.Hub }

// acquire takes a reference to the hub of a name, which g makes if there is none.
func acquire(name string, g *hub.Generation) (*hub.Hub, error) {
	v, _, err := hubs.LoadOrNew(name, func() (caddy.Destructor, error) {
		live, err := hub.New(g)
		if err != nil {
			return nil, err
		}
		return pooled{live}, nil
	})
	if err != nil {
		return nil, err
	}
	return v.(pooled).Hub, nil
}

// release gives a reference back.
func release(name string) error {
	_, err := hubs.Delete(name)
	return err
}

// goodbye bounds how long the end of a removed server may hold up the config that
// removed it. A live client takes its last packets at once. One between two polls
// cannot be told: its next request goes to the new config, which has no server for it.
const goodbye = time.Second

// Destruct ends the hub. When the process stops, clients are to come back to its
// successor; when the directive was removed, they are not.
func (p pooled) Destruct() error {
	if caddy.Exiting() {
		return p.Stop()
	}
	ctx, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	return p.Close(ctx, true)
}
