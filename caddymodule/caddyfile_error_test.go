package caddymodule_test

import (
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
		"whole site":                {"path /", `path: "/" would take the whole site; use a path such as /socket.io/, at Caddyfile:3`},
		"unknown transport":         {"transports websockets", `transports: unknown transport "websockets"; did you mean websocket?, at Caddyfile:3`},
		"transport twice":           {"transports polling polling", `transports: "polling" is given twice; name it once, at Caddyfile:3`},
		"no duration":               {"ping_interval fast", `ping_interval: "fast" is not a duration above zero; write one such as 500ms, 20s or 2m, at Caddyfile:3`},
		"no size":                   {"max_payload big", `max_payload: "big" is not a size above zero; write one such as 500KB, 1MB or 1MiB, at Caddyfile:3`},
		"neither on nor off":        {"allow_eio3 maybe", `allow_eio3: "maybe" is neither on nor off; write allow_eio3, or leave it out, at Caddyfile:3`},
		"deflate without websocket": {"transports polling\npermessage_deflate 1KB", "permessage_deflate: it compresses websocket messages, but transports leaves websocket out; add it there or remove permessage_deflate, at Caddyfile:4 and Caddyfile:3"},
		"any origin with cookies":   {"cors {\norigins *\ncredentials\n}", "cors credentials: it cannot be used with the origin *, which would open the users' sessions to every page; list the origins, at Caddyfile:5 and Caddyfile:4"},
		"cors without origins":      {"cors {\ncredentials\n}", "cors: it has no origins; add origins <origin...>, or remove cors for the same origin only, at Caddyfile:3"},
		"origin with a path":        {"cors {\norigins https://a.example/x\n}", "cors origins: "},
		"insecure cookie":           {"session_cookie {\nsame_site none\n}", "session_cookie same_site: browsers ignore a cookie with none that is not secure; add secure, at Caddyfile:4"},
		"unknown same_site":         {"session_cookie {\nsame_site laxx\n}", `session_cookie same_site: unknown value "laxx"; did you mean lax?, at Caddyfile:4`},
		"send buffer too small":     {"max_payload 1MB\nlimits {\nsend_buffer 1KB\n}", "limits send_buffer: 1000 bytes cannot hold one message of max_payload, 1000000 bytes; raise it to that at least, at Caddyfile:5 and Caddyfile:3"},
		"no rate of events":         {"limits {\nevents_per_socket 5MB/s\n}", `limits events_per_socket: "5MB/s" is not a rate; write one such as 50/s, 600/m or 1000/h, or off, at Caddyfile:4`},
		"no rate of bytes":          {"limits {\nbytes_per_socket 5MB\n}", `limits bytes_per_socket: "5MB" is not a rate; write one such as 500KB/s, 5MB/s or 100MiB/m, or off, at Caddyfile:4`},
		"no burst":                  {"limits {\nbytes_per_socket 5MB/s 0\n}", `limits bytes_per_socket: the burst "0" is not a number above zero; write bytes_per_socket 5MB/s 20MB, at Caddyfile:4`},
		"too large a burst":         {"limits {\nbytes_per_socket 5MB/s 3GB\n}", `limits bytes_per_socket: the burst "3GB" is not a number above zero`},
		"no number":                 {"limits {\nunauthenticated few\n}", `limits unauthenticated: "few" is not a number above zero; write one, or off, at Caddyfile:4`},
		"exempt":                    {"limits {\nexempt here\n}", `limits exempt: "here" is neither an address nor a network; write one such as 10.0.0.0/8 or 2001:db8::1, at Caddyfile:4`},
		"namespace without slash":   {"namespace chat", "namespace chat: a name starts with a slash; write /chat, at Caddyfile:3"},
		"namespace too long":        {"namespace /" + strings.Repeat("x", 512), ": a name has 512 bytes at most, and this one 513; shorten it, at Caddyfile:3"},
		"namespace twice":           {"namespace /a\nnamespace /a", "namespace /a: it is defined twice; merge the blocks"},
		"bad pattern":               {"namespace /(/", "namespace /(/: a name that starts and ends with a slash is a regular expression, and this one is wrong"},
		"unknown gateway":           {"namespace / {\ngateway webrtcc\n}", "gateway: there is no module http.handlers.socketio.gateways.webrtcc in this Caddy; build it in with xcaddy, or use another; did you mean webrtc?"},
		"unknown auth":              {"auth jwtt", "auth: there is no module http.handlers.socketio.auth.jwtt in this Caddy"},
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

func TestSecondDirectiveWithoutName(t *testing.T) {
	_, err := adapt(t, "a.example.com {\nsocketio\n}\nb.example.com {\nsocketio\n}\n")
	if err == nil || !strings.Contains(err.Error(), "the first is at Caddyfile:2") || !strings.Contains(err.Error(), "at Caddyfile:5") {
		t.Fatalf("the error must name both lines: %v", err)
	}
}
