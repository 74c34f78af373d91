package signaling

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"
)

// Bounds of a batch: it is sent early when it is that large.
const (
	maxBatchPeers = 1024
	maxBatchBytes = 1 << 18
)

// presence collects what a batch will tell. Positions number the changes of the
// room; a receiver is told what happened after its own position: the flushed one
// for those who heard the last batch, the position of its snapshot for those who
// came since, so that a batch continues the snapshot without gap or repeat.
type presence struct {
	position  int64
	flushed   int64
	at        time.Time // when the batch is due, zero without changes
	changed   []*Peer
	newcomers []*Peer
	bytes     int
}

// news is what a batch has to tell of one peer, as positions of the changes.
type news struct {
	pending bool // in changed
	// since is where the peer's own snapshot was taken.
	since  int64
	joined int64
	left   int64
	state  int64
	away   int64
	// wasAway is its state at the last batch.
	wasAway bool
	reason  string // of leaving
}

// before is called before the room gets another size: one that becomes small
// enough for single news first sends what it holds back, with the count of now.
func (r *Room) before(size int) {
	if size <= r.opts.PresenceAbove {
		r.flush()
	}
}

// note reports whether a change of p goes into a batch, and if so its position.
func (r *Room) note(p *Peer) (position int64, batched bool) {
	if len(r.list) <= r.opts.PresenceAbove {
		r.flush() // options can have changed
		return 0, false
	}
	pr := &r.presence
	if len(pr.changed) >= maxBatchPeers || pr.bytes >= maxBatchBytes {
		r.flush()
	}
	if !p.news.pending {
		p.news.pending = true
		pr.changed = append(pr.changed, p)
	}
	if pr.at.IsZero() {
		pr.at = r.now.Add(r.opts.PresenceInterval)
	}
	pr.position++
	return pr.position, true
}

// arrived takes the position of a peer's snapshot.
func (r *Room) arrived(p *Peer) {
	listed := p.news.since > r.presence.flushed
	p.news.since = r.presence.position
	if !listed && p.news.since > r.presence.flushed {
		r.presence.newcomers = append(r.presence.newcomers, p)
	}
}

// tellJoined tells all but the newcomer. Towards it, all others are impolite.
func (r *Room) tellJoined(p *Peer) {
	if position, batched := r.note(p); batched {
		p.news.joined = position
		r.presence.bytes += len(r.appendPeer(nil, p))
		return
	}
	b := r.head(256 + len(p.state))
	b = append(b, `,"peer":`...)
	b = r.appendPeer(b, p)
	b = append(b, `},"polite":false}`...)
	r.all("peer-joined", b, p.socket)
}

// tellLeft is called when p is out of the list.
func (r *Room) tellLeft(p *Peer, reason string) {
	if position, batched := r.note(p); batched {
		p.news.left, p.news.reason, p.state = position, reason, nil
		return
	}
	r.all("peer-left", r.leftPayload(p.id, reason), "")
}

// tellState tells of a new state. Of several in one batch only the last is told.
func (r *Room) tellState(p *Peer) {
	if position, batched := r.note(p); batched {
		p.news.state = position
		r.presence.bytes += len(p.state)
		return
	}
	r.all("peer-state", r.about(p.id, "state", p.state), p.socket)
}

// tellAway tells that p went away or is back.
func (r *Room) tellAway(p *Peer, was bool) {
	first := !p.news.pending || p.news.away == 0
	if position, batched := r.note(p); batched {
		p.news.away = position
		if first {
			p.news.wasAway = was
		}
		return
	}
	name := "peer-back"
	if p.away {
		name = "peer-away"
	}
	r.all(name, r.about(p.id, "", nil), p.socket)
}

// flush sends the batch: one text for all who know the same, and one each for
// those whose snapshot has some of it already. So its cost is one broadcast and,
// for each newcomer, about what is sent to it: it grows with members and with
// changes, not with their product.
func (r *Room) flush() {
	pr := &r.presence
	if len(pr.changed) == 0 {
		return
	}
	var except []string
	for _, p := range pr.newcomers {
		if r.peers[p.id] == p {
			except = append(except, p.socket)
		}
	}
	joined := r.encodeJoined()
	if batch := r.batch(pr.flushed, joined); batch != nil {
		r.allBut("presence", batch, except)
	}
	for _, p := range pr.newcomers {
		if r.peers[p.id] != p {
			continue
		}
		if batch := r.batch(p.news.since, joined); batch != nil && !r.to(p, "presence", batch) {
			r.keepFor(p, "presence", batch)
		}
	}
	for _, p := range pr.changed {
		p.news = news{since: p.news.since}
	}
	*pr = presence{position: pr.position, flushed: pr.position}
}

// arrivals are the peers that a batch says have joined, encoded once in the order
// of joining: what a newcomer is told of them is a rest of the same text.
type arrivals struct {
	text      []byte
	positions []int64 // of joining, ascending
	starts    []int   // in text
}

// encodeJoined leaves out those who came and went: nobody who gets the batch has to
// hear of them, and who saw them in a snapshot is told that they left.
func (r *Room) encodeJoined() (a arrivals) {
	for _, p := range r.presence.changed {
		if p.news.joined > 0 && p.news.left == 0 {
			a.positions = append(a.positions, p.news.joined)
			a.starts = append(a.starts, len(a.text))
			a.text = append(r.appendPeer(append(a.text, ','), p), '}')
		}
	}
	return a
}

// since is the rest of the text about those who joined after a position.
func (a *arrivals) since(position int64) []byte {
	i, found := slices.BinarySearch(a.positions, position)
	if found {
		i++
	}
	if i == len(a.starts) {
		return nil
	}
	return a.text[a.starts[i]:]
}

// batch encodes what happened after a position, nil if that is nothing.
func (r *Room) batch(since int64, all arrivals) json.RawMessage {
	var left, away, back, states []byte
	joined := all.since(since)
	for _, p := range r.presence.changed {
		n := &p.news
		switch known := n.joined <= since; {
		case n.left > 0 && (!known || n.left <= since):
			// Came and went since, or went before.
		case n.left > 0:
			left = append(left, `,{"id":"`+p.id+`","reason":"`+n.reason+`"}`...)
		case !known:
			// One of the arrivals.
		default:
			if n.state > since {
				states = append(append(states, `,{"id":"`+p.id+`","state":`...), p.state...)
				states = append(states, '}')
			}
			if n.away > since && (p.away != n.wasAway || since > r.presence.flushed) {
				id := `,"` + p.id + `"`
				if p.away {
					away = append(away, id...)
				} else {
					back = append(back, id...)
				}
			}
		}
	}
	if len(joined)+len(left)+len(away)+len(back)+len(states) == 0 {
		return nil
	}
	b := r.head(128 + len(joined) + len(left) + len(away) + len(back) + len(states))
	b = append(b, `,"count":`...)
	b = strconv.AppendInt(b, int64(len(r.list)), 10)
	b = appendPart(b, "joined", joined)
	b = appendPart(b, "left", left)
	b = appendPart(b, "away", away)
	b = appendPart(b, "back", back)
	return append(appendPart(b, "states", states), '}')
}

// appendPart appends an array whose elements each have a comma in front.
func appendPart(b []byte, name string, elements []byte) []byte {
	b = append(b, `,"`+name+`":[`...)
	if len(elements) > 0 {
		b = append(b, elements[1:]...)
	}
	return append(b, ']')
}
