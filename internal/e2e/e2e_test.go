//go:build unix

package e2e_test

import "testing"

// The reference server passes the suites that are about the protocol and about
// stock clients, so what they ask of ours is right.
func TestReferenceServer(t *testing.T) {
	for _, suite := range []string{"protocol", "client"} {
		t.Run(suite, func(t *testing.T) { run(t, suite, "E2E_SERVER=reference") })
	}
}

// Every MUST of Engine.IO v4 and Socket.IO v5, frame by frame.
func TestProtocol(t *testing.T) { run(t, "protocol", "CADDY_BIN="+caddy(t)) }

// Stock clients of three generations.
func TestClients(t *testing.T) { run(t, "client", "CADDY_BIN="+caddy(t)) }

// What is ours: origins, errors, the webrtc gateway, the site around it.
func TestCaddy(t *testing.T) { run(t, "caddy", "CADDY_BIN="+caddy(t)) }

// Tokens that expire and are renewed.
func TestIdentity(t *testing.T) { run(t, "identity", "CADDY_BIN="+caddy(t)) }

// Reloads, stops, recovery.
func TestLifecycle(t *testing.T) { run(t, "lifecycle", "CADDY_BIN="+caddy(t)) }

// Clients, guests and issuers that mean harm: the right answer, bounded memory,
// nothing left behind.
func TestAttack(t *testing.T) { run(t, "attack", "CADDY_BIN="+caddy(t)) }

// Chromium on the test page, on the React page, over https and HTTP/2.
func TestBrowser(t *testing.T) {
	requirePackages(t, "../../web")
	requirePackages(t, "../../web/react")
	run(t, "browser", "CADDY_BIN="+caddy(t), "CHROMIUM="+requireChromium(t))
}
