package redis

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// sessions implements [gateway.Sessions] in the stream and in keys, as
// @socket.io/redis-streams-adapter does. All methods may be called concurrently.
type sessions struct{ l *link }

// wireSession is a session as it is kept; the field caddy is ours.
type wireSession struct {
	SID   string          `json:"sid"`
	PID   string          `json:"pid"`
	Rooms names           `json:"rooms"`
	Data  json.RawMessage `json:"data"`
	Caddy *caddySession   `json:"caddy,omitempty"`
}

type caddySession struct {
	User  string `json:"user,omitempty"`
	Began string `json:"began"`
	Sent  string `json:"sent"`
	Kept  string `json:"kept"`
}

const (
	// rangeCount is how many entries are read at once, at most.
	rangeCount = 500
	// maxRanges is how many clients' missed events are read at once.
	maxRanges = 4
)

var errSession = errors.New("a session is malformed")

// Position implements [gateway.Sessions].
func (s *sessions) Position() string {
	if at := s.l.c.stream.position.Load(); at != nil {
		return *at
	}
	return ""
}

func (s *sessions) key(pid string) string { return s.l.c.options.Sessions + pid }

// Keep implements [gateway.Sessions].
func (s *sessions) Keep(one *gateway.Session, ttl time.Duration) {
	data := one.Data
	if data == nil {
		data = json.RawMessage("{}") // what it is in Node before anything is set
	}
	text, err := json.Marshal(wireSession{
		SID: one.ID, PID: one.PID, Rooms: one.Rooms, Data: data,
		Caddy: &caddySession{User: one.User, Began: one.Began, Sent: one.Sent, Kept: one.Kept},
	})
	if err == nil {
		text, err = pack(nil, text, nil)
	}
	if err != nil {
		s.l.c.malformed("a session of this node", err)
		return
	}
	s.l.c.sender.send(command{args: []any{
		"SET", s.key(one.PID), base64.StdEncoding.EncodeToString(text), "PX", max(1, ttl.Milliseconds()),
	}})
}

// pidSyntax is what our private ids and those of Node look like: what a client
// sends becomes part of a key.
var pidSyntax = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Take implements [gateway.Sessions]. It comes after what this node has sent.
func (s *sessions) Take(ctx context.Context, pid string) (*gateway.Session, error) {
	if !pidSyntax.MatchString(pid) {
		return nil, nil
	}
	reply, err := s.l.c.sender.do(ctx, "GETDEL", s.key(pid))
	if err != nil || reply == nil {
		return nil, err
	}
	text, _ := reply.(string)
	return decodeSession(text, pid)
}

func decodeSession(text, pid string) (*gateway.Session, error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errSession
	}
	plain, _, err := unpack(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errSession, err)
	}
	var w wireSession
	if err := json.Unmarshal(plain, &w); err != nil || w.PID != pid || w.SID == "" {
		return nil, errSession
	}
	one := &gateway.Session{PID: pid, ID: w.SID, Rooms: w.Rooms, Data: w.Data}
	if string(one.Data) == "{}" || string(one.Data) == "null" {
		one.Data = nil
	}
	if w.Caddy != nil {
		one.User, one.Began, one.Sent, one.Kept = w.Caddy.User, w.Caddy.Began, w.Caddy.Sent, w.Caddy.Kept
	}
	return one, nil
}

// Since implements [gateway.Sessions].
func (s *sessions) Since(ctx context.Context, offset string, each func(m *gateway.Message, offset string) bool) (known bool, err error) {
	c := s.l.c
	if c.away() {
		return false, errAway
	}
	select {
	case c.ranges <- struct{}{}:
		defer func() { <-c.ranges }()
	case <-ctx.Done():
		return false, fmt.Errorf("waiting to read the stream: %w", context.Cause(ctx))
	}
	seen, pace := serials{}, newPace(rangeCount)
	for at := offset; ; {
		list, err := c.client.XRangeN(ctx, c.options.Stream, after(at), "+", pace.count).Result()
		if err != nil {
			return false, fmt.Errorf("reading the stream: %w", err)
		}
		for i := range list {
			at = list[i].ID
			if !each(s.event(&list[i], seen), at) {
				return true, nil
			}
		}
		if int64(len(list)) < pace.count {
			break
		}
		pace.read(list)
	}
	return s.whole(ctx, offset)
}

// event is the message of an entry, nil if it holds none for this namespace.
func (s *sessions) event(entry *redis.XMessage, seen serials) *gateway.Message {
	e := fieldsOf(entry)
	if e.nsp != s.l.ns || e.kind != kindBroadcast || e.serial > 0 && seen.again(e.uid, e.serial) {
		return nil
	}
	text, attachments, err := entryText(e.data)
	if err != nil {
		return nil // that was logged when it came
	}
	m, err := readBroadcast(text, func(*wireSet) bool { return true })
	if err != nil {
		return nil
	}
	m.Attachments = attachments
	return m
}

// whole reports whether the stream still has all that follows an offset.
func (s *sessions) whole(ctx context.Context, offset string) (bool, error) {
	c := s.l.c
	first, err := c.client.XRangeN(ctx, c.options.Stream, "-", "+", 1).Result()
	switch {
	case err != nil:
		return false, fmt.Errorf("reading the stream: %w", err)
	case len(first) > 0 && !before(offset, first[0].ID):
		return true, nil
	case offset != "0-0":
		return false, nil
	case len(first) == 0:
		return true, nil
	}
	info, err := c.client.XInfoStream(ctx, c.options.Stream).Result()
	if err != nil {
		return false, fmt.Errorf("reading the stream: %w", err)
	}
	return info.EntriesAdded == info.Length, nil
}

// after is the smallest id behind another, for servers that know no exclusive
// ranges.
func after(id string) string {
	ms, count := splitID(id)
	return strconv.FormatUint(ms, 10) + "-" + strconv.FormatUint(count+1, 10)
}
