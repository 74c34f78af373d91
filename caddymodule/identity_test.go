package caddymodule_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// token is a token of a user, signed with a secret of any length.
func token(t *testing.T, secret, user string) string {
	t.Helper()
	return tokenFor(t, secret, user, time.Hour)
}

func tokenFor(t *testing.T, secret, user string, life time.Duration) string {
	t.Helper()
	claims := jwt.MapClaims{"sub": user, "exp": time.Now().Add(life).Unix()}
	text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// session opens a session that has not entered a namespace.
func session(t *testing.T, header ...string) *polls {
	t.Helper()
	p := &polls{t, engine + "?EIO=4&transport=polling"}
	status, body := p.request(http.MethodGet, "", header...)
	_, rest, ok := strings.Cut(body, `"sid":"`)
	if status != http.StatusOK || !ok {
		t.Fatalf("handshake: %d %q", status, body)
	}
	sid, _, _ := strings.Cut(rest, `"`)
	p.base += "&sid=" + sid
	return p
}

// What forward_auth says of each request must not change within a session.
func TestRequestOfAnotherUserIsRefused(t *testing.T) {
	serve(t, "socketio {\nname bound\nauth caddy {\nuser_header Remote-User\n}\n}")
	p := session(t, "Remote-User", "ada")
	for _, header := range [][]string{{"Remote-User", "eve"}, nil} {
		for method, body := range map[string]string{http.MethodGet: "", http.MethodPost: "40"} {
			if status, answer := p.request(method, body, header...); status != http.StatusForbidden {
				t.Errorf("%s with %v: %d %q", method, header, status, answer)
			}
		}
	}
	if status, _ := p.request(http.MethodPost, "40", "Remote-User", "ada"); status != http.StatusOK {
		t.Fatalf("the user's own request: %d", status)
	}
	if _, body := p.request(http.MethodGet, "", "Remote-User", "ada"); !strings.HasPrefix(body, "40{") {
		t.Errorf("got %q", body)
	}
}

// A reload that looks for the user in another header, or in none, drops nobody:
// the session stays its user's, and nobody else's.
func TestReloadChangesTheUserHeader(t *testing.T) {
	const by = "socketio {\nname renamed\nauth caddy {\nuser_header %s\n}\n}"
	named := func(header string) string { return strings.Replace(by, "%s", header, 1) }
	const unnamed, open = "socketio {\nname renamed\nauth caddy\n}", "socketio {\nname renamed\n}"
	twice := strings.TrimSuffix(named("Remote-User"), "}") + "namespace /\nnamespace /more {\nauth caddy {\nuser_header X-User\n}\n}\n}"
	ada := []string{"Remote-User", "ada", "X-User", "ada@example.com"}
	for name, c := range map[string]struct {
		from, to string
		eve      int
	}{
		"another header":        {named("Remote-User"), named("X-User"), http.StatusForbidden},
		"one that was set anew": {named("Other-User"), named("Remote-User"), http.StatusForbidden},
		"a further header":      {named("Remote-User"), twice, http.StatusForbidden},
		"no header":             {named("Remote-User"), unnamed, http.StatusOK},
		"a header at last":      {open, named("Remote-User"), http.StatusForbidden},
		"no auth":               {named("Remote-User"), open, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			serve(t, c.from)
			p := session(t, ada...)
			serve(t, c.to)
			for range 2 {
				if status, answer := p.request(http.MethodPost, "3", ada...); status != http.StatusOK {
					t.Errorf("after the reload: %d %q", status, answer)
				}
			}
			if status, _ := p.request(http.MethodPost, "3", "Remote-User", "eve", "X-User", "eve@example.com"); status != c.eve {
				t.Errorf("another user: %d, want %d", status, c.eve)
			}
			serve(t, c.from)
			if status, answer := p.request(http.MethodPost, "3", ada...); status != http.StatusOK {
				t.Errorf("after the way back: %d %q", status, answer)
			}
		})
	}
}

// The user of one header is not that of another.
func TestUsersOfTwoHeadersAreTwo(t *testing.T) {
	serve(t, "socketio {\nname two-headers\nnamespace / {\nauth caddy {\nuser_header Remote-User\n}\n}\n"+
		"namespace /more {\nauth caddy {\nuser_header X-User\n}\n}\n}")
	p := session(t, "Remote-User", "bob")
	for _, other := range [][]string{{"X-User", "bob"}, {"Remote-User", "bob", "X-User", "bob"}, nil} {
		if status, _ := p.request(http.MethodPost, "3", other...); status != http.StatusForbidden {
			t.Errorf("%v: %d", other, status)
		}
	}
	if status, _ := p.request(http.MethodPost, "3", "Remote-User", "bob"); status != http.StatusOK {
		t.Errorf("the user's own: %d", status)
	}
}

func TestAccessLogHasTheUserOfTheToken(t *testing.T) {
	const secret = tokenSecret
	file := filepath.Join(t.TempDir(), "access.log")
	serve(t, "log {\noutput file "+file+"\n}\nsocketio {\nname logged\nauth jwt {\nsecret "+secret+"\n}\n}")
	p := session(t)
	p.send(`40{"token":"` + token(t, secret, "ada") + `"}`)
	if got := p.receive(); !strings.HasPrefix(got, "40{") {
		t.Fatalf("connect: %q", got)
	}
	// A line is written some time after its answer.
	for range 100 {
		p.send(`421["ping"]`)
		p.receive()
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), `"user_id":"ada"`) {
			return
		}
	}
	t.Error("no line has the user")
}

// Secrets are read anew by a reload of the same config: the next renewal and the
// next entry need the new one, while who is in stays in.
func TestReloadReadsSecretsAnew(t *testing.T) {
	const first, second = "first-secret-of-more-than-32-bytes", "second-secret-of-more-than-32-bytes"
	file := filepath.Join(t.TempDir(), "secret")
	for name, source := range map[string]struct {
		option string
		set    func(secret string)
	}{
		"file": {"{file." + file + "}", func(secret string) {
			if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		"env": {"{env.TEST_JWT_SECRET}", func(secret string) { t.Setenv("TEST_JWT_SECRET", secret) }},
	} {
		t.Run(name, func(t *testing.T) {
			directives := "socketio {\nname secret-" + name + "\nauth jwt {\nsecret " + source.option + "\n}\n}"
			source.set(first)
			force(t, directives)
			p := session(t)
			p.send(`40{"token":"` + token(t, first, "ada") + `"}`)
			if got := p.receive(); !strings.HasPrefix(got, "40{") {
				t.Fatalf("connect: %q", got)
			}
			source.set(second)
			force(t, directives)
			for id, renewal := range []struct{ secret, user, want string }{
				{first, "ada", `"code":"unauthorized"`},
				{second, "eve", `"code":"forbidden"`},
				{second, "ada", `"ok":true`},
			} {
				p.send("42" + strconv.Itoa(id) + `["renew",{"token":"` + token(t, renewal.secret, renewal.user) + `"}]`)
				if got := p.receive(); !strings.HasPrefix(got, "43"+strconv.Itoa(id)) || !strings.Contains(got, renewal.want) {
					t.Errorf("renewal %d: %q, want %s", id, got, renewal.want)
				}
			}
			late := session(t)
			late.send(`40{"token":"` + token(t, first, "ada") + `"}`)
			if got := late.receive(); got != `44{"data":{"code":"unauthorized"},"message":"unauthorized"}` {
				t.Errorf("a token of the old secret: %q", got)
			}
		})
	}
	serve(t, "respond ok")
}
