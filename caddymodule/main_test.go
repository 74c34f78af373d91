package caddymodule_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/goleak"
)

// stopping ends the Caddy that the tests have left running, its admin endpoint
// too, before goroutines are looked for.
type stopping struct{ *testing.M }

func (m stopping) Run() int {
	code := m.M.Run()
	err := errors.Join(caddy.Load([]byte(`{"admin":{"disabled":true}}`), true), caddy.Stop())
	if err != nil {
		fmt.Fprintln(os.Stderr, "stopping Caddy:", err)
		code = max(code, 1)
	}
	http.DefaultClient.CloseIdleConnections()
	return code
}

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(stopping{m},
		// The command "caddy run", which caddytest starts and nobody can end.
		goleak.IgnoreTopFunction("github.com/caddyserver/caddy/v2/cmd.cmdRun"),
		// Its handlers of signals.
		goleak.IgnoreTopFunction("github.com/caddyserver/caddy/v2.trapSignalsCrossPlatform.func1"),
		goleak.IgnoreTopFunction("github.com/caddyserver/caddy/v2.trapSignalsPosix.func1"),
		// A log file's. Caddy never closes one: Logging.openLogs registers that
		// with a copy of the config's context, where nobody looks.
		goleak.IgnoreTopFunction("github.com/DeRuina/timberjack.(*Logger).millRun"),
		// Certmagic's of a lock that has been given back: it sleeps for up to 5 s
		// before it sees that.
		goleak.IgnoreAnyFunction("github.com/caddyserver/certmagic.keepLockfileFresh"),
	)
}
