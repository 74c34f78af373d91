// Package redis connects nodes through Redis or Valkey, in the formats of the
// packages @socket.io/redis-streams-adapter and @socket.io/redis-adapter for Node,
// so that servers and emitters of other kinds can be in the same cluster. It is
// not part of a build unless it is asked for:
//
//	xcaddy build --with …/caddymodule --with …/caddymodule/redis
package redis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

func init() { caddy.RegisterModule(new(Cluster)) }

// Cluster makes this server a node of a Socket.IO cluster around a Redis, a Valkey
// or a Redis Cluster. Broadcasts, rooms and the like then span all nodes, among
// which may be servers for Node with the same adapter and prefix.
//
// Servers of different names in one Caddy are different nodes; if they are not to
// hear each other, give them different prefixes.
type Cluster struct {
	// Where Redis is: `redis://host:6379/0`, `rediss://…` for TLS,
	// `redis+sentinel://host:26379,host:26379/<master>/0`, or
	// `redis+cluster://host:6379,host:6379`. Placeholders are replaced.
	URL string `json:"url,omitempty"`

	// The user and password, in place of those in the URL. Keep them out of the
	// config with placeholders: `{env.REDIS_PASSWORD}` or
	// `{file./run/secrets/redis}`.
	User     string `json:"user,omitempty"`
	Password string `json:"password,omitempty"`

	// The user and password for the Sentinels. Default: none.
	SentinelUser     string `json:"sentinel_user,omitempty"`
	SentinelPassword string `json:"sentinel_password,omitempty"`

	// Certificates for `rediss://`. Default: the system's authorities, and none
	// for this client.
	TLS *TLS `json:"tls,omitempty"`

	// What the names of keys, channels and the stream begin with; nodes of one
	// cluster have the same. Default: `socket.io`.
	Prefix string `json:"prefix,omitempty"`

	// How messages travel: `streams` as @socket.io/redis-streams-adapter does,
	// which loses nothing when a connection breaks, and from which sockets are
	// recovered on any node; or `pubsub` as @socket.io/redis-adapter does, which
	// more servers and emitters speak, and where recovery works on the same
	// node only. Default: `streams`.
	Adapter string `json:"adapter,omitempty"`

	// The name of the stream. Default: the prefix.
	Stream string `json:"stream,omitempty"`

	// How many messages the stream keeps, about. It bounds for how long a node
	// may be cut off, or a client away, without missing anything. Default: 10000.
	MaxLength int64 `json:"max_length,omitempty"`

	// What the keys of sessions begin with that recovery keeps for clients that
	// have lost their connection. Default: `sio:session:`.
	SessionPrefix string `json:"session_prefix,omitempty"`

	// How long a Redis command may take, after which Redis counts as away.
	// Default: 3s.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// How long other nodes may take to answer a request. Default: 5s.
	RequestTimeout caddy.Duration `json:"request_timeout,omitempty"`

	// How many bytes may wait while Redis is away. Beyond that the oldest
	// message is dropped. Default: 16000000.
	QueueSize int64 `json:"queue_size,omitempty"`

	// With `pubsub`: answers go to a channel of the node that asked, not to
	// all. Nodes may differ in it. Default: false.
	SpecificResponses bool `json:"publish_on_specific_response_channel,omitempty"`

	options *options
	held    bool
}

// TLS holds the certificates for a connection.
type TLS struct {
	// A file with the authorities that vouch for Redis, in PEM.
	CA string `json:"ca,omitempty"`
	// Files with this client's certificate and its key, in PEM.
	Certificate string `json:"certificate,omitempty"`
	Key         string `json:"key,omitempty"`
	// The name that Redis's certificate must have. Default: the host's.
	ServerName string `json:"server_name,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*Cluster) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.socketio.cluster.redis",
		New: func() caddy.Module { return new(Cluster) },
	}
}

// Provision takes the connection from the pool. It does not use the network; that
// begins when the whole config is live.
func (r *Cluster) Provision(ctx caddy.Context) error {
	var err error
	if r.options, err = r.build(); err != nil {
		return err
	}
	c, err := acquire(r.options)
	if err != nil {
		return err
	}
	r.held = true
	var again prometheus.AlreadyRegisteredError // by another server of this config
	if err := ctx.GetMetricsRegistry().Register(c.metrics); err != nil && !errors.As(err, &again) {
		return fmt.Errorf("cluster redis: registering metrics: %w", err)
	}
	events, err := ctx.App("events")
	if err != nil {
		return fmt.Errorf("cluster redis: getting the events app: %w", err)
	}
	return events.(*caddyevents.App).On("started", starter{c})
}

// starter starts a connection once the whole config is live.
type starter struct{ c *connection }

// Handle implements caddyevents.Handler.
func (s starter) Handle(context.Context, caddy.Event) error {
	s.c.start()
	return nil
}

// Cleanup gives the connection back. Namespaces that are still linked hold it
// themselves.
func (r *Cluster) Cleanup() error {
	if !r.held {
		return nil
	}
	r.held = false
	return release(r.options)
}

// build makes the connection's options, with the defaults and placeholders.
func (r *Cluster) build() (*options, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	o := &options{
		Prefix: r.Prefix, Adapter: r.Adapter, Stream: r.Stream, Sessions: r.SessionPrefix, MaxLength: r.MaxLength, Queue: r.QueueSize,
		Timeout: time.Duration(r.Timeout), Request: time.Duration(r.RequestTimeout), SpecificResponses: r.SpecificResponses,
	}
	address, err := expand("url", r.URL)
	if err != nil {
		return nil, err
	}
	if err := o.parseURL(address); err != nil {
		return nil, err
	}
	if err := r.checkURL(o); err != nil {
		return nil, err
	}
	for name, one := range map[string]struct {
		in   string
		into *string
	}{
		"user": {r.User, &o.User}, "password": {r.Password, &o.Password},
		"sentinel_user": {r.SentinelUser, &o.SentinelUser}, "sentinel_password": {r.SentinelPassword, &o.SentinelPass},
	} {
		if one.in == "" {
			continue // or as the URL says
		}
		if *one.into, err = expand(name, one.in); err != nil {
			return nil, err
		}
	}
	if t := r.TLS; t != nil {
		o.CAFile, o.CertFile, o.KeyFile, o.ServerName = t.CA, t.Certificate, t.Key, t.ServerName
	}
	o.defaults()
	return o, o.loadTLS()
}

// defaults fills in what is not set.
func (o *options) defaults() {
	orElse(&o.Prefix, defaultPrefix)
	orElse(&o.Adapter, adapterStreams)
	orElse(&o.Stream, o.Prefix)
	orElse(&o.Sessions, defaultSessions)
	orElse(&o.MaxLength, defaultMaxLength)
	orElse(&o.Timeout, defaultTimeout)
	orElse(&o.Request, defaultRequest)
	orElse(&o.Queue, defaultQueue)
}

func orElse[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Key implements [gateway.Cluster].
func (r *Cluster) Key() string { return r.options.key() }

// Join implements [gateway.Cluster].
func (r *Cluster) Join(ns string, local gateway.Local) (gateway.Link, error) {
	c, err := acquire(r.options)
	if err != nil {
		return nil, err
	}
	return newLink(c, ns, local), nil
}

// pool holds the connections by their options.
var pool = caddy.NewUsagePool()

func acquire(o *options) (*connection, error) {
	v, _, err := pool.LoadOrNew(o.key(), func() (caddy.Destructor, error) {
		c := newConnection(o)
		var err error
		c.unshare, err = c.share()
		return c, err
	})
	if err != nil {
		return nil, err
	}
	return v.(*connection), nil
}

func release(o *options) error {
	_, err := pool.Delete(o.key())
	return err
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Cluster)(nil)
	_ caddy.CleanerUpper    = (*Cluster)(nil)
	_ caddyfile.Unmarshaler = (*Cluster)(nil)
	_ gateway.Cluster       = (*Cluster)(nil)
	_ gateway.Link          = (*link)(nil)
	_ gateway.Sessions      = (*sessions)(nil)
)
