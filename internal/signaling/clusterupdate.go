package signaling

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"
)

// Update implements Store. What cannot reach the cluster in time is "unavailable".
func (cl *cluster) Update(name string, create bool, change func(*Room) error) error {
	p := cl.take(name)
	defer cl.give(p)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return errUnavailable
	}
	defer func() { <-p.turn }()
	u := update{cluster: cl, place: p, create: create, change: change}
	err := u.run(ctx)
	if err != nil {
		for _, undo := range u.undo {
			undo()
		}
	}
	return err
}

// update is a change on its way into the cluster. Not safe for concurrent use.
type update struct {
	cluster *cluster
	place   *place
	create  bool
	change  func(*Room) error
	undo    []func()
	// recalled is set for a room that the cluster had lost.
	recalled bool
}

// run makes the change until nobody else was faster.
func (u *update) run(ctx context.Context) error {
	v, err := u.load(ctx)
	for err == nil {
		var r *Room
		if r, v, err = u.base(v); err != nil {
			break
		}
		r.held = new(held)
		err = u.change(r)
		u.undo = append(u.undo, r.held.undo...)
		overtaken := errors.Is(err, errOvertaken)
		if err != nil && !overtaken {
			return err
		}
		var done bool
		if v, done, err = u.write(ctx, r, v); done && !overtaken {
			return nil
		} else if done {
			v, err = u.load(ctx)
		}
	}
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	u.cluster.shared.Report(err)
	return errUnavailable
}

// load returns the room's text as this node knows it, which saves a question: a
// write that finds another one has the newer in its answer.
func (u *update) load(ctx context.Context) (Value, error) {
	u.place.mu.Lock()
	v, fresh := Value{u.place.text, u.place.version}, u.place.fresh()
	u.place.mu.Unlock()
	if fresh {
		return v, nil
	}
	return u.cluster.shared.Get(ctx, roomPrefix+u.place.name)
}

// base is the room to change, and the value that the change replaces.
func (u *update) base(v Value) (*Room, Value, error) {
	cl := u.cluster
	r := cl.blank(u.place.name)
	r.born = random(12)
	read, err := cl.decode(u.place.name, v)
	decoded := read
	if err == nil {
		decoded, err = cl.recall(u.place, read)
	}
	u.recalled = decoded != read
	if err != nil {
		return nil, v, err
	}
	if decoded != nil {
		// An empty room whose time is over is no longer there for a join.
		if now := cl.shared.Now(); !u.create || decoded.emptyAt.IsZero() || now.Before(decoded.emptyAt) {
			return decoded, v, nil
		}
	}
	if !u.create {
		return nil, v, errNotInRoom
	}
	return r, v, nil
}

// recall returns what this node remembers of a room in place of what was read, if
// the cluster has lost its memory: the room is not there although sockets of this
// node are in it, or another node has brought it back as it was earlier.
func (cl *cluster) recall(p *place, read *Room) (*Room, error) {
	cl.mu.Lock()
	seats := len(p.seats)
	cl.mu.Unlock()
	p.mu.Lock()
	own := p.room
	v := Value{p.text, p.version}
	p.mu.Unlock()
	if seats == 0 || own == nil || read != nil && (read.born != own.born || read.writes >= own.writes) {
		return read, nil
	}
	return cl.decode(p.name, v)
}

// write writes the room with what the change has to tell. It returns the newer
// value if there is one.
func (u *update) write(ctx context.Context, r *Room, v Value) (_ Value, done bool, err error) {
	cl, p := u.cluster, u.place
	acts := r.held.acts
	if len(acts) == 0 && v.Version > 0 {
		same, err := u.same(r, v)
		if err != nil || same {
			return v, same, err
		}
	}
	due := r.due()
	r.keeper = r.node
	if len(acts) > 0 || v.Version > 0 {
		// What is only brought back must not outdo what another node remembers.
		r.writes++
	}
	text, err := u.text(r)
	if err != nil {
		return v, false, err
	}
	if u.recalled {
		acts = append(acts, effect{back: r.nodes()})
	}
	t := new(turn)
	steps, err := cl.steps(p.name, acts, t, due)
	if err != nil {
		return v, false, err
	}
	lives := lifetime + r.opts.DepartureGrace + r.opts.EmptyTimeout
	next, err := cl.shared.Swap(ctx, roomPrefix+p.name, v.Version, text, lives, steps)
	if errors.Is(err, ErrStale) {
		return next, false, context.Cause(ctx)
	}
	if err != nil {
		// Whether it was written will show.
		cl.mend(p.name)
		return v, t.giveUp(), err
	}
	p.keep(next, r.finished())
	cl.arm(p, r, next.Version, due)
	return next, true, nil
}

// same reports whether the change has changed nothing, so that nothing is
// written.
func (u *update) same(r *Room, v Value) (bool, error) {
	due := r.due()
	text, err := u.text(r)
	if err != nil || !bytes.Equal(text, v.Data) {
		return false, err
	}
	u.place.keep(v, r.finished())
	u.cluster.arm(u.place, r, v.Version, due)
	return true, nil
}

// text is nil for a room that has ended.
func (u *update) text(r *Room) ([]byte, error) {
	if r.ended {
		return nil, nil
	}
	return r.encode()
}

// finished is the room as a copy to look at, nil if it has ended.
func (r *Room) finished() *Room {
	r.held = nil
	if r.ended {
		return nil
	}
	return r
}

// turn decides whether what a change does on this node is done: all of it, or,
// when the caller has been told that the change failed, nothing. All methods may
// be called concurrently.
type turn struct {
	mu sync.Mutex
	// begun and over are guarded by mu; at most one is set.
	begun, over bool
}

// giveUp reports whether it is too late for that.
func (t *turn) giveUp() (begun bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = !t.begun
	return t.begun
}

func (t *turn) begin() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.begun = !t.over
	return t.begun
}

// steps make of acts what is published: events, and a note for each row of acts
// between them. One note at least tells the others of the write.
func (cl *cluster) steps(name string, acts []effect, t *turn, due time.Time) (steps []Step, err error) {
	var runs []func()
	var gone note
	pass := func() error {
		gone.Due = micros(due)
		text, err := json.Marshal(gone)
		acting, going := runs, gone
		steps = append(steps, Step{Note: text, Run: func() {
			if !t.begin() {
				cl.mend(name)
				return
			}
			for _, run := range acting {
				run()
			}
			cl.leave(name, &going)
		}})
		runs, gone = nil, note{}
		return err
	}
	leaving := func() bool { return len(gone.Out)+len(gone.Over)+len(gone.Back) > 0 }
	for _, a := range acts {
		switch {
		case a.run != nil:
			// Runs come before the leaving of the same note.
			if leaving() {
				err = errors.Join(err, pass())
			}
			runs = append(runs, a.run)
		case a.out != nil, a.over != nil, a.back != nil:
			gone.Out, gone.Over, gone.Back = append(gone.Out, a.out...), append(gone.Over, a.over...), append(gone.Back, a.back...)
		default:
			if len(runs) > 0 || leaving() {
				err = errors.Join(err, pass())
			}
			steps = append(steps, a.step(name))
		}
	}
	if len(runs) > 0 || leaving() || len(steps) == 0 || steps[len(steps)-1].Note == nil {
		err = errors.Join(err, pass())
	}
	return steps, err
}

// nodes lists the nodes with peers in the room.
func (r *Room) nodes() []string {
	nodes := make([]string, 0, len(r.list))
	for _, p := range r.list {
		if !slices.Contains(nodes, p.node) {
			nodes = append(nodes, p.node)
		}
	}
	return nodes
}

func (a *effect) step(room string) Step {
	s := Step{Event: a.event, Payload: a.payload, Socket: a.socket}
	if a.socket == "" {
		s.Room, s.Except = room, a.except
	}
	return s
}

// arm sets the timer of a room that is at that version.
func (cl *cluster) arm(p *place, r *Room, version uint64, due time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.noted > version {
		return // that is newer
	}
	cl.set(p, due, r.keeper == r.node)
}

// set sets the timer to when something is due, or stops it if that is zero. It must
// be called with p's mu held.
func (cl *cluster) set(p *place, due time.Time, keeper bool) {
	p.disarm()
	if due.IsZero() {
		return
	}
	if p.armed = keeper; !keeper {
		due = due.Add(lateness)
	}
	p.timer = time.AfterFunc(max(due.Sub(cl.shared.Now()), 0), func() { cl.due(p) })
}

// disarm must be called with mu held.
func (p *place) disarm() {
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	p.armed = false
}

// due does what is due in a room.
func (cl *cluster) due(p *place) {
	p.mu.Lock()
	p.armed = false
	p.mu.Unlock()
	cl.mend(p.name)
}
