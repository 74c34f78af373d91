package signaling

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
)

// world is a service with sockets that remember what they were sent, acks among
// it, in order.
type world struct {
	t       testing.TB
	service *Service

	// bus joins the nodes of a cluster, on which sockets come in turn; nil without.
	bus   *bus
	count int

	mu    sync.Mutex
	rooms map[string][]*socket // in order of joining; guarded by mu
	alive map[string]*socket   // by id; guarded by mu
}

// clustered makes worlds of that many nodes, lag lets them hear of things late.
var (
	clustered int
	lag       bool
)

type socket struct {
	world  *world
	node   *busNode // in a cluster
	client *Client
	id     string

	mu      sync.Mutex
	user    *User
	log     []sent
	kept    []sent
	gone    bool
	joinErr error
}

type sent struct {
	event   string
	payload string
}

func newWorld(t testing.TB, change func(*Options)) *world {
	o := DefaultOptions()
	if change != nil {
		change(&o)
	}
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, rooms: make(map[string][]*socket), alive: make(map[string]*socket)}
	if clustered > 0 {
		w.bus = newBus(w, clustered, lag, o)
		w.service = w.bus.nodes[0].service
		return w
	}
	w.service = New(NewMemory(w), o)
	t.Cleanup(func() { _ = w.service.Close() })
	return w
}

// set changes the options of the living service.
func (w *world) set(change func(*Options)) {
	o := *w.service.opts.Load()
	change(&o)
	w.service.Configure(o)
	if w.bus != nil {
		for _, n := range w.bus.nodes {
			n.service.Configure(o)
		}
	}
}

// stats are those of the service, or of the whole cluster.
func (w *world) stats() Stats {
	if w.bus == nil {
		return w.service.Stats()
	}
	w.bus.settle()
	return w.bus.stats()
}

// look shows a room as it is kept.
func (w *world) look(name string, look func(*Room)) {
	w.t.Helper()
	if w.bus == nil {
		_ = w.service.store.View(name, func(r *Room) error { look(r); return nil })
		return
	}
	w.bus.settle()
	w.bus.mu.Lock()
	defer w.bus.mu.Unlock()
	r := newRoom(name, nil)
	if v, there := w.bus.entries[roomPrefix+name]; there {
		if err := r.decode(v.Data); err != nil {
			w.t.Fatal(err)
		}
		look(r)
	}
}

// settle waits until everyone has heard of what was said.
func (w *world) settle() {
	if w.bus != nil {
		w.bus.settle()
	}
}

func (w *world) Broadcast(room string, except []string, event string, payload json.RawMessage) {
	w.mu.Lock()
	members := slices.Clone(w.rooms[room])
	w.mu.Unlock()
	for _, s := range members {
		if !slices.Contains(except, s.id) {
			s.Emit(event, payload)
		}
	}
}

// socket attaches a socket; user "" is a guest.
func (w *world) socket(id, user string) *socket {
	s := &socket{world: w, id: id}
	if user != "" {
		s.user = &User{ID: user}
	}
	s.attach(nil)
	return s
}

// attach puts the socket on the next node, and recovers what it had.
func (s *socket) attach(rooms []string) {
	w := s.world
	service := w.service
	w.mu.Lock()
	if w.bus != nil {
		s.node = w.bus.living(w.count)
		service = s.node.service
		w.count++
	}
	w.alive[s.id] = s
	w.mu.Unlock()
	s.client = service.Attach(s, rooms != nil, rooms)
	w.settle()
}

func (s *socket) ID() string { return s.id }

func (s *socket) User() *User {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.user
}

func (s *socket) Emit(event string, payload json.RawMessage) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !json.Valid(payload) {
		s.world.t.Errorf("%s was sent malformed JSON: %s %s", s.id, event, payload)
	}
	wire.sent(event, payload)
	if s.gone {
		return false
	}
	s.log = append(s.log, sent{event, string(payload)})
	return true
}

func (s *socket) Keep(event string, payload json.RawMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = append(s.kept, sent{event, string(payload)})
}

func (s *socket) Join(room string) error {
	if s.joinErr != nil {
		return s.joinErr
	}
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	if !slices.Contains(s.world.rooms[room], s) {
		s.world.rooms[room] = append(s.world.rooms[room], s)
	}
	return nil
}

func (s *socket) Leave(room string) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.world.rooms[room] = slices.DeleteFunc(s.world.rooms[room], func(o *socket) bool { return o == s })
}

var errKilled = errors.New("the node was killed meanwhile")

// try handles an event as the gateway does.
func (s *socket) try(event, payload string) (string, error) {
	var result string
	answers := 0
	raw := []byte(payload)
	err := s.client.Handle(event, raw, func(r json.RawMessage) {
		answers++
		result = string(r)
		s.Emit("ack "+event, r)
	})
	// The payload is the transport's again: nothing may have been kept of it.
	for i := range raw {
		raw[i] = 'x'
	}
	wire.error(event, err)
	s.world.settle()
	if s.node.killed() {
		return "", errKilled // whatever became of it
	}
	if err == nil && answers != 1 || err != nil && answers != 0 {
		s.world.t.Errorf("%s %s: %d answers with the error %v", event, payload, answers, err)
	}
	return result, err
}

func (s *socket) do(event, payload string) string {
	s.world.t.Helper()
	result, err := s.try(event, payload)
	if err != nil {
		s.world.t.Fatalf("%s: %s %s: %v", s.id, event, payload, err)
	}
	return result
}

// fails checks the code of an error.
func (s *socket) fails(event, payload, code string) {
	s.world.t.Helper()
	_ = s.failure(event, payload, code)
}

// failure is the error that an event must have.
func (s *socket) failure(event, payload, code string) *Error {
	s.world.t.Helper()
	result, err := s.try(event, payload)
	var e *Error
	if !errors.As(err, &e) || e.Code != code {
		s.world.t.Fatalf("%s: %s %s: got %s, %v, want %s", s.id, event, payload, result, err, code)
	}
	return e
}

// joined is the part of a join's answer that tests use.
type joined struct {
	Self     peerJSON
	Resumed  bool
	Peers    []peerJSON
	Cursor   string
	Count    int
	Locked   bool
	Metadata map[string]any
	Revision int
	Locks    []lockJSON
	Servers  []serverJSON `json:"iceServers"`
	Expires  int64        `json:"iceExpires"`
	Resume   string
}

type lockJSON struct {
	Name, Owner string
	Expires     int64
}

type serverJSON struct {
	URLs                 []string
	Username, Credential string
}

type peerJSON struct {
	ID       string
	User     struct{ ID, Name string }
	Role     string
	State    map[string]any
	Away     bool
	JoinedAt int64
	Order    int
	Polite   bool
}

// join enters room r with further fields, such as `,"resume":"…"`.
func (s *socket) join(more ...string) joined {
	s.world.t.Helper()
	return decode[joined](s.world.t, s.do("join", `{"room":"r"`+strings.Join(more, "")+`}`))
}

func decode[T any](t testing.TB, raw string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(raw), &v); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return v
}

// lose and leave end the socket's connection.
func (s *socket) lose() { s.end(true) }

func (s *socket) leave() { s.end(false) }

func (s *socket) end(lost bool) {
	s.mu.Lock()
	s.gone = true
	s.mu.Unlock()
	s.world.mu.Lock()
	for room, members := range s.world.rooms {
		s.world.rooms[room] = slices.DeleteFunc(members, func(o *socket) bool { return o == s })
	}
	if s.world.alive[s.id] == s {
		delete(s.world.alive, s.id)
	}
	s.world.mu.Unlock()
	s.client.Disconnect(lost)
	s.world.settle()
}

// take returns what the socket was sent since the last time.
func (s *socket) take() []sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	log := s.log
	s.log = nil
	return log
}

// got checks what the socket was sent since the last time, as "event payload".
func (s *socket) got(want ...string) {
	s.world.t.Helper()
	var got []string
	for _, e := range s.take() {
		got = append(got, e.event+" "+e.payload)
	}
	if !slices.Equal(got, want) {
		s.world.t.Fatalf("%s got\n%s\nwant\n%s", s.id, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// names lists the events that the socket was sent since the last time.
func (s *socket) names() string {
	var names []string
	for _, e := range s.take() {
		names = append(names, e.event)
	}
	return strings.Join(names, ", ")
}
