// Package webrtc is the gateway for WebRTC signaling: rooms in which peers find
// each other, and the relay of what they have to tell each other. The rules are
// in internal/signaling; this package configures them from Caddy and connects
// them to the sockets of a namespace.
package webrtc

import (
	"context"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
	"github.com/caddy-socketio/caddy-socketio/internal/signaling"
)

func init() { caddy.RegisterModule(new(Gateway)) }

// Gateway is WebRTC signaling: clients join rooms, learn who is there, and relay
// offers, answers, candidates and messages to each other. Media never passes
// through it. Rooms and peers survive config reloads, and changed options apply to
// live rooms at once.
type Gateway struct {
	// The most peers of one room; further ones are refused with `room-full`. In
	// a call without a media server each peer sends its media to every other, so
	// few devices stand more than 8 with video. Default: 16.
	RoomCapacity int `json:"room_capacity,omitempty"`

	// How long a peer whose connection was lost keeps its place, role and locks,
	// so that a change of network does not end its calls. 0 means that it leaves
	// at once. Default: 10s.
	DepartureGrace *caddy.Duration `json:"departure_grace,omitempty"`

	// How long a room outlives its last peer, with its metadata. 0 means that it
	// ends at once, as a locked room always does: nobody could come in. Default:
	// 30s.
	EmptyTimeout *caddy.Duration `json:"empty_timeout,omitempty"`

	// When presence comes in batches, so that in a large room comings and goings
	// do not cost every member an event each. Default: above 50 peers, every 2s.
	PresenceInterval *Presence `json:"presence_interval,omitempty"`

	// What happens when a user who is in a room joins it from another socket:
	// `allow` lets both be, `replace` puts the older one out, and `reject`
	// refuses the newer one with `duplicate-user`. Guests never count as the
	// same user. Default: `allow`.
	DuplicateUser string `json:"duplicate_user,omitempty"`

	// Who is host of a room and may use `moderate`. Default: nobody.
	Host *Host `json:"host,omitempty"`

	// Whether an identified user may send messages to all sockets of another by
	// the user's id, for ringing. It tells callers whether that user is
	// connected. Default: off.
	DirectMessages bool `json:"direct_messages,omitempty"`

	// The largest description (SDP) that is relayed, in bytes. Default: 64000.
	MaxDescription int64 `json:"max_description,omitempty"`

	// The largest message, candidate, state, or metadata of a room, in bytes.
	// Default: 32000.
	MaxMessage int64 `json:"max_message,omitempty"`

	// Addresses of STUN servers, which tell clients their public address, such
	// as `stun:stun.example.com:3478`. Sent with every answer to `join`.
	// Default: none.
	STUN []string `json:"stun,omitempty"`

	// TURN servers, which relay the media of clients that cannot reach each
	// other. Sent with every answer to `join`. Default: none.
	TURN []*TURN `json:"turn,omitempty"`

	options signaling.Options
	logger  *zap.Logger
}

// Presence says when presence comes in batches.
type Presence struct {
	// The number of peers above which a room's presence is batched. Default: 50.
	Above int `json:"above,omitempty"`

	// The time from the first change to the batch that tells of it. Default: 2s.
	Interval caddy.Duration `json:"interval,omitempty"`
}

// Host says who is host of a room.
type Host struct {
	// `none`, `first` (the oldest peer; when the last host has left, the next
	// oldest), or `claim`. Default: `none`.
	Mode string `json:"mode,omitempty"`

	// For `claim`: the claim of the identity that makes a host, and its value.
	// A claim that is a list has to contain the value.
	Claim string `json:"claim,omitempty"`
	Value string `json:"value,omitempty"`
}

// TURN is a group of addresses of one TURN server, with its credentials.
type TURN struct {
	// Addresses, such as `turn:turn.example.com:3478` or
	// `turns:turn.example.com:5349?transport=tcp`.
	URLs []string `json:"urls,omitempty"`

	// The secret shared with the TURN server (coturn: `use-auth-secret` and
	// `static-auth-secret`), from which every peer gets credentials of its own
	// that end after `ttl`. Keep it out of the config with a placeholder:
	// `{env.TURN_SECRET}` or `{file./run/secrets/turn}`.
	Secret string `json:"secret,omitempty"`

	// How long such credentials are good for. Clients fetch new ones before that
	// with `ice-servers`; a call that runs is not cut. Default: 1h.
	TTL caddy.Duration `json:"ttl,omitempty"`

	// In place of a secret: lasting credentials, the same for everyone. Anyone who
	// joins a room can keep and use them. They may be placeholders too.
	Username   string `json:"username,omitempty"`
	Credential string `json:"credential,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*Gateway) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.socketio.gateways.webrtc",
		New: func() caddy.Module { return new(Gateway) },
	}
}

// Provision fills in defaults and placeholders.
func (g *Gateway) Provision(ctx caddy.Context) (err error) {
	g.logger = ctx.Logger()
	g.options, err = g.build()
	return err
}

// Validate checks what was configured.
func (g *Gateway) Validate() error {
	if err := g.options.Validate(); err != nil {
		return fmt.Errorf("gateway webrtc: %w", err)
	}
	return nil
}

// Init gives the options to the rooms of a namespace, which are there already
// after a reload.
func (g *Gateway) Init(_ context.Context, ns gateway.Namespace) error {
	r := roomsOf(ns)
	r.port.logger.Store(g.logger)
	r.serve(g.options)
	return nil
}

// Events names what all sockets' one handler handles.
func (*Gateway) Events() []string { return append(signaling.Events(), "ping", "renew") }

// Renewed lets the rooms know that the claims of a socket may make it host now.
func (*Gateway) Renewed(_ context.Context, s gateway.Socket) {
	if service := roomsOf(s.Namespace()).current(); service != nil {
		service.Renewed(s.ID())
	}
}

// Interface guards
var (
	_ caddy.Provisioner      = (*Gateway)(nil)
	_ caddy.Validator        = (*Gateway)(nil)
	_ caddyfile.Unmarshaler  = (*Gateway)(nil)
	_ gateway.Gateway        = (*Gateway)(nil)
	_ gateway.Initializer    = (*Gateway)(nil)
	_ gateway.EventNamer     = (*Gateway)(nil)
	_ gateway.RenewalWatcher = (*Gateway)(nil)
)
