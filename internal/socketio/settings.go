package socketio

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
	"github.com/caddy-socketio/caddy-socketio/internal/incidents"
)

// Settings are the settings of a [Server], replaced as a whole by
// [Server.Configure]. They must not be changed after they were given to it. A
// zero duration or number takes the default named at the field.
type Settings struct {
	// Name is the name of the directive, what [gateway.Namespace.Server] tells.
	Name string
	// Namespaces are what clients may enter. Of several /regexp/ names that
	// match, the first counts; a static name goes before all of them.
	Namespaces []Namespace
	// ConnectTimeout is how long a session may stay without a socket. Default: 45s.
	ConnectTimeout time.Duration
	// MaxPayload bounds one message, in bytes; twice of it may wait for one
	// socket's handlers. Default: 1e6.
	MaxPayload int
	// Recovery is for how long a socket whose transport was lost can be
	// recovered. 0: off.
	Recovery time.Duration
	// RecoverySession and RecoveryTotal bound what is kept for one session's and
	// for all sessions' recovery, in bytes. Defaults: 1e6 and 64e6.
	RecoverySession, RecoveryTotal int
	// EventRate and EventBurst bound the events of one socket, per second.
	// EventRate 0: no limit.
	EventRate  rate.Limit
	EventBurst int
	// ByteRate and ByteBurst bound the bytes of one socket's events and acks,
	// per second. ByteRate 0: no limit.
	ByteRate  rate.Limit
	ByteBurst int
	// RoomsPerSocket bounds the rooms one socket may be in. Default: 50.
	RoomsPerSocket int
	// NamespacesPerSession bounds the sockets of one session. Default: 64.
	NamespacesPerSession int
	// DynamicNamespaces bounds the live namespaces of /regexp/ names. Default: 10000.
	DynamicNamespaces int
	// Cluster connects the namespaces to those of other nodes. Nil: none.
	Cluster gateway.Cluster
	// Incidents counts and logs limits and refusals. Nil: one that writes to
	// Logger.
	Incidents *incidents.Book
	// Logger gets the package's logs. Nil: none.
	Logger *zap.Logger
	// Trace begins the span of an event, in a session whose client has that
	// Trace. The handler gets the context, finish the handler's error. It is
	// called by many goroutines at once. Nil: no spans.
	Trace func(ctx context.Context, origin any, ns, event string) (_ context.Context, finish func(error))
	// Observer is told what happens. Nil: nobody.
	Observer Observer
	// WallClock is the clock by which identities end, which may be set at any
	// time. Nil: time.Now.
	WallClock func() time.Time
}

// Namespace says who serves the namespaces of a name.
type Namespace struct {
	// Name is a static name such as "/chat", or a regular expression between
	// slashes, which must match the whole of a namespace's name.
	Name string
	// Gateway serves the sockets.
	Gateway gateway.Gateway
	// Authenticator decides who may enter. Nil: everybody, with the identity
	// that the front found.
	Authenticator gateway.Authenticator
}

// ErrNamespaceName is wrapped by the errors about malformed namespace names.
var ErrNamespaceName = errors.New("bad namespace name")

// MaxNamespaceName bounds a namespace's name in packets and in settings, in bytes.
const MaxNamespaceName = 512

// ParseNamespace reads the name of a namespace. It returns the regular
// expression of a /regexp/ name, nil for a static one.
func ParseNamespace(name string) (*regexp.Regexp, error) {
	switch {
	case len(name) > MaxNamespaceName:
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrNamespaceName, MaxNamespaceName)
	case !strings.HasPrefix(name, "/"):
		return nil, fmt.Errorf("%w %q: it must begin with a slash", ErrNamespaceName, name)
	case strings.ContainsAny(name, ",?") && !strings.HasSuffix(name, "/"):
		return nil, fmt.Errorf("%w %q: it cannot hold a comma or question mark", ErrNamespaceName, name)
	case name == "/" || !strings.HasSuffix(name, "/"):
		return nil, nil
	}
	// By itself first: a stray parenthesis would end the anchored group, and what
	// it anchors with it.
	pattern := name[1 : len(name)-1]
	if _, err := regexp.Compile(pattern); err != nil {
		return nil, fmt.Errorf("%w %q: %w", ErrNamespaceName, name, err)
	}
	re, err := regexp.Compile("^(?:" + pattern + ")$")
	if err != nil {
		return nil, fmt.Errorf("%w %q: %w", ErrNamespaceName, name, err)
	}
	return re, nil
}

// withDefaults is a copy of s with every default filled in.
func (s *Settings) withDefaults() *Settings {
	c := *s
	orDefault(&c.ConnectTimeout, 45*time.Second)
	orDefault(&c.MaxPayload, 1e6)
	orDefault(&c.RecoverySession, 1e6)
	orDefault(&c.RecoveryTotal, 64e6)
	orDefault(&c.RoomsPerSocket, 50)
	orDefault(&c.NamespacesPerSession, 64)
	orDefault(&c.DynamicNamespaces, 10000)
	orDefault(&c.EventBurst, max(1, int(c.EventRate)))
	orDefault(&c.ByteBurst, max(1, int(c.ByteRate)))
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	if c.Incidents == nil {
		c.Incidents = incidents.New(func() *zap.Logger { return c.Logger })
	}
	if c.Observer == nil {
		c.Observer = nobody{}
	}
	if c.WallClock == nil {
		c.WallClock = time.Now
	}
	return &c
}

func orDefault[T time.Duration | int](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}
