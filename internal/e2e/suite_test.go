//go:build unix

package e2e_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// result is a line of lib/reporter.mjs.
type result struct {
	File    string `json:"file"`
	Name    string `json:"name"`
	MS      int    `json:"ms"`
	Skipped bool   `json:"skipped"`
	Failure string `json:"failure"`
}

// run runs the test files of a suite in Node and reports each test as a subtest.
// The environment of the suites:
//
//	CADDY_BIN   the binary under test
//	E2E_SERVER  "reference" for the reference server in its place
//	CHROMIUM    the browser
//	TURNSERVER  coturn
//	E2E_PARENT  the process whose end ends everything
func run(t *testing.T, suite string, env ...string) {
	t.Helper()
	node := requireNode(t)
	files, err := filepath.Glob(filepath.Join("suites", suite, "*.test.mjs"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no test files in suite %s: %v", suite, err)
	}
	args := append([]string{"--test", "--test-concurrency=2", "--test-reporter=./lib/reporter.mjs"}, files...)
	cmd := exec.CommandContext(t.Context(), node, args...)
	cmd.Env = append(append(os.Environ(), fmt.Sprintf("E2E_PARENT=%d", os.Getpid())), env...)
	// Node starts a process for each file, which start servers: all in one
	// group, so that none outlives an aborted test.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	count, reportErr := report(t, stdout)
	if err := cmd.Wait(); err != nil && !t.Failed() {
		t.Errorf("node: %v\n%s", err, &stderr)
	}
	if reportErr != nil {
		t.Error(reportErr)
	}
	if count == 0 {
		t.Errorf("suite %s ran no test\n%s", suite, &stderr)
	}
}

// report makes a subtest of each result and returns how many there were.
func report(t *testing.T, out io.Reader) (int, error) {
	t.Helper()
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	count := 0
	for lines.Scan() {
		var r result
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return count, fmt.Errorf("reading the results of node: %w: %s", err, lines.Bytes())
		}
		count++
		t.Run(r.File+"/"+r.Name, func(t *testing.T) {
			t.Logf("%d ms in node", r.MS)
			if r.Skipped {
				t.Error("skipped in node: a test runs or does not exist")
			}
			if r.Failure != "" {
				t.Error(r.Failure)
			}
		})
	}
	return count, lines.Err()
}
