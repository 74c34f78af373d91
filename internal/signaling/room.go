package signaling

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"time"
)

// Room is the state of one room. Only changes and looks of a [Store] may touch
// it: changes alone, looks beside each other.
//
// Peers, list and orders are who is here; metadata and locks what they
// share; presence what large rooms are told late; the deadlines what happens by
// itself.
type Room struct {
	name   string
	quoted string // name as a JSON string
	fanout Fanout
	// Without a cluster node is "" and held nil: see effect.go.
	node   string
	held   *held
	keeper string // the node that sees to what is due
	born   string // tells the room from others of that name before and after it
	writes int64

	// Set by the service for each change.
	opts *Options
	now  time.Time
	// entering is the socket whose snapshot this change answers. It hears nothing
	// else of the change: whatever happened is in the snapshot.
	entering string

	peers    map[string]*Peer // by id
	sockets  map[string]*Peer // by the id of the socket they have or last had
	list     []*Peer          // oldest first
	live     int              // peers that are not away
	orders   int64            // the order of the newest peer
	locked   bool
	metadata []entry // in the order of first setting
	revision int64
	locks    []lock
	presence presence

	// Deadlines; see due.
	absent  []absence // in the order of going away
	emptyAt time.Time // zero while peers are here
	ended   bool
	timer   *time.Timer
	armed   time.Time // what timer is set to, zero when it is not
}

// Peer is one socket's, or lately lost socket's, place in a room. It is guarded
// as its [Room] is.
type Peer struct {
	id         string
	user, name string
	order      int64
	joined     time.Time
	state      json.RawMessage // an object, as the client wrote it
	promoted   HostMode        // the rule under which it was promoted, or came first
	claimed    bool            // host by its claims, as the room and other nodes were told

	// client is the socket it has, or last had when away. On a node of a
	// cluster it is nil for one of another node. socket is its id, node where it
	// is, "" without a cluster.
	client   *Client
	socket   string
	node     string
	away     bool
	deadline time.Time // when it leaves, if it is still away
	waiting  []event   // what was sent to it meanwhile
	size     int       // of waiting, in bytes

	secret string // of the resume token
	used   string // the secret before, while its holder may not know the next
	news   news   // what the next batch of presence has to tell
}

// event is one that waits for an away peer.
type event struct {
	name    string
	payload json.RawMessage
}

type absence struct {
	peer     *Peer
	deadline time.Time
}

// newRoom makes an empty room. Its first change has to bring a peer in, or the room
// ends with it.
func newRoom(name string, fanout Fanout) *Room {
	return &Room{
		name:    name,
		quoted:  string(appendText(nil, name)),
		fanout:  fanout,
		peers:   make(map[string]*Peer),
		sockets: make(map[string]*Peer),
	}
}

// member is the peer of a live socket, or an error.
func (r *Room) member(c *Client) (*Peer, error) {
	p := r.sockets[c.id]
	if p == nil || r.node == "" && p.client != c || r.node != "" && (p.node != r.node || !c.in(r.name)) {
		return nil, errNotInRoom
	}
	return p, nil // in a look it may be away, as other nodes still believe
}

// departing is the peer of a client that has gone, or an error.
func (r *Room) departing(c *Client) (*Peer, error) {
	if r.node == "" {
		return r.member(c)
	}
	p := r.sockets[c.id]
	if p == nil || p.node != r.node {
		return nil, errNotInRoom
	}
	return p, nil
}

// other is the peer with that id, or an error.
func (r *Room) other(id string) (*Peer, error) {
	p := r.peers[id]
	if p == nil {
		return nil, errPeerUnavailable
	}
	return p, nil
}

// add gives the peer its order, which also keeps the list sorted.
func (r *Room) add(p *Peer) {
	r.orders++
	p.order = r.orders
	r.peers[p.id] = p
	r.sockets[p.socket] = p
	r.list = append(r.list, p)
	r.live++
}

// after is the place in the list behind the peer of that order, or behind where it
// was: pages go on although their last peer has left.
func (r *Room) after(order int64) int {
	i, found := slices.BinarySearchFunc(r.list, order, func(p *Peer, order int64) int {
		return cmp.Compare(p.order, order)
	})
	if found {
		i++
	}
	return i
}

// Reasons of a departure.
const (
	reasonLeft     = "left"
	reasonTimeout  = "timeout"
	reasonKicked   = "kicked"
	reasonReplaced = "replaced"
	reasonClosed   = "closed"
)

// remove ends a peer and tells the room. Someone who is put out is told of it too.
func (r *Room) remove(p *Peer, reason string) {
	r.before(len(r.list) - 1)
	if reason == reasonTimeout && r.held != nil {
		r.held.over(p.socket)
	}
	r.drop(p)
	if reason == reasonKicked || reason == reasonReplaced || reason == reasonClosed {
		r.to(p, "peer-left", r.leftPayload(p.id, reason))
	}
	r.tellLeft(p, reason)
	r.freeLocksOf(p)
	r.succeed()
}

// drop takes a peer out of the room's books.
func (r *Room) drop(p *Peer) {
	delete(r.peers, p.id)
	delete(r.sockets, p.socket)
	i := r.after(p.order) - 1
	r.list = slices.Delete(r.list, i, i+1)
	if !p.away {
		r.live--
	}
	p.waiting, p.size = nil, 0
	r.vacate(p)
}

// all sends to everyone in the room, but for one socket if except is not "".
func (r *Room) all(event string, payload json.RawMessage, except string) {
	var list []string
	if except != "" {
		list = append(list, except)
	}
	r.allBut(event, payload, list)
}

// allBut sends to everyone but some sockets, and never to the one whose snapshot is
// being made.
func (r *Room) allBut(event string, payload json.RawMessage, except []string) {
	if r.entering != "" {
		except = append(except, r.entering)
	}
	r.spread(except, event, payload)
}

// page appends the peers after an order as a JSON array, with the receiver's
// politeness and without the receiver. It ends early rather than make an answer
// that no socket's buffer holds. The cursor is "" on the last page.
func (r *Room) page(b []byte, self *Peer, order int64, limit int) (_ []byte, cursor string) {
	start := len(b)
	b = append(b, '[')
	n := 0
	for _, p := range r.list[r.after(order):] {
		if p == self {
			continue
		}
		if n == limit || len(b)-start > maxPage {
			return append(b, ']'), strconv.FormatInt(order, 10)
		}
		if n++; n > 1 {
			b = append(b, ',')
		}
		b = r.appendPeer(b, p)
		b = append(b, `,"polite":`...)
		b = strconv.AppendBool(b, self.order > p.order)
		b = append(b, '}')
		order = p.order
	}
	return append(b, ']'), ""
}

const (
	maxPeers = 100     // on one page
	maxPage  = 1 << 18 // bytes after which a page ends
)
