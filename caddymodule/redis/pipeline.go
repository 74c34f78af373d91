package redis

import (
	"context"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// execute sends a batch, and returns those of its commands that are to be sent
// again, and why. With Redis Cluster it goes from server to server, so that it is
// executed in its order.
func (s *sender) execute(batch []command) (again []command, failure error) {
	if s.c.audience != nil && s.c.down.Load() {
		failure = s.c.audience.gather(s.c.ctx)
	}
	ctx, cancel := context.WithTimeout(s.c.ctx, s.c.options.timeout())
	defer cancel()
	for len(batch) > 0 && failure == nil && len(again) == 0 {
		client, n, err := s.route(ctx, batch)
		if err != nil {
			failure = err
			break
		}
		var failed []command
		failed, failure = s.pipeline(ctx, client, batch[:n])
		again, batch = append(again, failed...), batch[n:]
	}
	if failure == nil || isReply(failure) {
		return append(again, batch...), failure
	}
	for _, cmd := range batch {
		again = cmd.retry(again, dialError{failure})
	}
	return again, failure
}

// route returns a server and how many of the commands at the head of a batch are
// for it. In Redis Cluster a transaction is of one slot.
func (s *sender) route(ctx context.Context, batch []command) (client redis.UniversalClient, n int, err error) {
	for ; n < len(batch); n++ {
		next, err := masterOf(ctx, s.c.client, batch[n].key(s.c.options))
		if err != nil {
			return nil, 0, err
		}
		if n > 0 && (client != next || s.c.options.Kind == kindCluster && batch[n].isHome(s.c.options) != batch[0].isHome(s.c.options)) {
			break
		}
		client = next
	}
	return client, n, nil
}

// key says by its slot which server of a Redis Cluster gets a command. It matters
// not which one publishes, so that is always the same: the order of channels is
// kept.
func (cmd *command) key(o *options) string {
	at := 1
	switch cmd.args[0] {
	case "PUBLISH", "PING":
		return o.home()
	case "EVAL":
		at = 3
	}
	key, _ := cmd.args[at].(string)
	return key
}

// isHome reports whether the command is for the slot of what goes to all nodes.
func (cmd *command) isHome(o *options) bool {
	key := cmd.key(o)
	return key == o.home() || strings.HasPrefix(key, tagged(o.home()))
}

// pipeline sends commands to one server. What goes through the stream is in one
// transaction: when Redis refuses one command for a while, since it is full for
// instance, none behind it may be executed, or they would come in another order.
func (s *sender) pipeline(ctx context.Context, client redis.UniversalClient, batch []command) (again []command, failure error) {
	pipe := client.Pipeline()
	if len(batch) > 1 && s.c.stream != nil && (s.c.options.Kind != kindCluster || batch[0].isHome(s.c.options)) {
		pipe = client.TxPipeline()
	}
	cmds := make([]*redis.Cmd, len(batch))
	for i := range batch {
		cmds[i] = pipe.Do(ctx, batch[i].args...)
	}
	_, failed := pipe.Exec(ctx)
	if slices.ContainsFunc(cmds, func(cmd *redis.Cmd) bool { return cmd.Err() != nil }) {
		failed = nil // each command has its own error
	}
	refused := false // for good
	var aborted error
	for i, cmd := range cmds {
		reply, err := cmd.Result()
		if failed != nil { // a connection that Redis does not accept, for its password perhaps
			err = dialError{failed}
		}
		switch {
		case err == nil || isNil(err):
			batch[i].finish(reply, nil)
			continue
		case isAbort(err):
			aborted = err
			again = batch[i].retry(again, err)
			continue
		case passing(err):
			failure = err
			again = batch[i].retry(again, err)
			continue
		}
		refused = true
		s.failed(batch[i].args[0], err)
		batch[i].finish(nil, err)
	}
	if failure == nil && !refused {
		failure = aborted
	}
	return again, failure
}

// isAbort reports whether a transaction was not executed since Redis refuses a
// command of it.
func isAbort(err error) bool { return isReply(err) && strings.HasPrefix(err.Error(), "EXECABORT") }

// retry appends a command that failed to those that are to be sent again, or
// finishes it.
func (cmd *command) retry(again []command, err error) []command {
	if cmd.now && !isReply(err) || cmd.once && !unsent(err) {
		cmd.finish(nil, err)
		return again
	}
	return append(again, *cmd)
}
