// Command bench compares Caddy with the socketio handler with the servers it
// takes the place of: Node's socket.io, the same behind Caddy's reverse proxy,
// and, as the physical limit, a Go websocket server without Socket.IO.
//
// Servers are pinned to one core and the load generator to another. Every case
// starts every server afresh, round after round in turn, and reads the CPU time
// and memory of the server's processes from the kernel. It needs Linux, two
// cores, node, and `npm ci` in internal/bench/node.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/bare"
	"github.com/caddy-socketio/caddy-socketio/internal/bench/server"
)

func main() {
	log.SetFlags(log.Ltime)
	// The bare server is this binary, so that nothing else need be built.
	if len(os.Args) > 2 && os.Args[1] == server.BareArgument {
		log.Fatal(bare.Serve(os.Args[2], os.Args[3:]))
	}
	o, err := parseOptions(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil && o.figures {
		if err = writeReadme(o.readme, o.results); err == nil {
			return
		}
	}
	if err == nil {
		err = prepare()
	}
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		stop()
		log.Fatal(err)
	}
}

// run builds what is missing, then does what the options ask for.
func run(ctx context.Context, o *options) (err error) {
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	tools := &server.Tools{Caddy: o.caddy, NodeDir: o.nodeDir, Dir: dir}
	if tools.Self, err = os.Executable(); err != nil {
		return err
	}
	if err := checkTools(ctx, o, tools); err != nil {
		return fmt.Errorf("preparing the servers: %w", err)
	}
	switch {
	case o.soak:
		return soaked(ctx, o, tools)
	case o.cluster:
		return measureClusters(ctx, o, tools)
	case o.faults:
		err = misbehave(ctx, o, tools)
	default:
		err = measure(ctx, o, tools)
	}
	// What has failed is missing from the figures, and told as well.
	if o.readme != "" && ctx.Err() == nil {
		err = errors.Join(err, writeReadme(o.readme, o.results))
	}
	return err
}
