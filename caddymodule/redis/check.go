package redis

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// problem is what is wrong with an option. It shows no secret.
type problem struct{ option, text string }

func (p *problem) Error() string {
	return strings.TrimSuffix("cluster redis "+p.option, " ") + ": " + p.text
}

func wrong(option, format string, args ...any) error {
	return &problem{option, fmt.Sprintf(format, args...)}
}

// check tells the first thing that is wrong, as far as it can be told before
// placeholders are replaced.
func (r *Cluster) check() error {
	if r.URL == "" {
		return wrong("", "it needs a URL; write one such as redis://localhost:6379")
	}
	if r.Adapter != "" && r.Adapter != adapterStreams && r.Adapter != adapterPubSub {
		return wrong("adapter", "%q is unknown; write streams or pubsub", r.Adapter)
	}
	for _, one := range []struct {
		name string
		v    time.Duration
	}{{"timeout", time.Duration(r.Timeout)}, {"request_timeout", time.Duration(r.RequestTimeout)}} {
		if one.v != 0 && (one.v < 100*time.Millisecond || one.v > time.Hour) {
			return wrong(one.name, "%v is no sensible time; use one from 100ms to 1h", one.v)
		}
	}
	if r.MaxLength != 0 && r.MaxLength < 100 {
		return wrong("max_length", "with %d, messages would be lost on any hiccup; use some thousands, 100 at least", r.MaxLength)
	}
	if r.QueueSize != 0 && r.QueueSize < 1e5 {
		return wrong("queue_size", "%d bytes are too few; use 100KB at least", r.QueueSize)
	}
	if err := r.checkAdapter(); err != nil || strings.Contains(r.URL, "{") {
		return err
	}
	o := new(options)
	if err := o.parseURL(r.URL); err != nil {
		return err
	}
	return r.checkURL(o)
}

// checkAdapter refuses what the chosen adapter makes no use of.
func (r *Cluster) checkAdapter() error {
	if r.Adapter != adapterPubSub {
		if r.SpecificResponses {
			return wrong("publish_on_specific_response_channel", "streams always does so; remove it, or write adapter pubsub")
		}
		return nil
	}
	for _, one := range []struct {
		name string
		set  bool
	}{{"stream", r.Stream != ""}, {"max_length", r.MaxLength != 0}, {"session_prefix", r.SessionPrefix != ""}} {
		if one.set {
			return wrong(one.name, "adapter pubsub has no stream; remove it, or write adapter streams")
		}
	}
	return nil
}

// checkURL tells what does not go with a URL that has been read.
func (r *Cluster) checkURL(o *options) error {
	switch {
	case r.SentinelUser != "" && o.Kind != kindSentinel:
		return wrong("sentinel_user", "the URL names no Sentinels; remove it, or write redis+sentinel://")
	case r.SentinelPassword != "" && o.Kind != kindSentinel:
		return wrong("sentinel_password", "the URL names no Sentinels; remove it, or write redis+sentinel://")
	case r.SentinelUser != "" && r.SentinelPassword == "":
		return wrong("sentinel_user", "it needs a password; add sentinel_password")
	case r.User != "" && r.Password == "" && o.Password == "":
		return wrong("user", "it needs a password; add password")
	case o.User != "" && r.Password == "" && o.Password == "":
		return wrong("url", "its user needs a password; add the option password")
	case r.TLS != nil && !o.TLS:
		return wrong("tls", "the URL is not one of TLS; write rediss in place of redis in it, or remove tls")
	case r.TLS != nil && (r.TLS.Certificate == "") != (r.TLS.Key == ""):
		return wrong("tls", "a certificate and its key go together; give both, or neither")
	case o.Kind == kindCluster && strings.Contains(r.Stream, "}") && tagged(r.Stream) != r.Stream:
		return wrong("stream", "its braces are no hash tag; write {tag} in it, or no braces")
	}
	return nil
}

// whole is a text that is one placeholder.
var whole = regexp.MustCompile(`^\{[^{}]+\}$`)

// expand replaces the placeholders of an option.
func expand(option, text string) (string, error) {
	v, err := caddy.NewReplacer().ReplaceOrErr(text, true, true)
	switch {
	case err == nil:
		return v, nil
	case whole.MatchString(text):
		return "", wrong(option, "the placeholder %s is empty or unknown; set what it stands for", text)
	default: // what looks like a placeholder may be a part of a password
		return "", wrong(option, "a placeholder in it is empty or unknown; set what it stands for, or write a backslash before a brace")
	}
}
