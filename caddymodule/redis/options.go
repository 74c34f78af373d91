package redis

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// The adapters, and what the defaults of the packages for Node are.
const (
	adapterStreams = "streams"
	adapterPubSub  = "pubsub"

	kindSentinel = "sentinel"
	kindCluster  = "cluster"

	defaultPrefix    = "socket.io"
	defaultSessions  = "sio:session:"
	defaultMaxLength = 10000
	defaultTimeout   = 3 * time.Second
	defaultRequest   = 5 * time.Second
	defaultQueue     = 16e6
)

// options are the settings of a connection, complete and with placeholders
// replaced. Two of equal key stand for the same cluster.
type options struct {
	Addresses    []string
	Kind         string // "", "sentinel" or "cluster"
	Master       string
	DB           int
	User         string
	Password     string
	SentinelUser string
	SentinelPass string
	TLS          bool
	CAFile       string
	CertFile     string
	KeyFile      string
	ServerName   string

	Prefix, Adapter, Stream, Sessions string
	MaxLength, Queue                  int64
	Timeout, Request                  time.Duration
	SpecificResponses                 bool

	tls *tls.Config
}

var errURL = wrong("url", "it must be like redis://host:6379, rediss://host:6379 (TLS), redis+sentinel://host:26379,host:26379/master "+
	"or redis+cluster://host:6379,host:6379; write a password into the option of that name")

// parseURL reads the address of a Redis. Nothing of the URL is in the error: it
// may hold a password.
func (o *options) parseURL(text string) error {
	scheme, rest, _ := strings.Cut(text, "://")
	scheme, kind, isKind := strings.Cut(scheme, "+")
	if scheme != "redis" && scheme != "rediss" || isKind && kind != kindSentinel && kind != kindCluster || strings.ContainsAny(rest, "?#") {
		return errURL
	}
	o.TLS, o.Kind = scheme == "rediss", kind
	authority, path, _ := strings.Cut(rest, "/")
	// Each host is read as if it were alone: no other URL has several.
	at := strings.LastIndex(authority, "@") + 1
	for _, host := range strings.Split(authority[at:], ",") {
		u, err := url.Parse("redis://" + authority[:at] + host)
		if err != nil || u.Hostname() == "" {
			return errURL
		}
		o.User = u.User.Username()
		o.Password, _ = u.User.Password()
		port := u.Port()
		switch {
		case port != "":
		case kind == kindSentinel:
			port = "26379"
		default:
			port = "6379"
		}
		o.Addresses = append(o.Addresses, net.JoinHostPort(u.Hostname(), port))
	}
	return o.parsePath(strings.Split(strings.Trim(path, "/"), "/"))
}

// parsePath reads the master's name, of Sentinel, and the number of a database.
func (o *options) parsePath(parts []string) error {
	if o.Kind == kindSentinel {
		if parts[0] == "" {
			return errURL
		}
		o.Master, parts = parts[0], parts[1:]
	}
	if o.Kind == "" && len(o.Addresses) > 1 || len(parts) > 1 {
		return errURL
	}
	if len(parts) == 0 || parts[0] == "" {
		return nil
	}
	db, err := strconv.Atoi(parts[0])
	switch {
	case err != nil || db < 0:
		return errURL
	case o.Kind == kindCluster:
		return wrong("url", "a Redis Cluster has one database only; remove /%d", db)
	}
	o.DB = db
	return nil
}

// loadTLS reads the files of certificates.
func (o *options) loadTLS() error {
	if !o.TLS {
		return nil
	}
	o.tls = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: o.ServerName}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return wrong("tls", "the file of ca cannot be read; name another, or let Caddy's user read it: %v", err)
		}
		o.tls.RootCAs = x509.NewCertPool()
		if !o.tls.RootCAs.AppendCertsFromPEM(pem) {
			return wrong("tls", "%s, of ca, holds no certificate; it must be one in PEM", o.CAFile)
		}
	}
	if o.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
		if err != nil {
			return wrong("tls", "certificate and its key cannot be used; both must be files in PEM that belong together: %v", err)
		}
		o.tls.Certificates = []tls.Certificate{pair}
	}
	return nil
}

// client are the options for the library. It repeats nothing by itself: what may
// be repeated is up to the sender.
func (o *options) client() *redis.UniversalOptions {
	return &redis.UniversalOptions{
		Addrs: o.Addresses, MasterName: o.Master, IsClusterMode: o.Kind == kindCluster, DB: o.DB,
		Username: o.User, Password: o.Password,
		SentinelUsername: o.SentinelUser, SentinelPassword: o.SentinelPass,
		TLSConfig: o.tls, ClientName: "caddy-socketio", DisableIdentity: true,
		DialTimeout: o.Timeout, ReadTimeout: o.Timeout, WriteTimeout: o.Timeout, ContextTimeoutEnabled: true,
		MaxRetries: -1, DialerRetries: 1,
	}
}

// key identifies the cluster and how it is used. It holds secrets.
func (o *options) key() string {
	c := *o
	c.tls = nil
	return fmt.Sprintf("%+v", c)
}

// display is the address without secrets.
func (o *options) display() string { return strings.Join(o.Addresses, ",") }

func (o *options) timeout() time.Duration { return o.Timeout }

func (o *options) maxQueue() int { return int(o.Queue) }

// home is a key in the slot in which Redis Cluster keeps the stream, or, with
// pub/sub, what belongs to no key.
func (o *options) home() string {
	if o.Adapter == adapterStreams {
		return o.Stream
	}
	return tagged(o.Prefix)
}

// stateKeys is the prefix of the keys of what a namespace shares: all in one slot,
// that of the stream or of what is published, to which a change writes in the same
// step.
func (o *options) stateKeys(ns string) string { return tagged(o.home()) + ":state:" + ns + ":" }
