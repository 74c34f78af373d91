package signaling

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// entrance is an entry into a room as the client asks for it.
type entrance struct {
	client *Client
	room   string
	state  json.RawMessage // nil when not given
	token  string          // "" when not given
	user   *User           // as it is now; the peer keeps its id and name
	answer Answer
}

// join handles "join" {room, state?: object, resume?: string}. It enters the room,
// gives back the token's peer, or repeats the snapshot to a socket that is in the
// room already. It answers {room, self, resumed, peers, cursor?, count, locked,
// metadata, revision, locks, iceServers, iceExpires?, resume}; peers are the
// others, count counts self too. Refusals are "forbidden" by the identity's
// rooms, "room-locked", "duplicate-user", "room-full" and "too-many-rooms", in
// that order.
func (c *Client) join(raw json.RawMessage, answer Answer) error {
	p, err := parse(raw, "room", "state", "resume")
	if err != nil {
		return err
	}
	e := entrance{client: c, answer: answer, user: c.conn.User()}
	if e.room, err = p.name("room"); err != nil {
		return err
	}
	if e.state, err = p.object("state", c.service.opts.Load().MaxMessage); err != nil {
		return err
	}
	if e.token, err = p.text("resume", false); err != nil {
		return err
	}
	if !e.user.mayEnter(e.room) {
		return errRoomForbidden
	}
	return c.service.update(e.room, true, e.step)
}

// step is the one step in which all of a join happens.
func (e *entrance) step(r *Room) error {
	if p, err := r.member(e.client); err == nil {
		return e.again(r, p)
	}
	p := r.holder(e.token, e.user.id())
	if stale := r.sockets[e.client.id]; stale != nil && stale != p {
		// An entry whose answer never came, since the cluster was away.
		r.remove(stale, reasonLeft)
	}
	if p != nil {
		return e.resume(r, p)
	}
	return e.enter(r)
}

// again answers a socket that is in the room already. The answer of its resume
// may have been lost, so the token of its own peer still counts as resumed.
func (e *entrance) again(r *Room, p *Peer) error {
	r.noteClaims(p)
	if e.state != nil {
		p.state = keep(e.state)
		r.tellState(p)
	}
	r.reply(e.answer, r.snapshot(p, strings.HasPrefix(e.token, p.id+".")))
	r.arrived(p)
	return nil
}

// enter makes a new peer. All checks come before the first effect, the least
// revealing first: a locked room does not tell whether the user is inside. The
// socket hears the room from its joining on, so it is excepted from whatever this
// step tells until its snapshot is answered.
func (e *entrance) enter(r *Room) error {
	user := e.user.id()
	double := r.doubles(user)
	switch {
	case r.locked:
		return errRoomLocked
	case r.opts.DuplicateUser == DuplicateReject && len(double) > 0:
		return errDuplicateUser
	case r.opts.DuplicateUser != DuplicateReplace:
		double = nil
	}
	if len(r.list)-len(double) >= r.opts.RoomCapacity {
		return errRoomFull
	}
	id := random(12)
	if err := r.admit(e.client, id); err != nil {
		return err
	}
	r.entering = e.client.id
	p := &Peer{
		id: id, secret: random(16), user: user,
		client: e.client, socket: e.client.id, node: r.node,
		joined: r.now, state: json.RawMessage(`{}`),
	}
	if e.user != nil {
		p.name = shorten(e.user.Name)
	}
	if e.state != nil {
		p.state = keep(e.state)
	}
	for _, older := range double {
		r.remove(older, reasonReplaced)
	}
	r.before(len(r.list) + 1)
	r.add(p)
	// A reload may have made age count in a room that has no host yet.
	r.succeed()
	p.claimed = r.claims(p)
	r.reply(e.answer, r.snapshot(p, false))
	r.tellJoined(p)
	r.arrived(p)
	return nil
}

// maxShown bounds a name in bytes, so that a batch of many does not outgrow the
// queues of those who get it.
const maxShown = 256

// shorten cuts a name that is too long between two characters.
func shorten(name string) string {
	if len(name) <= maxShown {
		return name
	}
	end := maxShown
	for !utf8.RuneStart(name[end]) {
		end--
	}
	return name[:end]
}

// doubles lists the peers of a user.
func (r *Room) doubles(user string) (found []*Peer) {
	if user == "" || r.opts.DuplicateUser == DuplicateAllow || r.opts.DuplicateUser == "" {
		return nil
	}
	for _, p := range r.list {
		if p.user == user {
			found = append(found, p)
		}
	}
	return found
}

// snapshot is the answer of a join. The resume token in it is the peer's id and its
// current secret: an answer that is repeated repeats the token.
func (r *Room) snapshot(p *Peer, resumed bool) json.RawMessage {
	b := append([]byte(`{"ok":true,"room":`), r.quoted...)
	b = append(b, `,"self":`...)
	b = append(r.appendPeer(b, p), `},"resumed":`...)
	b = strconv.AppendBool(b, resumed)
	b = append(b, `,"peers":`...)
	b, cursor := r.page(b, p, 0, maxPeers)
	if cursor != "" {
		b = append(append(append(b, `,"cursor":"`...), cursor...), '"')
	}
	b = append(b, `,"count":`...)
	b = strconv.AppendInt(b, int64(len(r.list)), 10)
	b = append(b, `,"locked":`...)
	b = strconv.AppendBool(b, r.locked)
	b = append(b, `,"metadata":`...)
	b = appendEntries(b, r.metadata)
	b = append(b, `,"revision":`...)
	b = strconv.AppendInt(b, r.revision, 10)
	b = append(b, `,"locks":`...)
	b = appendLocks(b, r.locks)
	b = append(b, ',')
	b = r.opts.appendICE(b, p, r.now)
	b = append(b, `,"resume":"`...)
	b = append(b, p.id...)
	b = append(b, '.')
	b = append(b, p.secret...)
	return append(b, `"}`...)
}

// random makes an id of n random bytes: 12 for what others may know and must not
// collide, 16 for what nobody may guess. rand.Read never fails. The alphabet needs
// no escaping in JSON and has no dot, which parts id and secret in a token.
func random(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}
