package main

import (
	"context"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/server"
)

// environment names the machine and the versions, as far as they can be told.
func environment(ctx context.Context, tools *server.Tools) map[string]string {
	env := map[string]string{"go": runtime.Version(), "cpu": field("/proc/cpuinfo", "model name")}
	commands := map[string][]string{
		"kernel":    {"uname", "-sr"},
		"node":      {"node", "--version"},
		"socket.io": {"node", "-p", "require(process.argv[1] + '/node_modules/socket.io/package.json').version", tools.NodeDir},
	}
	if tools.Caddy != "" {
		commands["caddy"] = []string{tools.Caddy, "version"}
	}
	// What cannot be told is left out; the figures are worth the same without it.
	for name, argv := range commands {
		out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).Output()
		if err == nil {
			env[name] = strings.TrimSpace(string(out))
		}
	}
	return env
}

// field is the first value of that name in a file such as /proc/cpuinfo.
func field(path, name string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// writeFile creates a file with what write writes.
func writeFile(path string, write func(io.Writer) error) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := write(file); err != nil {
		_ = file.Close() // the first error tells more
		return err
	}
	return file.Close()
}
