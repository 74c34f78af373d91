package caddymodule_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

const tokenSecret = "0123456789abcdef0123456789abcdef"

// Where a token comes with the request, each request of the session must have it,
// or another one of the same user. (Upgrades, renewals, and what is verified when:
// internal/socketio.)
func TestRequestWithAnotherUsersTokenIsRefused(t *testing.T) {
	serve(t, "socketio {\nname credentials\nauth jwt {\nsecret "+tokenSecret+"\ncookie session\nheader\nquery token\n}\n}")
	ada, eve := token(t, tokenSecret, "ada"), token(t, tokenSecret, "eve")
	renewed := tokenFor(t, tokenSecret, "ada", 2*time.Hour)
	forged := token(t, "another-secret-of-more-than-32-bytes", "ada")
	for place, with := range map[string]func(token string) (query string, header []string){
		"cookie": func(s string) (string, []string) { return "", []string{"Cookie", "other=1; session=" + s} },
		"header": func(s string) (string, []string) { return "", []string{"Authorization", "Bearer " + s} },
		"query":  func(s string) (string, []string) { return "&token=" + url.QueryEscape(s), nil },
	} {
		t.Run(place, func(t *testing.T) {
			query, header := with(ada)
			p := &polls{t, engine + "?EIO=4&transport=polling" + query}
			_, body := p.request(http.MethodGet, "", header...)
			_, rest, _ := strings.Cut(body, `"sid":"`)
			sid, _, _ := strings.Cut(rest, `"`)
			as := func(token, method, body string) (int, string) {
				query, header := "", []string(nil)
				if token != "" {
					query, header = with(token)
				}
				q := &polls{t, engine + "?EIO=4&transport=polling&sid=" + sid + query}
				return q.request(method, body, header...)
			}
			refuse := func() {
				t.Helper()
				for name, bad := range map[string]string{"another user's": eve, "a forged": forged, "no": ""} {
					for method, body := range map[string]string{http.MethodGet: "", http.MethodPost: "40"} {
						if status, answer := as(bad, method, body); status != http.StatusForbidden || !strings.Contains(answer, `"code":4`) {
							t.Errorf("%s with %s token: %d %q", method, name, status, answer)
						}
					}
				}
			}
			refuse() // before the session has entered a namespace, too
			if status, body := as(ada, http.MethodPost, "40"); status != http.StatusOK {
				t.Fatalf("CONNECT: %d %q", status, body)
			}
			if _, got := as(ada, http.MethodGet, ""); !strings.HasPrefix(got, "40{") {
				t.Fatalf("CONNECT: %q", got)
			}
			refuse()
			for _, good := range []string{renewed, ada, renewed} {
				if status, body := as(good, http.MethodPost, `421["ping"]`); status != http.StatusOK {
					t.Fatalf("the user's own: %d %q", status, body)
				}
				if _, got := as(good, http.MethodGet, ""); !strings.HasPrefix(got, "431[") {
					t.Errorf("the user's own: %q", got)
				}
			}
		})
	}
	serve(t, "respond ok")
}
