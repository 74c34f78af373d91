//go:build unix

package e2e_test

import (
	"os/exec"
	"testing"
)

// A cluster of Caddy nodes and servers for Node around a Redis.
func TestCluster(t *testing.T) {
	redis := requireRedis(t)
	run(t, "cluster", "CADDY_BIN="+caddy(t), "REDIS_SERVER="+redis)
}

// requireRedis returns the path of redis-server.
func requireRedis(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		missing(t, "redis-server", "install Debian's package redis-server")
	}
	return path
}
