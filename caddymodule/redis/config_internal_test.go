package redis

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddy-socketio/caddy-socketio/caddymodule"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func adapt(text string) ([]byte, error) {
	out, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
	return out, err
}

func TestCaddyfileAdaptsToJSON(t *testing.T) {
	names, err := filepath.Glob("testdata/adapt/*.txt")
	if err != nil || len(names) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, name := range names {
		in, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out, err := adapt(string(in))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var got bytes.Buffer
		if err := json.Indent(&got, out, "", "\t"); err != nil {
			t.Fatal(err)
		}
		golden := strings.TrimSuffix(name, "txt") + "json"
		if *update {
			if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(golden); err != nil || got.String() != string(want) {
			t.Errorf("%s: %v, got %s", golden, err, got.String())
		}
	}
}

// The golden file that has everything has every field.
func TestEveryOptionIsTried(t *testing.T) {
	var all strings.Builder
	for _, name := range []string{"everything", "pubsub"} {
		text, err := os.ReadFile("testdata/adapt/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	for _, v := range []any{Cluster{}, TLS{}} {
		for field := range reflect.TypeOf(v).Fields() {
			if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && !strings.Contains(all.String(), `"`+name+`"`) {
				t.Errorf("no golden file has %s", name)
			}
		}
	}
}

// Each message names the option, its line and what would be right.
func TestCaddyfileErrors(t *testing.T) {
	const in = " redis://localhost"
	for name, c := range map[string]struct{ args, block, want string }{
		"no URL":                 {"", "", "cluster redis: it takes one URL; write one such as redis://localhost:6379, at Caddyfile:3"},
		"two URLs":               {in + in, "", "cluster redis: it takes one URL; "},
		"no scheme":              {" localhost:6379", "", "cluster redis url: it must be like redis://host:6379, "},
		"no host":                {" redis://", "", "cluster redis url: it must be like"},
		"unknown kind":           {" redis+x://h", "", "cluster redis url: it must be like"},
		"no kind":                {" redis+://h", "", "cluster redis url: it must be like"},
		"a query":                {" redis://h?db=1", "", "cluster redis url: it must be like"},
		"several hosts":          {" redis://a,b", "", "cluster redis url: it must be like"},
		"no master":              {" redis+sentinel://a", "", "redis+sentinel://host:26379,host:26379/master"},
		"no database":            {" redis://a/x", "", "cluster redis url: it must be like"},
		"a cluster's database":   {" redis+cluster://a/1", "", "cluster redis url: a Redis Cluster has one database only; remove /1, at Caddyfile:3"},
		"a user alone":           {" redis://me@a", "", "cluster redis url: its user needs a password; add the option password, at Caddyfile:3"},
		"unknown option":         {in, "usr x", `cluster redis has no option "usr"; there are: adapter, max_length, password, `},
		"repeated option":        {in, "user x\nuser y", "cluster redis user: it was already set at Caddyfile:4; keep one of the two, at Caddyfile:5"},
		"no value":               {in, "prefix", "cluster redis prefix: it takes one argument; write it as prefix <text>, at Caddyfile:4"},
		"two values":             {in, "prefix a b", "cluster redis prefix: it takes one argument; "},
		"an empty value":         {in, `prefix ""`, "cluster redis prefix: this cannot be its value; write one such as <text>, at Caddyfile:4"},
		"no duration":            {in, "timeout soon", "cluster redis timeout: this cannot be its value; write one such as 3s, at Caddyfile:4"},
		"too short":              {in, "prefix x\ntimeout 1ms", "cluster redis timeout: 1ms is no sensible time; use one from 100ms to 1h, at Caddyfile:5"},
		"too long":               {in, "request_timeout 2h", "cluster redis request_timeout: 2h0m0s is no sensible time; "},
		"no number":              {in, "max_length 10KB", "cluster redis max_length: this cannot be its value; write one such as 5000, at Caddyfile:4"},
		"too few":                {in, "max_length 10", "cluster redis max_length: with 10, messages would be lost on any hiccup; use some thousands, 100 at least, at Caddyfile:4"},
		"no size":                {in, "queue_size big", "cluster redis queue_size: this cannot be its value; write one such as 16MB, at Caddyfile:4"},
		"too small":              {in, "queue_size 1KB", "cluster redis queue_size: 1000 bytes are too few; use 100KB at least, at Caddyfile:4"},
		"unknown adapter":        {in, "adapter stream", `cluster redis adapter: "stream" is unknown; write streams or pubsub, at Caddyfile:4`},
		"a stream without":       {in, "adapter pubsub\nstream x", "cluster redis stream: adapter pubsub has no stream; remove it, or write adapter streams, at Caddyfile:5"},
		"a length without":       {in, "max_length 500\nadapter pubsub", "cluster redis max_length: adapter pubsub has no stream; remove it, or write adapter streams, at Caddyfile:4"},
		"sessions without":       {in, "adapter pubsub\nsession_prefix x", "cluster redis session_prefix: adapter pubsub has no stream; "},
		"answers of streams":     {in, "publish_on_specific_response_channel", "cluster redis publish_on_specific_response_channel: streams always does so; remove it, or write adapter pubsub, at Caddyfile:4"},
		"answers with a value":   {in, "publish_on_specific_response_channel yes", `one argument too many, "yes"; remove it, at Caddyfile:4`},
		"a watcher without":      {in, "sentinel_user x", "cluster redis sentinel_user: the URL names no Sentinels; remove it, or write redis+sentinel://, at Caddyfile:4"},
		"a watch without":        {in, "sentinel_password x", "cluster redis sentinel_password: the URL names no Sentinels; "},
		"a watcher alone":        {" redis+sentinel://a/b", "sentinel_user x", "cluster redis sentinel_user: it needs a password; add sentinel_password, at Caddyfile:4"},
		"a user without":         {in, "user x", "cluster redis user: it needs a password; add password, at Caddyfile:4"},
		"tls without TLS":        {in, "tls {\nca x\n}", "cluster redis tls: the URL is not one of TLS; write rediss in place of redis in it, or remove tls, at Caddyfile:4"},
		"tls with a value":       {in, "tls on", "cluster redis tls: it takes no argument, but a block; write tls { ... }, at Caddyfile:4"},
		"tls unknown":            {in, "tls {\nkey x\n}", `cluster redis tls has no option "key"; there are: ca, certificate, server_name, at Caddyfile:5`},
		"tls twice":              {in, "tls {\nca x\nca y\n}", "cluster redis tls ca: it was already set at Caddyfile:5; keep one of the two, at Caddyfile:6"},
		"a certificate alone":    {in, "tls {\ncertificate x\n}", "cluster redis tls certificate: the number of arguments is wrong; write certificate <file> <key file>, at Caddyfile:5"},
		"braces that are no tag": {" redis+cluster://a", "stream a}b", "cluster redis stream: its braces are no hash tag; write {tag} in it, or no braces, at Caddyfile:4"},
	} {
		t.Run(name, func(t *testing.T) {
			block := ""
			if c.block != "" {
				block = " {\n" + c.block + "\n}"
			}
			if _, err := adapt(":8080 {\nsocketio {\ncluster redis" + c.args + block + "\n}\n}"); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// What only the whole configuration, its files and environment show.
func TestErrorsOfJSON(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("BAD_URL", "http://secret@h")
	for want, c := range map[string]Cluster{
		"cluster redis: it needs a URL; write one such as redis://localhost:6379":                       {},
		"cluster redis url: the placeholder {env.NO_URL} is empty or unknown; set what it stands for":   {URL: "{env.NO_URL}"},
		"cluster redis url: it must be like redis://host:6379":                                          {URL: "{env.BAD_URL}"},
		"cluster redis password: the placeholder {env.NO_PASSWORD} is empty or unknown; ":               {URL: "redis://h", Password: "{env.NO_PASSWORD}"},
		"cluster redis password: a placeholder in it is empty or unknown; ":                             {URL: "redis://h", Password: "sec{re}t"},
		"cluster redis tls: the file of ca cannot be read; name another, or let Caddy's user read it: ": {URL: "rediss://h", TLS: &TLS{CA: missing}},
		", of ca, holds no certificate; it must be one in PEM":                                          {URL: "rediss://h", TLS: &TLS{CA: empty}},
		"cluster redis tls: a certificate and its key go together; give both, or neither":               {URL: "rediss://h", TLS: &TLS{Certificate: empty}},
		"cluster redis tls: certificate and its key cannot be used; ":                                   {URL: "rediss://h", TLS: &TLS{Certificate: empty, Key: empty}},
		"cluster redis max_length: with -1, ":                                                           {URL: "redis://h", MaxLength: -1},
	} {
		_, err := c.build()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got  %v\nwant %s", err, want)
		} else if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "{re}") {
			t.Errorf("it shows a secret: %v", err)
		}
	}
}

func TestURLs(t *testing.T) {
	for url, want := range map[string]options{
		"redis://h":                             {Addresses: []string{"h:6379"}},
		"redis://u:p%40%2F@h:1/2":               {Addresses: []string{"h:1"}, User: "u", Password: "p@/", DB: 2},
		"rediss://:p@[::1]/":                    {Addresses: []string{"[::1]:6379"}, Password: "p", TLS: true},
		"redis+cluster://a,b:1,[::1]:2":         {Addresses: []string{"a:6379", "b:1", "[::1]:2"}, Kind: kindCluster},
		"rediss+sentinel://u:p@a,[::2]:3/m/4":   {Addresses: []string{"a:26379", "[::2]:3"}, Kind: kindSentinel, Master: "m", DB: 4, User: "u", Password: "p", TLS: true},
		"redis+sentinel://sentinel.local/main/": {Addresses: []string{"sentinel.local:26379"}, Kind: kindSentinel, Master: "main"},
	} {
		var got options
		if err := got.parseURL(url); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v", url, got, err)
		}
	}
}

// FuzzURL reads addresses; what is taken is an address that can be dialled.
func FuzzURL(f *testing.F) {
	f.Add("redis://u:p@h:1/2")
	f.Add("rediss+sentinel://a,[::1]:2/m")
	f.Fuzz(func(t *testing.T, text string) {
		o := new(options)
		if err := o.parseURL(text); err != nil {
			if err.Error() != errURL.Error() && !strings.Contains(err.Error(), "one database only") {
				t.Fatal(err)
			}
			return
		}
		if len(o.Addresses) == 0 || strings.Contains(o.display(), "@") {
			t.Fatalf("%q became %+v", text, o)
		}
	})
}
