package socketio

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// badges are credentials of the form "user/anything". They come in the header Badge
// or, from clients that cannot always send it, Polling-Badge; "run-out" ones are
// not valid any more.
type badges struct{ verified *int }

func (b badges) RequestCredential(h *gateway.Handshake) (string, bool) {
	if badge := h.Header.Get("Polling-Badge"); badge != "" {
		return badge, false
	}
	return h.Header.Get("Badge"), true
}

func (b badges) CredentialUser(_ context.Context, badge string) (string, error) {
	*b.verified++
	user, rest, ok := strings.Cut(badge, "/")
	switch {
	case badge == "panic/":
		panic("at the door")
	case !ok || rest == "run-out":
		return "", errors.New("no badge")
	}
	return user, nil
}

func (b badges) Authenticate(ctx context.Context, _ string, h *gateway.Handshake, _ *gateway.Identity) (*gateway.Identity, error) {
	if user, ok := h.Auth["user"].(string); ok {
		return &gateway.Identity{ID: user}, nil
	}
	badge, _ := b.RequestCredential(h)
	user, err := b.CredentialUser(ctx, strings.Replace(badge, "run-out", "", 1)) // it was good then
	return &gateway.Identity{ID: user}, err
}

// poller opens a session over polling, with a header, and enters "/". It returns
// what asks for the status of a further request, with another header.
func (w *world) poller(header, auth string) func(method, header, body string) int {
	w.t.Helper()
	request, enter := w.session(header)
	enter(header, auth)
	return request
}

// session is poller before it enters, and what enters.
func (w *world) session(header string) (request func(method, header, body string) int, enter func(header, auth string)) {
	w.t.Helper()
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return w.pipes.dial() }}
	w.t.Cleanup(transport.CloseIdleConnections)
	url := "http://pipe/socket.io/?EIO=4&transport=polling"
	do := func(method, header, body string) (int, string) {
		r, err := http.NewRequest(method, url, strings.NewReader(body))
		if err != nil {
			w.t.Fatal(err)
		}
		if name, value, ok := strings.Cut(header, ": "); ok {
			r.Header.Set(name, value)
		}
		if body == "upgrade" {
			r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "polling", "websocket", 1)
			r.Body, r.ContentLength = nil, 0
			for _, h := range [][2]string{
				{"Connection", "Upgrade"}, {"Upgrade", "websocket"}, {"Sec-WebSocket-Version", "13"}, {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
			} {
				r.Header.Set(h[0], h[1])
			}
		}
		res, err := transport.RoundTrip(r)
		if err != nil {
			w.t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode == http.StatusSwitchingProtocols {
			return res.StatusCode, ""
		}
		text, err := io.ReadAll(res.Body)
		if err != nil {
			w.t.Fatal(err)
		}
		return res.StatusCode, string(text)
	}
	_, open := do("GET", header, "")
	_, rest, _ := strings.Cut(open, `"sid":"`)
	sid, _, _ := strings.Cut(rest, `"`)
	url += "&sid=" + sid
	request = func(method, header, body string) int {
		status, _ := do(method, header, body)
		return status
	}
	return request, func(header, auth string) {
		w.t.Helper()
		do("POST", header, "40"+auth)
		if _, got := do("GET", header, ""); !strings.HasPrefix(got, "40{") {
			w.t.Fatalf("got %q, want CONNECT", got)
		}
	}
}

const echoed = `421["echo",1]`

func TestRequestOfAnotherCredential(t *testing.T) {
	const upgrade = "upgrade"
	type request struct {
		method, header, body string
		want                 int
	}
	for name, c := range map[string]struct {
		header, auth string
		requests     []request
		verified     int // beyond the one of the socket, if that is by the header
	}{
		"the same": {"Badge: ann/1", "", []request{
			{"POST", "Badge: ann/1", echoed, 200}, {"GET", "Badge: ann/1", "", 200}, {"GET", "Badge: ann/1", upgrade, 101},
		}, 0},
		"a renewed one": {"Badge: ann/1", "", []request{
			{"POST", "Badge: ann/2", echoed, 200}, {"GET", "Badge: ann/2", "", 200}, {"GET", "Badge: ann/1", upgrade, 101},
		}, 2},
		"a renewed one, once the first has run out": {"Badge: ann/run-out", "", []request{
			{"POST", "Badge: ann/2", echoed, 200}, {"GET", "Badge: ann/2", "", 200}, {"POST", "Badge: eve/1", echoed, 403},
		}, 4},
		"another user's": {"Badge: ann/1", "", []request{
			{"POST", "Badge: eve/1", echoed, 403}, {"GET", "Badge: eve/1", "", 403}, {"GET", "Badge: eve/1", upgrade, 403},
		}, 6},
		"none": {"Badge: ann/1", "", []request{
			{"POST", "", echoed, 403}, {"GET", "", "", 403}, {"GET", "", upgrade, 403},
		}, 0},
		"an invalid one": {"Badge: ann/1", "", []request{
			{"POST", "Badge: made-up", echoed, 403}, {"POST", "Badge: ann/run-out", echoed, 403}, {"POST", "Badge: panic/", echoed, 403},
			{"POST", "Badge: ann/1", echoed, 200},
		}, 3},
		"none from who cannot send it with a websocket": {"Polling-Badge: ann/1", "", []request{
			{"POST", "", echoed, 403}, {"GET", "", "", 403}, {"GET", "Polling-Badge: eve/1", upgrade, 403}, {"GET", "", upgrade, 101},
		}, 2},
		"one that came later": {"", `{"user":"ann"}`, []request{
			{"POST", "Badge: ann/1", echoed, 200}, {"GET", "Badge: ann/1", "", 200}, {"POST", "Badge: ann/2", echoed, 200},
			{"POST", "", echoed, 200}, {"GET", "", upgrade, 101},
		}, 2},
		"another user's that came later": {"", `{"user":"ann"}`, []request{
			{"POST", "Badge: eve/1", echoed, 403}, {"GET", "Badge: eve/1", "", 403}, {"GET", "Badge: eve/1", upgrade, 403},
			{"POST", "Badge: ann/run-out", echoed, 403}, {"POST", "", echoed, 200},
		}, 4},
		"another user's beside an auth payload": {"Badge: bob/1", `{"user":"ann"}`, []request{
			{"POST", "Badge: bob/1", echoed, 200}, {"POST", "Badge: bob/2", echoed, 200}, {"POST", "Badge: eve/1", echoed, 403},
			{"POST", "", echoed, 403},
		}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			verified := 0
			settings := Settings{Namespaces: []Namespace{
				{"/", echo, badges{&verified}}, {"/other", echo, badges{&verified}}, {"/open", echo, nil},
			}}
			inBubble(t, settings, func(t *testing.T, w *world) {
				request := w.poller(c.header, c.auth)
				if c.auth == "" {
					verified--
				}
				for _, r := range c.requests {
					if got := request(r.method, r.header, r.body); got != r.want {
						t.Errorf("%s %s with %q: %d, want %d", r.method, r.body, r.header, got, r.want)
					}
				}
				if verified != c.verified {
					t.Errorf("%d credentials verified, want %d", verified, c.verified)
				}
			})
		})
	}
}

// Who came before anybody had entered gets no further with the same credential
// once another user has.
func TestCredentialFromBeforeTheUser(t *testing.T) {
	verified := 0
	inBubble(t, Settings{Namespaces: []Namespace{{"/", echo, badges{&verified}}}}, func(t *testing.T, w *world) {
		request, enter := w.session("")
		for _, header := range []string{"Badge: eve/1", "Badge: ann/1", "Badge: eve/1"} {
			if got := request("POST", header, "3"); got != 200 { // a heartbeat's answer
				t.Errorf("%s, before anybody has entered: %d", header, got)
			}
		}
		enter("", `{"user":"ann"}`)
		for header, want := range map[string]int{"Badge: eve/1": 403, "Badge: ann/1": 200, "": 200} {
			if got := request("POST", header, echoed); got != want {
				t.Errorf("%q: %d, want %d", header, got, want)
			}
		}
	})
}

// An authenticator that fails again and again does not fill the log.
func TestFailingAuthenticatorIsLoggedWithinBounds(t *testing.T) {
	verified := 0
	inBubble(t, Settings{Namespaces: []Namespace{{"/", echo, badges{&verified}}}}, func(t *testing.T, w *world) {
		request := w.poller("Badge: ann/1", "")
		for range 100 {
			if got := request("POST", "Badge: panic/", echoed); got != 403 {
				t.Fatalf("%d", got)
			}
		}
		if lines := w.logs.FilterMessage("authenticator failed").Len(); lines != 10 {
			t.Errorf("%d lines, want 10", lines)
		}
	})
}

// A reload that looks for credentials elsewhere, or no longer, drops nobody.
func TestReloadChangesTheCredential(t *testing.T) {
	verified := 0
	guarded := Settings{Namespaces: []Namespace{{"/", echo, badges{&verified}}}}
	inBubble(t, guarded, func(t *testing.T, w *world) {
		request := w.poller("Badge: ann/1", "")
		for _, namespaces := range [][]Namespace{
			{{"/", echo, nil}},
			{{"/", echo, guests{}}},
			{{"/", echo, elsewhere{badges{&verified}}}},
			guarded.Namespaces,
		} {
			if err := w.server.Configure(&Settings{Namespaces: namespaces}); err != nil {
				t.Fatal(err)
			}
			if got := request("POST", "Badge: ann/1", echoed); got != 200 {
				t.Errorf("%T: %d", namespaces[0].Authenticator, got)
			}
		}
		if verified != 1 {
			t.Errorf("%d credentials verified", verified)
		}
		if got := request("POST", "Badge: eve/1", echoed); got != 403 {
			t.Errorf("another user's: %d", got)
		}
	})
}

// elsewhere finds badges in another header.
type elsewhere struct{ badges }

func (elsewhere) RequestCredential(h *gateway.Handshake) (string, bool) {
	return h.Header.Get("Other-Badge"), true
}
