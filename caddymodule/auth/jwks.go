package auth

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/caddyserver/caddy/v2"
	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/zap"
)

// How often a key set is fetched, and what is accepted of an issuer's server,
// which may be down, slow or not itself.
const (
	keySetAge     = time.Hour
	fetchInterval = 10 * time.Second
	fetchTimeout  = 5 * time.Second
	largestKeySet = 1 << 20
	mostKeys      = 100
)

// keySets holds the key sets by their URL. They outlive reloads: a reload while
// the issuer is down must not forget its keys.
var keySets = caddy.NewUsagePool()

// keySet is the set of an issuer's keys at a URL. All methods may be called
// concurrently.
type keySet struct {
	url    string
	client *http.Client
	ctx    context.Context // the set's own life: a fetch outlives the token that caused it
	cancel context.CancelFunc

	// mu guards the following fields.
	mu      sync.Mutex
	keys    []namedKey
	fetched time.Time     // when keys were fetched, zero before
	tried   time.Time     // when the last fetch began
	err     error         // of the last fetch
	running chan struct{} // closed when the running fetch ends, nil without one
	closed  bool
}

// namedKey is a key of a set. id and method may be empty.
type namedKey struct {
	id, method string
	key        crypto.PublicKey
}

// keySetUser is a configuration's hold on a key set.
type keySetUser struct {
	*keySet
	logger *zap.Logger
}

func openKeySet(url string, logger *zap.Logger) (keySource, error) {
	if err := checkKeySetURL(url); err != nil {
		return nil, err
	}
	if plain(url) {
		logger.Warn("the key set is fetched over plain HTTP: whoever is between this server and the issuer can sign tokens; use https",
			zap.String("url", url))
	}
	set, _, err := keySets.LoadOrNew(url, func() (caddy.Destructor, error) { return newKeySet(url), nil })
	if err != nil {
		return nil, fmt.Errorf("opening the key set: %w", err)
	}
	return keySetUser{set.(*keySet), logger}, nil
}

// plain reports whether a URL is fetched unencrypted from another machine.
func plain(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() != "localhost" && (err != nil || !ip.IsLoopback())
}

func newKeySet(url string) *keySet {
	ctx, cancel := context.WithCancel(context.Background())
	return &keySet{url: url, ctx: ctx, cancel: cancel, client: &http.Client{
		Timeout: fetchTimeout,
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > 5 || via[0].URL.Scheme == "https" && r.URL.Scheme != "https" {
				return errors.New("a redirect is not followed to plain HTTP, nor the sixth one")
			}
			return nil
		},
	}}
}

// Destruct ends the running fetch and waits for it.
func (s *keySet) Destruct() error {
	s.cancel()
	s.mu.Lock()
	s.closed = true
	running := s.running
	s.mu.Unlock()
	if running != nil {
		<-running
	}
	s.client.CloseIdleConnections()
	return nil
}

func (keySetUser) methods() []string { return asymmetric }

func (u keySetUser) close() error {
	_, err := keySets.Delete(u.url)
	return err
}

// key waits for the set only when it lacks the token's key.
func (u keySetUser) key(ctx context.Context, t *jwt.Token) (any, error) {
	id, _ := t.Header["kid"].(string)
	method := t.Method.Alg()
	keys, fresh := u.find(id, method)
	if fresh && len(keys.Keys) > 0 {
		return keys, nil
	}
	done := u.refresh(u.logger)
	if len(keys.Keys) > 0 || done == nil {
		return keys, u.missing(keys)
	}
	select {
	case <-done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	keys, _ = u.find(id, method)
	return keys, u.missing(keys)
}

// find returns the keys that a token can be signed with, and whether the set is
// young enough to need no refresh.
func (s *keySet) find(id, method string) (keys jwt.VerificationKeySet, fresh bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.keys {
		if (id == "" || k.id == id) && (k.method == "" || k.method == method) && slices.Contains(methodsOf(k.key), method) {
			keys.Keys = append(keys.Keys, k.key)
		}
	}
	return keys, !s.fetched.IsZero() && time.Since(s.fetched) < keySetAge
}

// missing explains why there is no key for a token.
func (s *keySet) missing(found jwt.VerificationKeySet) error {
	if len(found.Keys) > 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return fmt.Errorf("the key set has no such key, and could not be fetched: %w", s.err)
	}
	return errors.New("the key set has no such key")
}

// refresh starts a fetch, unless one has begun just now: tokens with made-up key
// ids must not make us a flood. It returns what is closed when the running fetch
// ends, nil when there is none.
func (s *keySet) refresh(logger *zap.Logger) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil {
		return s.running
	}
	if s.closed || !s.tried.IsZero() && time.Since(s.tried) < fetchInterval {
		return nil
	}
	s.tried = time.Now()
	s.running = make(chan struct{})
	go s.run(s.running, logger)
	return s.running
}

func (s *keySet) run(done chan struct{}, logger *zap.Logger) {
	keys, err := s.fetch()
	if err != nil {
		logger.Warn("fetching the key set failed; the keys known so far stay valid",
			zap.String("url", s.url), zap.Error(err))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	if err == nil {
		s.keys, s.fetched = keys, time.Now()
	}
	s.running = nil
	close(done)
}

func (s *keySet) fetch() (keys []namedKey, err error) {
	ctx, cancel := context.WithTimeout(s.ctx, fetchTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/jwk-set+json, application/json")
	answer, err := s.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the answer is %s", answer.Status)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, largestKeySet+1))
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	return parseKeySet(body)
}

// parseKeySet reads the usable keys. Others are left out, so that an issuer can
// have keys for encryption or of newer kinds beside them.
func parseKeySet(body []byte) ([]namedKey, error) {
	if len(body) > largestKeySet {
		return nil, fmt.Errorf("the answer has more than %d bytes", largestKeySet)
	}
	var set struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, fmt.Errorf("the answer is no key set: %w", err)
	}
	if len(set.Keys) > mostKeys {
		return nil, fmt.Errorf("the answer has %d keys, more than %d", len(set.Keys), mostKeys)
	}
	var keys []namedKey
	for _, raw := range set.Keys {
		if k, ok := parseKey(raw); ok {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("the answer has no key that can verify tokens")
	}
	return keys, nil
}

func parseKey(raw json.RawMessage) (namedKey, bool) {
	var m jwkset.JWKMarshal
	if json.Unmarshal(raw, &m) != nil || m.USE != "" && m.USE != jwkset.UseSig {
		return namedKey{}, false
	}
	m.X5U = "" // nothing is fetched from elsewhere
	jwk, err := jwkset.NewJWKFromMarshal(m, jwkset.JWKMarshalOptions{Private: true}, jwkset.JWKValidateOptions{})
	if err != nil {
		return namedKey{}, false
	}
	key := jwk.Key()
	if private, ok := key.(interface{ Public() crypto.PublicKey }); ok {
		key = private.Public()
	}
	return namedKey{m.KID, m.ALG.String(), key}, len(methodsOf(key)) > 0
}
