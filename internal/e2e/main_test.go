//go:build unix

// Package e2e_test runs stock clients, raw-protocol clients and a browser against
// a Caddy binary that has the Socket.IO server built in. The tests proper are
// JavaScript, in the folder suites, since the clients are; each of them is
// reported as a subtest here.
//
// They need Node 20 or later, the packages of package-lock.json ("npm ci" in this
// folder and in web/react) and Chromium. What is missing skips its tests, or
// fails them if CI=true or E2E=required is in the environment.
package e2e_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// workDir holds the binary and is removed in the end.
var workDir string

func TestMain(m *testing.M) {
	var err error
	if workDir, err = os.MkdirTemp("", "caddy-e2e-"); err != nil {
		fmt.Fprintln(os.Stderr, "making the work folder:", err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if err := os.RemoveAll(workDir); err != nil {
			fmt.Fprintln(os.Stderr, "removing the work folder:", err)
			code = max(code, 1)
		}
		os.Exit(code)
	}))
}
