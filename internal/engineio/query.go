package engineio

import (
	"net/http"
	"net/url"
	"strings"
)

// Asked reads from a request its transport, "" for an unknown one, and the id of
// its session, a credential; "" for a handshake.
func Asked(r *http.Request) (transport, id string) {
	query := r.URL.RawQuery
	transport = param(query, "transport")
	if transport != transportPolling && transport != transportWebSocket {
		transport = ""
	}
	return transport, param(query, "sid")
}

// param is the first value of a query parameter, "" without one. It is read
// straight from the query, since a map of all would cost more than a poll.
func param(query, name string) string {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		key, value, _ := strings.Cut(pair, "=")
		if key != name {
			continue
		}
		if strings.ContainsAny(value, "%+") {
			value, _ = url.QueryUnescape(value) // "" when malformed, as if absent
		}
		return value
	}
	return ""
}

// hasParam reports whether a parameter is there, with or without a value.
func hasParam(query, name string) bool {
	for pair := range strings.SplitSeq(query, "&") {
		if key, _, _ := strings.Cut(pair, "="); key == name {
			return true
		}
	}
	return false
}
