package caddymodule_test

import (
	"os/exec"
	"strings"
	"testing"
)

// A Caddy without the package redis must not carry its client.
func TestLinksNoRedisClient(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range strings.Fields(string(out)) {
		if strings.Contains(path, "redis") {
			t.Errorf("it links %s", path)
		}
	}
}
