package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-socketio/caddy-socketio/internal/hub"
)

func init() { caddy.RegisterModule(adminAPI{}) }

// adminAPI lets operators see and steer the live servers through Caddy's admin
// endpoint:
//
//	GET  /socketio/                    the servers
//	GET  /socketio/health              as the handler socketio_health
//	GET  /socketio/<name>/namespaces   the live namespaces
//	GET  /socketio/<name>/rooms        ?namespace=/
//	GET  /socketio/<name>/sockets      ?namespace=/&room=&user=&offset=0&limit=100
//	POST /socketio/<name>/emit         {namespace, rooms, except, event, args}
//	POST /socketio/<name>/disconnect   {namespace, rooms, except, close}
//	POST /socketio/<name>/join         {namespace, rooms, except, targets}
//	POST /socketio/<name>/leave        {namespace, rooms, except, targets}
//
// A socket's id is a room of it alone. Answers hold no credentials: no session
// ids, headers, tokens or cookies.
type adminAPI struct{}

// CaddyModule returns the Caddy module information.
func (adminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.socketio", New: func() caddy.Module { return new(adminAPI) }}
}

// Routes implements caddy.AdminRouter.
func (a adminAPI) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{{Pattern: "/socketio/", Handler: caddy.AdminHandlerFunc(a.serve)}}
}

func (a adminAPI) serve(w http.ResponseWriter, r *http.Request) error {
	path := strings.TrimPrefix(r.URL.Path, "/socketio/")
	switch path {
	case "":
		return a.get(w, r, listServers)
	case "health":
		if err := only(r, http.MethodGet); err != nil {
			return err
		}
		return writeHealth(w)
	}
	name, what, _ := strings.Cut(path, "/")
	live := findHub(name)
	if live == nil {
		return apiError(http.StatusNotFound, "there is no server %q; GET /socketio/ lists them", name)
	}
	if list := listOf(what); list != nil {
		return a.get(w, r, func(r *http.Request) (any, error) { return list(live, r) })
	}
	if act := actionOf(what); act != nil {
		return a.post(w, r, live, act)
	}
	return apiError(http.StatusNotFound, "a server has no %q; there are namespaces, rooms, sockets, emit, disconnect, join and leave", what)
}

func (adminAPI) get(w http.ResponseWriter, r *http.Request, list func(*http.Request) (any, error)) error {
	if err := only(r, http.MethodGet); err != nil {
		return err
	}
	answer, err := list(r)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(answer)
}

// findHub returns a live server, or nil. It takes no reference: a server that
// ends meanwhile has no sockets any more.
func findHub(name string) *hub.Hub {
	var found *hub.Hub
	hubs.Range(func(key, v any) bool {
		if key == name {
			found = v.(pooled).Hub
		}
		return found == nil
	})
	return found
}

func only(r *http.Request, method string) error {
	if r.Method != method {
		return apiError(http.StatusMethodNotAllowed, "use %s here, not %s", method, r.Method)
	}
	return nil
}

func apiError(status int, format string, args ...any) error {
	return caddy.APIError{HTTPStatus: status, Err: fmt.Errorf(format, args...)}
}

// Interface guard
var _ caddy.AdminRouter = (*adminAPI)(nil)
