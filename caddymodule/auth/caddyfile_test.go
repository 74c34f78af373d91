package auth_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/auth"
)

func adapt(t testing.TB, block string) (string, error) {
	t.Helper()
	var u caddyfile.Unmarshaler = new(auth.JWT)
	if strings.HasPrefix(block, "caddy") {
		u = new(auth.Caddy)
	}
	if err := u.UnmarshalCaddyfile(caddyfile.NewTestDispenser(block)); err != nil {
		return "", err
	}
	out, err := json.Marshal(u)
	return string(out), err
}

func TestCaddyfile(t *testing.T) {
	for name, tc := range map[string]struct{ block, want string }{
		"least": {"jwt {\nsecret {env.S}\n}", `{"secret":"{env.S}"}`},
		"all": {
			`jwt {
				jwks https://issuer.test/keys
				cookie session
				header
				query jwt
				issuer me
				audience app admin
				leeway 30s
				require tier gold silver
				require verified true
				user uid
				display_name nick
				role realm.roles
				rooms rooms
				rooms patterns lobby team-{claim.team}-*
				namespaces patterns /
			}`,
			`{"jwks":"https://issuer.test/keys","cookie":"session","header":"Authorization","query":"jwt","issuer":"me",` +
				`"audience":["app","admin"],"leeway":30000000000,"require":{"tier":["gold","silver"],"verified":["true"]},` +
				`"user":"uid","display_name":"nick","role":"realm.roles",` +
				`"rooms":{"claim":"rooms","patterns":["lobby","team-{claim.team}-*"]},"namespaces":{"patterns":["/"]}}`,
		},
		"named header":    {"jwt {\npublic_key key.pem\nheader X-Token\n}", `{"public_key":"key.pem","header":"X-Token"}`},
		"caddy":           {"caddy", `{}`},
		"caddy's headers": {"caddy {\nuser_header Remote-User\n}", `{"user_header":"Remote-User"}`},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := adapt(t, tc.block); err != nil || got != tc.want {
				t.Fatalf("got %s, %v\nwant %s", got, err, tc.want)
			}
		})
	}
}

func TestCaddyfileErrorsNameOptionLineAndFix(t *testing.T) {
	for name, tc := range map[string]struct{ block, want string }{
		"no key":             {"jwt", "auth jwt: it has nothing to verify tokens with; add secret, public_key or jwks, at Testfile:1"},
		"two keys":           {"jwt {\nsecret s\njwks https://a.test/\n}", "auth jwt: jwks: it contradicts secret; tokens are verified in one way, remove one of them, at Testfile:3"},
		"unknown option":     {"jwt {\nsecert s\n}", `auth jwt has no option "secert"; there are: secret, `},
		"twice":              {"jwt {\nsecret s\nsecret t\n}", "auth jwt secret: it was already set at line 2; keep one of the two, at Testfile:3"},
		"no value":           {"jwt {\nsecret\n}", "auth secret: it needs a value; write secret <value>, at Testfile:2"},
		"too many":           {"jwt {\nsecret s t\n}", `auth jwt secret: one argument too many, "t"; remove it, at Testfile:2`},
		"argument":           {"jwt secret", `auth jwt: it takes no argument "secret"; options go into its block, at Testfile:1`},
		"no URL":             {"jwt {\njwks issuer.test\n}", "auth jwt: jwks: it is no URL; write one such as https://login.example.com/.well-known/jwks.json, at Testfile:2"},
		"password in URL":    {"jwt {\njwks https://u:p@a.test/\n}", "which would end up in logs; remove them, at Testfile:2"},
		"leeway":             {"jwt {\nsecret s\nleeway long\n}", `auth jwt leeway: "long" is no duration; write one such as 30s, at Testfile:3`},
		"negative leeway":    {"jwt {\nsecret s\nleeway -1s\n}", `auth jwt leeway: "-1s" is no duration`},
		"no leeway":          {"jwt {\nleeway\n}", "auth jwt leeway: it needs a value"},
		"require no value":   {"jwt {\nrequire role\n}", "write require <claim> <value...>, at Testfile:2"},
		"require twice":      {"jwt {\nrequire a b\nrequire a c\n}", "the claim a is required twice; put all its values on one line, at Testfile:3"},
		"no audience":        {"jwt {\naudience\n}", "write audience <audience...>, at Testfile:2"},
		"two claims":         {"jwt {\nrooms a b\n}", "auth jwt rooms: it takes one claim; for patterns write rooms patterns a b, at Testfile:2"},
		"claim twice":        {"jwt {\nrooms a\nrooms b\n}", "auth jwt rooms: the claim was already set to a; keep one of the two, at Testfile:3"},
		"no rooms":           {"jwt {\nrooms\n}", "write rooms <claim>, or rooms patterns <pattern...>, at Testfile:2"},
		"wrong placeholder":  {"jwt {\nsecret s\nnamespaces patterns {sub}\n}", `auth jwt: namespaces: "{sub}" is no pattern`},
		"cookie's name":      {"jwt {\nsecret s\ncookie a;b\n}", `auth jwt: cookie: "a;b" is no cookie's name`},
		"header with _":      {"jwt {\nsecret s\nheader X_Token\n}", `auth jwt: header: "X_Token" is no header's name; use letters, digits and '-', at Testfile:3`},
		"block in an option": {"jwt {\nsecret s {\n}\n}", `auth jwt has no option "{"`},
		"caddy's header":     {"caddy {\nuser_header a:b\n}", `auth caddy: user_header: "a:b" is no header's name; use letters, digits and '-', at Testfile:2`},
		"caddy's option":     {"caddy {\nuser x\n}", `auth caddy has no option "user"; there are: user_header, name_header, role_header, at Testfile:2`},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := adapt(t, tc.block); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %s, error %v\nwant %s", got, err, tc.want)
			}
		})
	}
}

func FuzzCaddyfile(f *testing.F) {
	f.Add("jwt {\nsecret s\nrequire a b\nrooms patterns {claim.a}*\n}")
	f.Add("caddy {\nuser_header a\n}")
	f.Add("jwt {\njwks https://a.test\nheader {\n}\n}")
	f.Fuzz(func(t *testing.T, block string) {
		tokens, err := caddyfile.Tokenize([]byte(block), "Testfile")
		if err != nil || len(tokens) == 0 {
			return
		}
		j := new(auth.JWT)
		if j.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens)) == nil && j.Validate() != nil {
			t.Fatalf("the parser accepted what Validate refuses: %q", block)
		}
	})
}
