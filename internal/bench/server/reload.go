package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

var errNoSite = errors.New("the server was not started by StartSite")

// Reload gives the running Caddy the directives of another revision, and returns
// once it serves them.
func (s *Server) Reload(ctx context.Context, revision int) error {
	if s.site == nil {
		return errNoSite
	}
	url := "http://" + s.processes[0].admin + "/load"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(s.site(revision)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "text/caddyfile")
	// A load ends the admin endpoint that it came by.
	req.Close = true
	return adminDo(req, io.Discard)
}

// Heap is what Caddy holds on its heap after a collection, in bytes.
func (s *Server) Heap(ctx context.Context) (int64, error) {
	var text bytes.Buffer
	if err := s.admin(ctx, "/debug/pprof/heap?gc=1&debug=1", &text); err != nil {
		return 0, err
	}
	const name = "# HeapAlloc = "
	_, rest, found := strings.Cut(text.String(), name)
	var n int64
	if _, err := fmt.Sscan(rest, &n); err != nil || !found {
		return 0, fmt.Errorf("no %q in the heap profile: %w", name, err)
	}
	return n, nil
}
