package redis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// Times of a change.
const (
	// echoTime is how long a change that was made waits for its notes to come
	// back. When they do not, they were lost with a connection.
	echoTime = 2 * time.Second
	// openTime is how long notes of a change whose outcome is unknown may yet
	// come back: longer than a command can wait in a socket's buffers.
	openTime = 2 * time.Minute
)

// swap compares and sets, and calls the commands that follow, each behind the
// number of its arguments. KEYS: the entry. ARGV: the version expected, the next
// one, the value, the time to live in ms or "" to delete, the name of this write,
// commands. Where the version is another it returns that, the value, and the name
// of the write that made it.
const swap = `
local at = redis.call('HMGET', KEYS[1], 'v', 'd', 'w')
if (at[1] or '0') ~= ARGV[1] then
  return {at[1] or '0', at[2] or '', at[3] or ''}
end
if ARGV[4] == '' then
  redis.call('DEL', KEYS[1])
else
  redis.call('HSET', KEYS[1], 'v', ARGV[2], 'd', ARGV[3], 'w', ARGV[5])
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
local i = 6
while i <= #ARGV do
  local n = tonumber(ARGV[i])
  redis.call(unpack(ARGV, i + 1, i + n))
  i = i + n + 1
end
return {}
`

// wireNote is a note as it is published, with the id of the state that it is of.
type wireNote struct {
	From    string `json:"node"`
	Token   uint64 `json:"token"`
	Key     string `json:"key"`
	Version uint64 `json:"version,string"`
	Text    string `json:"text,omitempty"`
}

// openNote is a note of this node that has not come back.
type openNote struct {
	token uint64
	run   func()
	done  chan struct{} // closed after it has run
	at    time.Time
}

// Swap implements [gateway.State].
func (s *state) Swap(ctx context.Context, key string, w gateway.Write) (gateway.Entry, error) {
	if w.TTL <= 0 {
		return gateway.Entry{}, errors.New("writing an entry: it has no time to live")
	}
	return s.swapTo(ctx, key, w, nextVersion(w.Version, s.pulse.now()))
}

// swapTo swaps with the version that the entry is to have.
func (s *state) swapTo(ctx context.Context, key string, w gateway.Write, next uint64) (gateway.Entry, error) {
	write := s.nameWrite()
	args := []any{strconv.FormatUint(w.Version, 10), strconv.FormatUint(next, 10), w.Value, w.TTL.Milliseconds(), write}
	if w.Value == nil {
		args[2], args[3] = "", ""
	}
	args, notes, err := s.publications(args, key, next, w.Steps)
	if err != nil {
		s.abandon(notes)
		return gateway.Entry{}, err
	}
	// In the sender's queue it keeps its place among what this node sends. Redis
	// knows the script by its text, also after a restart.
	reply, err := s.do(ctx, append([]any{"EVAL", swap, 1, s.prefix + key}, args...)...)
	found, isList := reply.([]any)
	if err == nil && !isList {
		err = errors.New("the answer is no list")
	}
	// What was published with the change can be here although its answer is lost.
	if err != nil && !s.cameBack(notes) {
		if isReply(err) || errors.Is(err, errAway) || errors.Is(err, errDropped) || errors.Is(err, errEnded) {
			s.abandon(notes)
		}
		return gateway.Entry{}, fmt.Errorf("writing an entry: %w", err)
	}
	// One's own write there is no conflict: the command was sent twice. The
	// version would not tell, since two nodes may choose the same one.
	if len(found) == 3 && found[2] != write {
		s.abandon(notes)
		return conflict(found)
	}
	s.await(ctx, notes)
	return gateway.Entry{Value: w.Value, Version: next}, nil
}

func conflict(found []any) (e gateway.Entry, err error) {
	if found[0] == "0" {
		return e, gateway.ErrConflict
	}
	if e, err = entryOf(found[0], found[1]); err == nil {
		err = gateway.ErrConflict
	}
	return e, err
}

// nameWrite is a name that no other write of any node has.
func (s *state) nameWrite() string {
	return s.id + ":" + strconv.FormatUint(s.writes.Add(1), 10)
}

// nextVersion is one above all that the key has had, also before it was deleted,
// and that another node hardly chooses: the time in microseconds, and chance.
func nextVersion(old uint64, now time.Time) uint64 {
	chance := rand.Uint64N(1 << 10)
	return max(uint64(now.UnixMicro())<<10, old+1) + chance
}

// publications appends the commands of the steps, and returns their notes.
func (s *state) publications(args []any, key string, version uint64, steps []gateway.Step) (_ []any, notes []*openNote, err error) {
	for _, step := range steps {
		var command []any
		if step.Emit != nil {
			command, err = s.outlet.emission(step.Emit)
		} else {
			n := s.expect(step.Note.Run)
			notes = append(notes, n)
			var text []byte
			text, err = json.Marshal(wireNote{s.id, n.token, key, version, string(step.Note.Text)})
			command = s.outlet.note(text)
		}
		if err != nil {
			return nil, notes, fmt.Errorf("publishing a change: %w", err)
		}
		args = append(append(args, len(command)), command...)
	}
	return args, notes, nil
}

// expect opens a note.
func (s *state) expect(run func()) *openNote {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens++
	n := &openNote{token: s.tokens, run: run, done: make(chan struct{}), at: time.Now()}
	s.open[n.token] = n
	return n
}

// take closes a note, nil if it is closed.
func (s *state) take(token uint64) *openNote {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.open[token]
	delete(s.open, token)
	return n
}

// cameBack reports whether some of the notes of a change have come back, and so the
// change was made.
func (s *state) cameBack(notes []*openNote) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range notes {
		if s.open[n.token] == nil {
			return true
		}
	}
	return false
}

// abandon closes notes of a change that was not made, and those that have been
// open for too long.
func (s *state) abandon(notes []*openNote) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range notes {
		delete(s.open, n.token)
	}
	for token, n := range s.open {
		if time.Since(n.at) > openTime {
			delete(s.open, token)
		}
	}
}

// await waits for the notes of a change to come back and to have run, and takes
// their turn where they do not come.
func (s *state) await(ctx context.Context, notes []*openNote) {
	if len(notes) == 0 {
		return
	}
	timer := time.NewTimer(echoTime)
	defer timer.Stop()
	select {
	case <-notes[len(notes)-1].done:
		return
	case <-timer.C:
	case <-ctx.Done():
	}
	for _, n := range notes {
		if s.take(n.token) != nil {
			n.turn()
		}
		<-n.done
	}
}

// turn runs a note that has been taken.
func (n *openNote) turn() {
	if n.run != nil {
		n.run()
	}
	close(n.done)
}

// noted is called by the adapter for each note that comes, in order. An error
// tells that the text is none.
func (s *state) noted(text []byte) error {
	var n wireNote
	if err := json.Unmarshal(text, &n); err != nil {
		return fmt.Errorf("reading a note: %w", err)
	}
	if n.From == s.id {
		if own := s.take(n.Token); own != nil {
			own.turn()
		}
		return nil
	}
	s.mu.Lock()
	watchers := make([]*watcher, 0, len(s.watchers))
	for w := range s.watchers {
		watchers = append(watchers, w)
	}
	s.mu.Unlock()
	for _, w := range watchers {
		w.tell(func(w gateway.Watcher) {
			if w.Noted != nil {
				w.Noted(n.Key, n.Version, []byte(n.Text))
			}
		})
	}
	return nil
}
