//go:build unix

package e2e_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
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

// The README's own xcaddy command builds a Caddy with the module from a checkout.
// xcaddy asks the module proxy for the path all the same, and is told here what the
// public one says of a path that is not published.
func TestREADMEsXcaddy(t *testing.T) {
	xcaddy, err := filepath.Glob("../../.cache/bin/xcaddy-*")
	if err != nil || len(xcaddy) == 0 {
		missing(t, "xcaddy", "run ./xcaddy.sh build, which installs it")
	}
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile("(?s)```sh\n(xcaddy build [^`]*/path/to/checkout)\n```").FindSubmatch(text)
	root, err := filepath.Abs("../..")
	if err != nil || command == nil {
		t.Fatalf("the README has no xcaddy command for a checkout: %v", err)
	}
	line := strings.ReplaceAll(strings.Replace(string(command[1]), "xcaddy", `"$XCADDY"`, 1), "/path/to/checkout", root)
	path, err := filepath.Abs(xcaddy[0])
	if err != nil {
		t.Fatal(err)
	}
	version, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Version}}", "github.com/caddyserver/caddy/v2").Output()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
	cmd.Dir = t.TempDir()
	// The Caddy that the module is tested with, not the newest of the day.
	cmd.Env = append(os.Environ(), "XCADDY="+path, "CADDY_VERSION="+strings.TrimSpace(string(version)), "GOPROXY="+unpublished(t), "GOFLAGS=-mod=mod")
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), "Bad Gateway") {
		missing(t, "the module proxy", string(out))
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	modules, err := exec.CommandContext(t.Context(), filepath.Join(cmd.Dir, "caddy"), "list-modules").CombinedOutput()
	if err != nil || !strings.Contains(string(modules), "\nhttp.handlers.socketio\n") {
		t.Errorf("%v\n%s", err, modules)
	}
}

// unpublished is the address of a module proxy that does not know this module, and
// asks another about everything else.
func unpublished(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOPROXY").Output()
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(out)), ",")
	upstream, err := url.Parse(first)
	if err != nil || !strings.HasPrefix(upstream.Scheme, "http") {
		missing(t, "a module proxy", "GOPROXY is "+first)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	pass := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(upstream) }}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/github.com/caddy-socketio/") {
			http.Error(w, "not found: no such repository", http.StatusNotFound)
			return
		}
		pass.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	return proxy.URL
}

// The script says what it knows, and refuses the rest by a status of its own.
func TestScriptTellsItsCommands(t *testing.T) {
	script := func(args ...string) (string, int) {
		cmd := exec.CommandContext(t.Context(), "../../xcaddy.sh", args...)
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	help, status := script("help")
	if status != 0 {
		t.Errorf("help: %d\n%s", status, help)
	}
	for _, command := range []string{"build", "run", "test", "bench", "soak", "help"} {
		if !regexp.MustCompile(`(?m)^  ` + command + ` `).MatchString(help) {
			t.Errorf("help lacks %s:\n%s", command, help)
		}
	}
	for _, wrong := range []struct {
		args  []string
		start string
	}{
		{[]string{"biuld"}, "There is no command biuld.\n"},
		{[]string{"build", "--without", "x"}, "build does not know --without\n"},
		{[]string{"build", "--with"}, ""},
	} {
		if out, status := script(wrong.args...); status != 2 || out != strings.TrimPrefix(wrong.start+"\n"+help, "\n") {
			t.Errorf("%v: %d\n%s", wrong.args, status, out)
		}
	}
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
