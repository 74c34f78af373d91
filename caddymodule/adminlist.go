package caddymodule

import (
	"cmp"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
	"github.com/caddy-socketio/caddy-socketio/internal/hub"
)

// listOf is what there is to see of a server under a name, nil for no such thing.
func listOf(what string) func(*hub.Hub, *http.Request) (any, error) {
	switch what {
	case "namespaces":
		return listNamespaces
	case "rooms":
		return listRooms
	case "sockets":
		return listSockets
	}
	return nil
}

type serverAnswer struct {
	Name       string `json:"name"`
	Uptime     int64  `json:"uptime_seconds"`
	Sessions   int    `json:"sessions"`
	Sockets    int    `json:"sockets"`
	Namespaces int    `json:"namespaces"`
	Reloads    int    `json:"reloads"`
	Draining   bool   `json:"draining"`
}

func listServers(*http.Request) (any, error) {
	out := []serverAnswer{}
	hubs.Range(func(name, v any) bool {
		s := v.(pooled).Status()
		one := serverAnswer{
			Name: name.(string), Uptime: int64(time.Since(s.Opened) / time.Second), Sessions: s.Sessions,
			Namespaces: len(s.Namespaces), Reloads: s.Reloads, Draining: s.Draining,
		}
		for _, ns := range s.Namespaces {
			one.Sockets += ns.Sockets
		}
		out = append(out, one)
		return true
	})
	slices.SortFunc(out, func(a, b serverAnswer) int { return cmp.Compare(a.Name, b.Name) })
	return map[string]any{"versions": versions(), "servers": out}, nil
}

// modulePath is what the build knows this module by.
const modulePath = "github.com/caddy-socketio/caddy-socketio"

// versions are those of Caddy and of this module, which is "(devel)" where it was
// built from a checkout.
func versions() map[string]string {
	simple, _ := caddy.Version()
	out := map[string]string{"caddy": simple, "socketio": "(devel)"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return out
	}
	for _, m := range info.Deps {
		if m.Path == modulePath && m.Replace == nil && m.Version != "" {
			out["socketio"] = m.Version
		}
	}
	return out
}

type namespaceAnswer struct {
	Name       string `json:"name"`
	Configured string `json:"configured"`
	Sockets    int    `json:"sockets"`
	Rooms      int    `json:"rooms"`
	// Gateways is what they tell of themselves, by name.
	Gateways map[string]any `json:"gateways,omitempty"`
}

func listNamespaces(live *hub.Hub, _ *http.Request) (any, error) {
	out := []namespaceAnswer{}
	for _, ns := range live.Status().Namespaces {
		out = append(out, namespaceAnswer{ns.Name, ns.Configured, ns.Sockets, ns.Rooms, live.State(ns.Name)})
	}
	return map[string]any{"namespaces": out}, nil
}

type roomAnswer struct {
	Name    string `json:"name"`
	Sockets int    `json:"sockets"`
}

func listRooms(live *hub.Hub, r *http.Request) (any, error) {
	ns, err := findNamespace(live, r.URL.Query().Get("namespace"))
	if err != nil {
		return nil, err
	}
	out := []roomAnswer{}
	for _, room := range live.Rooms(ns.Name()) {
		out = append(out, roomAnswer{room.Name, room.Sockets})
	}
	return map[string]any{"rooms": out}, nil
}

type socketAnswer struct {
	ID        string    `json:"id"`
	User      string    `json:"user,omitempty"`
	ClientIP  string    `json:"client_ip,omitempty"`
	Connected time.Time `json:"connected"`
	Rooms     []string  `json:"rooms"`
}

// listSockets answers one page, sorted by id so that pages fit together.
func listSockets(live *hub.Hub, r *http.Request) (any, error) {
	q := r.URL.Query()
	ns, err := findNamespace(live, q.Get("namespace"))
	if err != nil {
		return nil, err
	}
	offset, err := count(q.Get("offset"), 0)
	if err != nil {
		return nil, err
	}
	limit, err := count(q.Get("limit"), 100)
	if err != nil {
		return nil, err
	}
	target := gateway.Target(ns)
	if room := q.Get("room"); room != "" {
		target = target.To(room)
	}
	all, err := target.Sockets(r.Context())
	if err != nil {
		return nil, apiError(http.StatusInternalServerError, "listing sockets: %w", err)
	}
	if user := q.Get("user"); user != "" {
		all = slices.DeleteFunc(all, func(s gateway.SocketInfo) bool { return s.Identity == nil || s.Identity.ID != user })
	}
	slices.SortFunc(all, func(a, b gateway.SocketInfo) int { return cmp.Compare(a.ID, b.ID) })
	page := []socketAnswer{}
	for _, s := range all[min(offset, len(all)):min(offset+limit, len(all))] {
		page = append(page, describe(s))
	}
	return map[string]any{"total": len(all), "sockets": page}, nil
}

// describe leaves out what clients keep secret: headers, query and auth payload.
func describe(s gateway.SocketInfo) socketAnswer {
	a := socketAnswer{ID: s.ID, Rooms: s.Rooms}
	if s.Identity != nil {
		a.User = s.Identity.ID
	}
	if s.Handshake != nil {
		a.ClientIP, a.Connected = s.Handshake.ClientIP, s.Handshake.Time
	}
	return a
}

// count reads a number of a query.
func count(s string, otherwise int) (int, error) {
	if s == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > 1_000_000 {
		return 0, apiError(http.StatusBadRequest, "%q is not a number from 0 to 1000000", s)
	}
	return n, nil
}

// findNamespace returns a live namespace, "/" unless another is named.
func findNamespace(live *hub.Hub, name string) (gateway.Namespace, error) {
	ns := live.Namespace(cmp.Or(name, "/"))
	if ns == nil {
		return nil, apiError(http.StatusNotFound, "there is no live namespace %q; see namespaces", cmp.Or(name, "/"))
	}
	return ns, nil
}
