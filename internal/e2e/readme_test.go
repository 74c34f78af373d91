//go:build unix

package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What the README shows works as it stands there. Its gateways are in modules of
// their own, outside of this one, and the script builds them in as a user would.
func TestREADME(t *testing.T) {
	requireNode(t)
	requirePackages(t, "../../web")
	run(t, "readme", "CADDY_BIN="+guestCaddy(t))
}

// guestCaddy builds Caddy with the README's gateways.
func guestCaddy(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) != 2 {
		t.Fatalf("the README has %d blocks of Go, not a gateway and one from NestJS", len(blocks))
	}
	chat, method := blocks[0][1], blocks[1][1]
	head, _, found := strings.Cut(chat, "func (Chat) Connect")
	if !found {
		t.Fatal("the README's gateway has no Connect")
	}
	nest := strings.Replace(head, "gateways.chat", "gateways.nest", 1) + method
	binary := filepath.Join(t.TempDir(), "caddy")
	args := []string{"build", "--output", binary}
	for name, source := range map[string]string{"chat": chat, "nest": nest} {
		args = append(args, "--with", guestModule(t, "example.com/"+name, source))
	}
	if out, err := exec.Command("../../xcaddy.sh", args...).CombinedOutput(); err != nil {
		t.Fatalf("xcaddy.sh %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return binary
}

// guestModule makes a module of one file, and returns it as the argument of --with.
func guestModule(t *testing.T, path, source string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module " + path + "\n\ngo 1.26\n", "gateway.go": source} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path + "=" + dir
}
