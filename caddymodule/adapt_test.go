package caddymodule_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	"github.com/caddy-socketio/caddy-socketio/caddymodule"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// divider stands between the Caddyfile and the JSON of a golden file.
const divider = "----------\n"

func adapt(t testing.TB, caddyfile string) ([]byte, error) {
	t.Helper()
	out, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	for _, w := range warnings {
		if !strings.Contains(w.Message, "not formatted") {
			t.Errorf("warning: %v", w)
		}
	}
	return out, err
}

func TestCaddyfileAdaptsToJSON(t *testing.T) {
	names, err := filepath.Glob("testdata/adapt/*.txt")
	if err != nil || len(names) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			caddyfile, want, _ := strings.Cut(string(text), divider)
			out, err := adapt(t, caddyfile)
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			if err := json.Indent(&got, out, "", "\t"); err != nil {
				t.Fatal(err)
			}
			got.WriteByte('\n')
			if *update {
				if err := os.WriteFile(name, []byte(caddyfile+divider+got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got.String() != want {
				t.Errorf("got:\n%s\nwant:\n%s", got.String(), want)
			}
		})
	}
}

func FuzzCaddyfile(f *testing.F) {
	f.Add("cors {\n origins *\n}")
	f.Add("namespace /x {\n gateway webrtc {\n room_capacity 2\n }\n}")
	f.Add("limits {\n handshakes_per_ip 5/s 10\n exempt 10.0.0.0/8\n}")
	f.Add("session_cookie io {\n same_site none\n secure\n path /x\n domain .example.com\n max_age 1h\n script_access off\n}")
	f.Add("auth jwt {\n secret {env.X}\n leeway 1s\n rooms patterns a-*\n}\nserve_client /x\nrecovery 1m\npermessage_deflate 1KiB")
	f.Fuzz(func(t *testing.T, block string) {
		tokens, err := caddyfile.Tokenize([]byte("socketio {\n"+block+"\n}"), "Caddyfile")
		if err != nil {
			return
		}
		var h caddymodule.Handler
		if h.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens)) != nil {
			return
		}
		if _, err := json.Marshal(&h); err != nil {
			t.Fatalf("accepted what is no config: %v", err)
		}
	})
}
