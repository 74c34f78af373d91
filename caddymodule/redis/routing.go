package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"
)

func init() { redis.SetLogger(libraryLog{}) }

// libraryLog is what the library tells, of Sentinels for instance, beside the
// errors that it returns. It is safe for concurrent use.
type libraryLog struct{}

// Printf implements the library's interface.
func (libraryLog) Printf(_ context.Context, format string, args ...any) {
	logger().Debug("redis client", zap.String("message", fmt.Sprintf(format, args...)))
}

// newClient makes the client of the library, which uses no network yet.
func newClient(o *options, servers *census) redis.UniversalClient {
	client := redis.NewUniversalClient(o.client())
	if cluster, ok := client.(*redis.ClusterClient); ok {
		cluster.OnNewNode(func(one *redis.Client) {
			one.AddHook(dialHook{})
			servers.met(one)
		})
	} else {
		client.AddHook(dialHook{})
	}
	return client
}

// dialHook marks the errors of connections that could not be made, with which
// nothing was sent: the library's own tell only sometimes. It taps subscriptions.
type dialHook struct{}

type dialError struct{ error }

func (e dialError) Unwrap() error { return e.error }

// DialHook implements [redis.Hook].
func (dialHook) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := next(ctx, network, addr)
		if err != nil {
			return nil, dialError{err}
		}
		return tapped(ctx, conn), nil
	}
}

// ProcessHook implements [redis.Hook].
func (dialHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

// ProcessPipelineHook implements [redis.Hook].
func (dialHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// masterOf returns the client of the server that has a key: of the only one, where
// there is no Redis Cluster.
func masterOf(ctx context.Context, client redis.UniversalClient, key string) (redis.UniversalClient, error) {
	cluster, ok := client.(*redis.ClusterClient)
	if !ok {
		return client, nil
	}
	master, err := cluster.MasterForKey(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("finding the server of a slot: %w", err)
	}
	return master, nil
}

// renew makes the client of a Redis Cluster look again which server has what. It
// does not wait.
func (c *connection) renew() {
	if cluster, ok := c.client.(*redis.ClusterClient); ok {
		cluster.ReloadState(c.ctx)
	}
}

// tagged is a name with a hash tag: Redis Cluster keeps whatever begins with it in
// one slot, which is that of the plain name.
func tagged(name string) string {
	if _, rest, ok := strings.Cut(name, "{"); ok && strings.Index(rest, "}") > 0 {
		return name // it has one
	}
	return "{" + name + "}"
}

// isReply tells an answer of Redis from an error of the connection, which may hold
// an answer, such as a Sentinel's that it knows no such master.
func isReply(err error) bool {
	_, ok := err.(redis.Error) //nolint:errorlint // what is wrapped is another's answer
	return ok
}

// isNil reports whether Redis answered that there is nothing.
func isNil(err error) bool { return err == redis.Nil }

// unsent reports whether a command that failed so was certainly not executed.
func unsent(err error) bool {
	var dial dialError
	return isReply(err) || errors.As(err, &dial) || errors.Is(err, redis.ErrClosed)
}

// passing reports whether an error goes away by itself: of the connection, or of
// a Redis that loads, fails over or is full. A wrong password is among them: while
// one is being changed, nothing must get lost.
func passing(err error) bool {
	if !isReply(err) {
		return true
	}
	text := err.Error()
	for _, prefix := range []string{
		"OOM ", "LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "NOREPLICAS", "MISCONF", "BUSY ", "MOVED ", "ASK ", "UNBLOCKED",
		"WRONGPASS", "NOAUTH", "DENIED", "ERR AUTH", "ERR max number of clients", "ERR DB index",
	} {
		if strings.HasPrefix(text, prefix) {
			return true
		}
	}
	return false
}
