package signaling

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// documentVersion tells how a room is written. Fields may be added without a new
// one: a node of an older release ignores them, as long as it does no harm.
const documentVersion = 1

// document is a room as the nodes of a cluster share it. Times are Unix
// microseconds, 0 for none. What clients have sent is kept as text, since it is
// relayed as it came.
type document struct {
	Format    int             `json:"v"`
	Born      string          `json:"born"`
	Writes    int64           `json:"writes"`
	Orders    int64           `json:"orders"`
	Locked    bool            `json:"locked,omitempty"`
	Revision  int64           `json:"revision,omitempty"`
	Metadata  []documentEntry `json:"metadata,omitempty"`
	Locks     []documentLock  `json:"locks,omitempty"`
	EmptyAt   int64           `json:"emptyAt,omitempty"`
	Keeper    string          `json:"keeper"`
	Peers     []documentPeer  `json:"peers,omitempty"`
	Presence  *documentNews   `json:"presence,omitempty"`
	Remainder []documentPeer  `json:"gone,omitempty"` // peers that a batch has yet to tell have left
}

type documentEntry struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type documentLock struct {
	Name    string `json:"name"`
	Owner   string `json:"owner"`
	Expires int64  `json:"expires"`
}

type documentPeer struct {
	ID       string          `json:"id"`
	User     string          `json:"user,omitempty"`
	Name     string          `json:"name,omitempty"`
	Order    int64           `json:"order"`
	Joined   int64           `json:"joined"`
	State    string          `json:"state,omitempty"`
	Rule     string          `json:"rule,omitempty"` // that it was promoted under
	Claimed  bool            `json:"claimed,omitempty"`
	Socket   string          `json:"socket"`
	Node     string          `json:"node"`
	Deadline int64           `json:"deadline,omitempty"` // set when away
	Waiting  []documentEvent `json:"waiting,omitempty"`
	Secret   string          `json:"secret,omitempty"`
	Used     string          `json:"used,omitempty"`
	News     *documentTold   `json:"news,omitempty"`
}

// documentTold is what the batches of presence know of a peer, see news.
type documentTold struct {
	Pending bool   `json:"pending,omitempty"`
	Since   int64  `json:"since,omitempty"`
	Joined  int64  `json:"joined,omitempty"`
	Left    int64  `json:"left,omitempty"`
	State   int64  `json:"state,omitempty"`
	Away    int64  `json:"away,omitempty"`
	WasAway bool   `json:"wasAway,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

type documentEvent struct {
	Name    string `json:"name"`
	Payload string `json:"payload"`
}

type documentNews struct {
	Position  int64    `json:"position"`
	Flushed   int64    `json:"flushed"`
	At        int64    `json:"at,omitempty"`
	Bytes     int      `json:"bytes,omitempty"`
	Changed   []string `json:"changed,omitempty"`
	Newcomers []string `json:"newcomers,omitempty"`
}

// encode writes a room. Equal rooms have equal texts.
func (r *Room) encode() ([]byte, error) {
	d := document{
		Format: documentVersion, Born: r.born, Writes: r.writes, Orders: r.orders, Locked: r.locked, Revision: r.revision,
		EmptyAt: micros(r.emptyAt), Keeper: r.keeper, Presence: r.presence.document(),
	}
	for _, e := range r.metadata {
		d.Metadata = append(d.Metadata, documentEntry{e.key, string(e.value)})
	}
	for _, l := range r.locks {
		d.Locks = append(d.Locks, documentLock{l.name, l.owner.id, micros(l.expires)})
	}
	for _, p := range r.list {
		d.Peers = append(d.Peers, p.document())
	}
	for _, p := range r.presence.changed {
		if r.peers[p.id] != p {
			d.Remainder = append(d.Remainder, p.document())
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(&d); err != nil {
		return nil, fmt.Errorf("encoding a room: %w", err)
	}
	return b.Bytes(), nil
}

func (p *Peer) document() documentPeer {
	d := documentPeer{
		ID: p.id, User: p.user, Name: p.name, Order: p.order, Joined: micros(p.joined), State: string(p.state),
		Rule: string(p.promoted), Claimed: p.claimed, Socket: p.socket, Node: p.node, Secret: p.secret, Used: p.used,
	}
	if p.away {
		d.Deadline = micros(p.deadline)
	}
	for _, e := range p.waiting {
		d.Waiting = append(d.Waiting, documentEvent{e.name, string(e.payload)})
	}
	if n := p.news; n != (news{}) {
		d.News = &documentTold{n.pending, n.since, n.joined, n.left, n.state, n.away, n.wasAway, n.reason}
	}
	return d
}

func (p *presence) document() *documentNews {
	if p.position == 0 {
		return nil
	}
	return &documentNews{p.position, p.flushed, micros(p.at), p.bytes, ids(p.changed), ids(p.newcomers)}
}

func ids(peers []*Peer) (ids []string) {
	for _, p := range peers {
		ids = append(ids, p.id)
	}
	return ids
}

// decode reads a room into r, which is new. What is not in order is an error:
// nothing wrong is to spread from there.
func (r *Room) decode(text []byte) error {
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		return fmt.Errorf("decoding a room: %w", err)
	}
	if d.Format != documentVersion {
		return fmt.Errorf("decoding a room: its format is %d, not %d", d.Format, documentVersion)
	}
	r.born, r.writes = d.Born, d.Writes
	r.orders, r.locked, r.revision, r.keeper = d.Orders, d.Locked, d.Revision, d.Keeper
	r.emptyAt = fromMicros(d.EmptyAt)
	known := make(map[string]*Peer, len(d.Peers)+len(d.Remainder))
	for i := range d.Peers {
		p, err := d.Peers[i].peer()
		if err != nil {
			return err
		}
		if r.sockets[p.socket] != nil || known[p.id] != nil || i > 0 && p.order <= r.list[i-1].order || p.order > r.orders {
			return fmt.Errorf("decoding a room: its peers are in disorder")
		}
		r.place(p)
		known[p.id] = p
	}
	slices.SortStableFunc(r.absent, func(a, b absence) int { return a.deadline.Compare(b.deadline) })
	for i := range d.Remainder {
		p, err := d.Remainder[i].peer()
		if err != nil {
			return err
		}
		if known[p.id] == nil {
			known[p.id] = p
		}
	}
	for _, e := range d.Metadata {
		if !json.Valid([]byte(e.Value)) {
			return fmt.Errorf("decoding a room: its metadata is malformed")
		}
		r.metadata = append(r.metadata, entry{e.Key, json.RawMessage(e.Value)})
	}
	for _, l := range d.Locks {
		if r.peers[l.Owner] == nil {
			return fmt.Errorf("decoding a room: a lock has no owner")
		}
		r.locks = append(r.locks, lock{l.Name, r.peers[l.Owner], fromMicros(l.Expires)})
	}
	if d.Presence != nil {
		r.presence = d.Presence.presence(known)
	}
	return nil
}

// place puts a decoded peer into the room's books.
func (r *Room) place(p *Peer) {
	if p.state == nil {
		p.state = json.RawMessage(`{}`)
	}
	r.peers[p.id], r.sockets[p.socket] = p, p
	r.list = append(r.list, p)
	if p.away {
		r.absent = append(r.absent, absence{p, p.deadline})
	} else {
		r.live++
	}
}

func (d *documentPeer) peer() (*Peer, error) {
	if !plain(d.ID) || !plain(d.Secret) || d.News != nil && !plain(d.News.Reason) {
		return nil, errors.New("decoding a room: a peer is malformed") // these are written as they are
	}
	p := &Peer{
		id: d.ID, user: d.User, name: d.Name, order: d.Order, joined: fromMicros(d.Joined),
		promoted: HostMode(d.Rule), claimed: d.Claimed, socket: d.Socket, node: d.Node, secret: d.Secret, used: d.Used,
		away: d.Deadline != 0, deadline: fromMicros(d.Deadline),
	}
	// Text that is no JSON would break the packets that it becomes part of.
	if json.Valid([]byte(d.State)) {
		p.state = json.RawMessage(d.State)
	}
	for _, e := range d.Waiting {
		if json.Valid([]byte(e.Payload)) {
			p.waiting = append(p.waiting, event{e.Name, json.RawMessage(e.Payload)})
			p.size += len(e.Payload)
		}
	}
	if n := d.News; n != nil {
		p.news = news{n.Pending, n.Since, n.Joined, n.Left, n.State, n.Away, n.WasAway, n.Reason}
	}
	return p, nil
}

func (d *documentNews) presence(known map[string]*Peer) presence {
	p := presence{position: d.Position, flushed: d.Flushed, at: fromMicros(d.At), bytes: d.Bytes}
	for _, id := range d.Changed {
		if one := known[id]; one != nil {
			p.changed = append(p.changed, one)
		}
	}
	for _, id := range d.Newcomers {
		if one := known[id]; one != nil {
			p.newcomers = append(p.newcomers, one)
		}
	}
	return p
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us)
}
