package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/server"
)

// pinned marks the process that runs on the generator's core.
const pinned = "BENCH_PINNED=1"

// prepare raises the limit of open files and moves the process to its core. The
// latter starts the program again: only then are all threads of the Go runtime
// bound, and their number is chosen accordingly.
func prepare() error {
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return fmt.Errorf("reading the limit of open files: %w", err)
	}
	files.Cur = files.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return fmt.Errorf("raising the limit of open files: %w", err)
	}
	if slices.Contains(os.Environ(), pinned) {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	// Exec keeps the binding of the thread that calls it.
	runtime.LockOSThread()
	if _, err := server.Pin(server.GeneratorCore); err != nil {
		return fmt.Errorf("the benchmark needs two cores: %w", err)
	}
	return syscall.Exec(self, os.Args, append(os.Environ(), pinned))
}

// checkTools makes sure that the servers can be started: it builds Caddy unless
// it was given one, and looks for node and its packages.
func checkTools(ctx context.Context, o *options, t *server.Tools) error {
	if slices.Contains(o.servers, server.Node) || slices.Contains(o.servers, server.Proxied) {
		if _, err := exec.LookPath("node"); err != nil {
			return fmt.Errorf("install Node.js 20 or later: %w", err)
		}
		if _, err := os.Stat(filepath.Join(t.NodeDir, "node_modules", "socket.io")); err != nil {
			return fmt.Errorf("run npm ci in %s: %w", t.NodeDir, err)
		}
	}
	if o.cluster {
		if _, err := exec.LookPath("redis-server"); err != nil {
			return fmt.Errorf("install redis-server: %w", err)
		}
	}
	if t.Caddy != "" || !slices.ContainsFunc(o.servers, server.Kind.Caddy) {
		return nil
	}
	t.Caddy = filepath.Join(t.Dir, "caddy")
	main := filepath.Join(t.Dir, "main.go")
	modules := []string{"github.com/caddyserver/caddy/v2/modules/standard", "github.com/caddy-socketio/caddy-socketio/caddymodule"}
	if o.cluster {
		modules = append(modules, "github.com/caddy-socketio/caddy-socketio/caddymodule/redis")
	}
	if err := os.WriteFile(main, []byte(caddyMain(modules)), 0o600); err != nil {
		return err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", t.Caddy, main)
	if out, err := build.CombinedOutput(); err != nil {
		return errors.Join(fmt.Errorf("building Caddy: %w", err), errors.New(string(out)))
	}
	return nil
}

// caddyMain is what xcaddy would generate from modules.
func caddyMain(modules []string) string {
	var b strings.Builder
	b.WriteString("package main\n\nimport (\n\tcaddycmd \"github.com/caddyserver/caddy/v2/cmd\"\n")
	for _, m := range modules {
		fmt.Fprintf(&b, "\t_ %q\n", m)
	}
	b.WriteString(")\n\nfunc main() { caddycmd.Main() }\n")
	return b.String()
}
