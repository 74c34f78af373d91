//go:build unix

package e2e_test

import "testing"

// Calls between browsers: the call page, and signaling.js by itself.
func TestCall(t *testing.T) {
	requirePackages(t, "../../web")
	run(t, "call", "CADDY_BIN="+caddy(t), "CHROMIUM="+requireChromium(t), "TURNSERVER="+requireTURN(t))
}
