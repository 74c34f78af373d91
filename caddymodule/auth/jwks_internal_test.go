package auth

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// issuer is a key set's server without a network, so that time can be faked.
type issuer struct {
	mu      sync.Mutex
	answer  func(r *http.Request) (*http.Response, error)
	fetches int
}

func (i *issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	i.mu.Lock()
	i.fetches++
	answer := i.answer
	i.mu.Unlock()
	return answer(r)
}

func (i *issuer) set(answer func(r *http.Request) (*http.Response, error)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = answer
}

func (i *issuer) count() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.fetches
}

func down(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") }

func hangs(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func says(status int, body string) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Status: http.StatusText(status), Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

// has is a set of Ed25519 keys by their ids.
func has(ids ...string) func(*http.Request) (*http.Response, error) {
	var keys []any
	for _, id := range ids {
		public := edKey(id).Public().(ed25519.PublicKey)
		keys = append(keys, map[string]string{
			"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": id,
			"x": base64.RawURLEncoding.EncodeToString(public),
		})
	}
	body, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		return func(*http.Request) (*http.Response, error) { return nil, err }
	}
	return says(http.StatusOK, string(body))
}

// edKey derives a key from its id, so that the token's and the set's agree.
func edKey(id string) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, id)
	return ed25519.NewKeyFromSeed(seed)
}

// inBubble runs f with an authenticator of a key set from a faked issuer.
func inBubble(t *testing.T, f func(t *testing.T, i *issuer, accepts func(id string) error)) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{answer: down}
		set := newKeySet("https://issuer.test/keys")
		set.client.Transport = i
		j := &JWT{keys: keySetUser{set, zap.NewNop()}, User: "sub", parser: jwt.NewParser(jwt.WithValidMethods(asymmetric))}
		f(t, i, func(id string) error {
			token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{"sub": "u"})
			if id != "" {
				token.Header["kid"] = id
			}
			signed, err := token.SignedString(edKey(id))
			if err != nil {
				t.Fatal(err)
			}
			_, err = j.Renew(t.Context(), "/", nil, signed)
			return err
		})
		if err := set.Destruct(); err != nil {
			t.Error(err)
		}
	})
}

func TestKeysAreFetchedOnceAndCached(t *testing.T) {
	inBubble(t, func(t *testing.T, i *issuer, accepts func(string) error) {
		i.set(has("a", "b"))
		for _, id := range []string{"a", "b", "a"} {
			if err := accepts(id); err != nil {
				t.Fatalf("%s: %v", id, err)
			}
		}
		if n := i.count(); n != 1 {
			t.Fatalf("%d fetches, want 1", n)
		}
	})
}

func TestConcurrentTokensShareOneFetch(t *testing.T) {
	inBubble(t, func(t *testing.T, i *issuer, accepts func(string) error) {
		release := make(chan struct{})
		i.set(func(r *http.Request) (*http.Response, error) {
			<-release
			return has("a")(r)
		})
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if err := accepts("a"); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		close(release)
		wg.Wait()
		if n := i.count(); n != 1 {
			t.Fatalf("%d fetches, want 1", n)
		}
	})
}

func TestUnknownKeyRefreshesWithinTheRate(t *testing.T) {
	inBubble(t, func(t *testing.T, i *issuer, accepts func(string) error) {
		i.set(has("a"))
		if err := accepts("a"); err != nil {
			t.Fatal(err)
		}
		i.set(has("a", "new"))
		for range 20 {
			if err := accepts("new"); err == nil || strings.Contains(err.Error(), "new") {
				t.Fatalf("a fetch too early, or the key id in the error: %v", err)
			}
		}
		time.Sleep(fetchInterval)
		if err := accepts("new"); err != nil {
			t.Fatal(err)
		}
		if n := i.count(); n != 2 {
			t.Fatalf("%d fetches, want 2", n)
		}
	})
}

func TestFloodOfMadeUpKeysIsNoFloodOfFetches(t *testing.T) {
	inBubble(t, func(t *testing.T, i *issuer, accepts func(string) error) {
		i.set(has("a"))
		for n := range 600 {
			if err := accepts("made-up-" + string(rune('A'+n%26))); err == nil {
				t.Fatal("accepted a token of an unknown key")
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := i.count(); n > 7 {
			t.Fatalf("%d fetches in a minute, want one in ten seconds", n)
		}
	})
}

func TestOutageKeepsTheKeys(t *testing.T) {
	for name, outage := range map[string]func(*http.Request) (*http.Response, error){
		"disappears":      down,
		"hangs":           hangs,
		"error page":      says(http.StatusInternalServerError, "{}"),
		"no JSON":         says(http.StatusOK, "<html>"),
		"empty set":       says(http.StatusOK, `{"keys":[]}`),
		"null":            says(http.StatusOK, `null`),
		"useless keys":    says(http.StatusOK, `{"keys":[{"kty":"oct","kid":"a","k":"AAAA"},{"kty":"?"},7]}`),
		"encryption only": says(http.StatusOK, `{"keys":[{"kty":"OKP","crv":"Ed25519","use":"enc","x":"AAAA"}]}`),
		"endless":         says(http.StatusOK, strings.Repeat(" ", largestKeySet+1)+`{"keys":[]}`),
		"too many keys":   says(http.StatusOK, `{"keys":[`+strings.Repeat("{},", mostKeys)+`{}]}`),
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, i *issuer, accepts func(string) error) {
				i.set(has("a"))
				if err := accepts("a"); err != nil {
					t.Fatal(err)
				}
				i.set(outage)
				for range 5 {
					time.Sleep(keySetAge)
					if err := accepts("a"); err != nil {
						t.Fatalf("the outage shut out the known key: %v", err)
					}
				}
				time.Sleep(time.Minute)
				if err := accepts("b"); err == nil {
					t.Fatal("accepted an unknown key")
				}
				time.Sleep(time.Minute)
				i.set(has("b"))
				if err := accepts("b"); err != nil {
					t.Fatalf("after the outage: %v", err)
				}
				if err := accepts("a"); err == nil {
					t.Fatal("accepted a key that the issuer has withdrawn")
				}
			})
		})
	}
}

func TestHangingIssuerHoldsNobodyForLong(t *testing.T) {
	inBubble(t, func(t *testing.T, i *issuer, accepts func(string) error) {
		i.set(hangs)
		start := time.Now()
		if err := accepts("a"); err == nil || !strings.Contains(err.Error(), "could not be fetched") {
			t.Fatalf("got %v", err)
		}
		if d := time.Since(start); d > fetchTimeout {
			t.Fatalf("held for %v", d)
		}
	})
}

func TestClientThatLeavesStopsWaiting(t *testing.T) {
	inBubble(t, func(t *testing.T, i *issuer, _ func(string) error) {
		i.set(hangs)
		set := newKeySet("https://issuer.test/keys")
		set.client.Transport = i
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		token := &jwt.Token{Method: jwt.SigningMethodEdDSA, Header: map[string]any{"kid": "a"}}
		if _, err := (keySetUser{set, zap.NewNop()}).key(ctx, token); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
		if err := set.Destruct(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestTokenWithoutKeyIDTriesTheFittingKeys(t *testing.T) {
	inBubble(t, func(t *testing.T, i *issuer, accepts func(string) error) {
		i.set(has("x", "", "y"))
		if err := accepts(""); err != nil {
			t.Fatal(err)
		}
	})
}

func TestKeySetIsSharedAndOutlivesAReload(t *testing.T) {
	open := func() keySource {
		t.Helper()
		s, err := openKeySet("https://issuer.test/shared", zap.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	old := open()
	next := open()
	if err := old.close(); err != nil {
		t.Fatal(err)
	}
	set := next.(keySetUser).keySet
	if set != old.(keySetUser).keySet || set.closed {
		t.Fatal("a reload made a new key set, or closed the shared one")
	}
	if err := next.close(); err != nil || !set.closed {
		t.Fatalf("the last user did not close the set: %v", err)
	}
	if set.refresh(zap.NewNop()) != nil {
		t.Fatal("a closed set still fetches")
	}
}

func TestRedirectsToPlainHTTPAreNotFollowed(t *testing.T) {
	set := newKeySet("https://issuer.test/keys")
	defer set.cancel()
	https, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://issuer.test/", nil)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://issuer.test/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if set.client.CheckRedirect(https, []*http.Request{https}) != nil {
		t.Error("a redirect within HTTPS is refused")
	}
	if set.client.CheckRedirect(plain, []*http.Request{https}) == nil {
		t.Error("a redirect to plain HTTP is followed")
	}
}

func FuzzKeySet(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB","x5u":"http://127.0.0.1/"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AA"},{"kty":"OKP","crv":"X25519","x":""}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		keys, err := parseKeySet(body)
		if err == nil && len(keys) == 0 {
			t.Fatal("neither keys nor an error")
		}
		for _, k := range keys {
			if len(methodsOf(k.key)) == 0 {
				t.Fatalf("kept a key that no algorithm fits: %T", k.key)
			}
		}
	})
}

func TestPlainHTTPIsWarnedOf(t *testing.T) {
	for url, warned := range map[string]int{
		"http://issuer.test/keys": 1, "http://10.0.0.1/keys": 1, "https://issuer.test/keys": 0,
		"http://localhost:8080/keys": 0, "http://127.0.0.1/keys": 0, "http://[::1]:80/keys": 0,
	} {
		core, logs := observer.New(zap.WarnLevel)
		source, err := openKeySet(url, zap.New(core))
		if err != nil {
			t.Fatal(err)
		}
		if err := source.close(); err != nil {
			t.Error(err)
		}
		if logs.Len() != warned {
			t.Errorf("%s: %d warnings", url, logs.Len())
		}
	}
}
