package caddymodule_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each message names the option, the line and what would be right.
func TestCaddyfileErrors(t *testing.T) {
	for name, tc := range map[string]struct{ block, want string }{
		"unknown option":            {"paht /x/", `socketio has no option "paht"; did you mean path?, at Caddyfile:3`},
		"repeated option":           {"path /a/\npath /b/", "path: it was already set at Caddyfile:3; keep one of the two, at Caddyfile:4"},
		"no value":                  {"path", "path: it needs a value; write path <path>, at Caddyfile:3"},
		"too many values":           {"path /a/ /b/", `path: one argument too many, "/b/"; remove it, at Caddyfile:3`},
		"block too many":            {"path /a/ {\nx\n}", "path: it has no block; remove the braces"},
		"relative path":             {"path socket.io", `path: "socket.io" must start with a slash; write "/socket.io", at Caddyfile:3`},
		"path with an asterisk":     {"path /a*", notExact("/a*")},
		"path with a query":         {"path /a?b", notExact("/a?b")},
		"path with a fragment":      {"path /a#b", notExact("/a#b")},
		"path with a placeholder":   {"path /{a}", notExact("/{a}")},
		"name with a slash":         {"name a/b", `name: "a/b" is not a name; use 1 to 64 letters, digits, '-', '_' and '.', at Caddyfile:3`},
		"name of dots":              {"name ..", `name: ".." is not a name; use 1 to 64 letters`},
		"no value of several":       {"transports", "transports: it needs at least one value; write transports <transport...>, at Caddyfile:3"},
		"whole site":                {"path /", `path: "/" would take the whole site; use a path such as /socket.io/, at Caddyfile:3`},
		"unknown transport":         {"transports websockets", `transports: unknown transport "websockets"; did you mean websocket?, at Caddyfile:3`},
		"transport twice":           {"transports polling polling", `transports: "polling" is given twice; name it once, at Caddyfile:3`},
		"no duration":               {"ping_interval fast", `ping_interval: "fast" is not a duration above zero; write one such as 500ms, 20s or 2m, at Caddyfile:3`},
		"no size":                   {"max_payload big", `max_payload: "big" is not a size above zero; write one such as 500KB, 1MB or 1MiB, at Caddyfile:3`},
		"no size and not off":       {"compression big", `compression: "big" is not a size above zero; write one such as 500KB, 1MB or 1MiB, or off, at Caddyfile:3`},
		"never off":                 {"max_payload off", `max_payload: "off" is not a size above zero; write one such as 500KB, 1MB or 1MiB, at Caddyfile:3`},
		"endless payload":           {"max_payload 2GiB", "max_payload: 2147483648 is not between 1 and 1073741824 bytes (1GiB), at Caddyfile:3"},
		"endless compression":       {"compression 2GiB", "compression: 2147483648 is more than any message; use a size such as 1KB, or off, at Caddyfile:3"},
		"endless deflate":           {"permessage_deflate 2GiB", "permessage_deflate: 2147483648 is not a size; use one such as 1KB, or leave the option out, at Caddyfile:3"},
		"endless send buffer":       {"limits {\nsend_buffer 2GiB\n}", "limits send_buffer: 2147483648 is more than 1073741824 bytes (1GiB), at Caddyfile:4"},
		"neither on nor off":        {"allow_eio3 maybe", `allow_eio3: "maybe" is neither on nor off; write allow_eio3, or leave it out, at Caddyfile:3`},
		"deflate without websocket": {"transports polling\npermessage_deflate 1KB", "permessage_deflate: it compresses websocket messages, but transports leaves websocket out; add it there or remove permessage_deflate, at Caddyfile:4 and Caddyfile:3"},
		"any origin with cookies":   {"cors {\norigins *\ncredentials\n}", "cors credentials: it cannot be used with the origin *, which would open the users' sessions to every page; list the origins, at Caddyfile:5 and Caddyfile:4"},
		"cors without origins":      {"cors {\ncredentials\n}", "cors: it has no origins; add origins <origin...>, or remove cors for the same origin only, at Caddyfile:3"},
		"origin with a path":        {"cors {\norigins https://a.example/x\n}", `cors origins: origin "https://a.example/x" has more than scheme, host and port; write https://a.example, at Caddyfile:4`},
		"origin twice":              {"cors {\norigins https://a.example\norigins https://a.example\n}", `cors origins: "https://a.example" is given twice; name it once, at Caddyfile:5`},
		"two methods in one":        {"cors {\norigins *\nmethods GET,POST\n}", `cors methods: "GET,POST" is not a name; separate names by spaces, at Caddyfile:5`},
		"no header's name":          {"cors {\norigins *\nallowed_headers X-A:\n}", `cors allowed_headers: "X-A:" is not a name; separate names by spaces, at Caddyfile:5`},
		"insecure cookie":           {"session_cookie {\nsame_site none\n}", "session_cookie same_site: browsers ignore a cookie with none that is not secure; add secure, at Caddyfile:4"},
		"cookie that cannot be":     {"session_cookie \"a b\"", `session_cookie: it cannot be sent: `},
		"unknown same_site":         {"session_cookie {\nsame_site laxx\n}", `session_cookie same_site: unknown value "laxx"; did you mean lax?, at Caddyfile:4`},
		"send buffer too small":     {"max_payload 1MB\nlimits {\nsend_buffer 1KB\n}", "limits send_buffer: 1000 bytes cannot hold one message of max_payload, 1000000 bytes; raise it to that at least, at Caddyfile:5 and Caddyfile:3"},
		"no rate of events":         {"limits {\nevents_per_socket 5MB/s\n}", `limits events_per_socket: "5MB/s" is not a rate; write one such as 50/s, 600/m or 1000/h, or off, at Caddyfile:4`},
		"no rate of bytes":          {"limits {\nbytes_per_socket 5MB\n}", `limits bytes_per_socket: "5MB" is not a rate; write one such as 500KB/s, 5MB/s or 100MiB/m, or off, at Caddyfile:4`},
		"no burst":                  {"limits {\nbytes_per_socket 5MB/s 0\n}", `limits bytes_per_socket: the burst "0" is not a number above zero; write bytes_per_socket 5MB/s 20MB, at Caddyfile:4`},
		"too large a burst":         {"limits {\nbytes_per_socket 5MB/s 3GB\n}", `limits bytes_per_socket: the burst "3GB" is not a number above zero`},
		"no number":                 {"limits {\nunauthenticated few\n}", `limits unauthenticated: "few" is not a number above zero; write one, or off, at Caddyfile:4`},
		"exempt":                    {"limits {\nexempt here\n}", `limits exempt: "here" is neither an address nor a network; write one such as 10.0.0.0/8 or 2001:db8::1, at Caddyfile:4`},
		"namespace without slash":   {"namespace chat", "namespace chat: a name starts with a slash; write /chat, at Caddyfile:3"},
		"namespace of two slashes":  {"namespace //", "namespace //: the regular expression is empty; for the main namespace write /, at Caddyfile:3"},
		"namespace with a comma":    {"namespace /a,b", "namespace /a,b: a name has no comma, question mark, space or control character; leave them out, at Caddyfile:3"},
		"namespace with a query":    {"namespace /a?b", "namespace /a?b: a name has no comma, question mark, space or control character; leave them out, at Caddyfile:3"},
		"namespace too long":        {"namespace /" + strings.Repeat("x", 512), ": a name has 512 bytes at most, and this one 513; shorten it, at Caddyfile:3"},
		"namespace twice":           {"namespace /a\nnamespace /a", "namespace /a: it is defined twice; merge the blocks"},
		"bad pattern":               {"namespace /(/", "namespace /(/: a name that starts and ends with a slash is a regular expression, and this one is wrong"},
		"unknown gateway":           {"namespace / {\ngateway webrtcc\n}", "gateway: there is no module http.handlers.socketio.gateways.webrtcc in this Caddy; build it in with xcaddy, or use another; did you mean webrtc?"},
		"unknown auth":              {"auth jwtt", "auth: there is no module http.handlers.socketio.auth.jwtt in this Caddy"},
		"unknown cluster":           {"cluster etcd x", "cluster: there is no module http.handlers.socketio.cluster.etcd in this Caddy; build it in with xcaddy, or use another"},
		"auth without a module":     {"auth", "auth: it needs a module; write auth <module>"},
		"gateway without a module":  {"namespace / {\ngateway\n}", "gateway: it needs a module; write gateway <module>"},
		"module without options":    {"namespace / {\ngateway shout {\nloud\n}\n}", "gateway shout: the module takes no options in a Caddyfile; remove them, at Caddyfile:"},
		"reserved name":             {"name health", `name: "health" is taken by the admin API; choose another name, at Caddyfile:3`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := adapt(t, ":8080 {\nsocketio {\n"+tc.block+"\n}\n}")
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got  %s\nwant %s", err, tc.want)
			}
		})
	}
}

func notExact(path string) string {
	return `path: "` + path + `" must be one exact path, such as /socket.io/; use the directive's matcher for more, at Caddyfile:3`
}

func TestDirectivesTakeNoArguments(t *testing.T) {
	for directive, want := range map[string]string{
		"socketio default":    `socketio takes no argument "default" beside a matcher; options go into its block, at Caddyfile:2`,
		"socketio /x default": `socketio takes no argument "default" beside a matcher; options go into its block, at Caddyfile:2`,
		"socketio_health x":   `socketio_health takes no argument "x" beside a matcher; remove it, at Caddyfile:2`,
	} {
		if _, err := adapt(t, ":8080 {\n"+directive+"\n}"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

// What is wrong with the folder shows when the config is loaded.
func TestClientFilesThatCannotBeServed(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "socket.io.js"), 0o700); err != nil {
		t.Fatal(err)
	}
	for option, want := range map[string]string{
		dir:                     ": serve_client: read " + filepath.Join(dir, "socket.io.js") + ": is a directory; make the file readable",
		"/nowhere":              ": serve_client: /nowhere holds none of the client's files, such as socket.io.js; give the folder dist of the npm package socket.io-client",
		"/srv/{made.up}":        ": serve_client: unrecognized placeholder {made.up}",
		"{env.NOT_SET_AT_ALL}/": ": serve_client: evaluated placeholder {env.NOT_SET_AT_ALL} is empty",
	} {
		err := validate(t, handlers(`, "serve_client": "`+option+`"`))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Count(err.Error(), "serve_client") > 1 {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

func TestSecondDirectiveWithoutName(t *testing.T) {
	_, err := adapt(t, "a.example.com {\nsocketio\n}\nb.example.com {\nsocketio\n}\n")
	if err == nil || !strings.Contains(err.Error(), "the first is at Caddyfile:2") || !strings.Contains(err.Error(), "at Caddyfile:5") {
		t.Fatalf("the error must name both lines: %v", err)
	}
}
