package caddymodule

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
	"github.com/caddy-socketio/caddy-socketio/internal/hub"
)

// order is the body of a POST: whom it concerns, and what is to be done.
type order struct {
	Namespace string   `json:"namespace"`
	Rooms     []string `json:"rooms"`  // whom; none: the whole namespace
	Except    []string `json:"except"` // but not those in these rooms

	Event   string            `json:"event"`
	Args    []json.RawMessage `json:"args"`
	Targets []string          `json:"targets"` // the rooms to join or leave
	Close   bool              `json:"close"`   // the whole connections, too
}

// actionOf is what can be done to sockets under a name, nil for no such thing.
func actionOf(what string) func(gateway.Target, *order) error {
	switch what {
	case "emit":
		return emit
	case "disconnect":
		return func(t gateway.Target, o *order) error { return t.Disconnect(o.Close) }
	case "join":
		return func(t gateway.Target, o *order) error { return o.move(t.Join) }
	case "leave":
		return func(t gateway.Target, o *order) error { return o.move(t.Leave) }
	}
	return nil
}

func (o *order) move(f func(rooms ...string) error) error {
	if len(o.Targets) == 0 {
		return apiError(http.StatusBadRequest, "targets is missing: the rooms to join or leave")
	}
	return f(o.Targets...)
}

func emit(t gateway.Target, o *order) error {
	if o.Event == "" {
		return apiError(http.StatusBadRequest, "event is missing: the name of the event")
	}
	args := make([]any, len(o.Args))
	for i, a := range o.Args {
		args[i] = a
	}
	if err := t.Emit(o.Event, args...); err != nil {
		return apiError(http.StatusBadRequest, "emitting: %w", err)
	}
	return nil
}

// readOrder reads one order and nothing else: a misspelt rooms must not reach
// everybody, nor may a second order be passed over.
func readOrder(r io.Reader) (*order, error) {
	var o order
	body := json.NewDecoder(r)
	body.DisallowUnknownFields()
	if err := body.Decode(&o); err != nil {
		return nil, err
	}
	if _, err := body.Token(); err != io.EOF {
		return nil, errors.New("there is more behind the object")
	}
	return &o, nil
}

// largestOrder bounds the body of a POST, in bytes.
const largestOrder = 1 << 20

func (adminAPI) post(w http.ResponseWriter, r *http.Request, live *hub.Hub, act func(gateway.Target, *order) error) error {
	if err := only(r, http.MethodPost); err != nil {
		return err
	}
	o, err := readOrder(http.MaxBytesReader(w, r.Body, largestOrder))
	if err != nil {
		return apiError(http.StatusBadRequest, "reading the body: %w", err)
	}
	ns, err := findNamespace(live, o.Namespace)
	if err != nil {
		return err
	}
	target := gateway.Target(ns)
	if len(o.Rooms) > 0 {
		target = target.To(o.Rooms...)
	}
	if len(o.Except) > 0 {
		target = target.Except(o.Except...)
	}
	if err := act(target, o); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
