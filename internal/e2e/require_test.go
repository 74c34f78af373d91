//go:build unix

package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// missing skips the test, or fails it where everything must be there.
func missing(t *testing.T, what, cure string) {
	t.Helper()
	if os.Getenv("CI") == "true" || os.Getenv("E2E") == "required" {
		t.Fatalf("%s is missing: %s", what, cure)
	}
	t.Skipf("%s is missing: %s (with CI=true or E2E=required this is a failure)", what, cure)
}

// requireNode returns the path of node, and makes sure that the packages are
// there.
func requireNode(t *testing.T) string {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		missing(t, "node", "install Node 20 or later")
	}
	requirePackages(t, ".")
	return node
}

func requirePackages(t *testing.T, dir string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(dir, "node_modules", ".package-lock.json")); err != nil {
		missing(t, "node_modules in "+dir, "run npm ci in that folder")
	}
}

// requireChromium returns the path of the browser.
func requireChromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); name != "" && err == nil {
			return path
		}
	}
	missing(t, "chromium", "install Debian's package chromium, or say in CHROMIUM where it is")
	return ""
}

// requireTURN returns the path of coturn's server.
func requireTURN(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("turnserver")
	if err != nil {
		missing(t, "turnserver", "install Debian's package coturn")
	}
	return path
}
