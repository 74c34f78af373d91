package soak

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// talkEvery is the time between two events of a member that stays.
	talkEvery = 200 * time.Millisecond
	// patience is how long an event or ack may be under way before it is lost.
	patience = 15 * time.Second
)

// group is the members of one room. Its methods are called one after the other.
type group struct {
	members   []*member
	tally     *tally
	leaving   atomic.Bool
	listening sync.WaitGroup
}

// gather connects one member for each way, and has it listen.
func (s *stage) gather(ctx context.Context, room string, ways ...string) (*group, error) {
	g := &group{tally: s.tally}
	for _, how := range ways {
		m, err := join(ctx, s.target, how, room, s.tally)
		if err != nil {
			g.close()
			return nil, err
		}
		g.members = append(g.members, m)
		g.listening.Go(func() {
			if err := m.listen(); !g.leaving.Load() {
				s.tally.dropped.Add(1)
				s.tally.problem(fmt.Errorf("%s dropped: %w", how, err))
			}
		})
	}
	return g, nil
}

// gatherRooms makes the rooms that stay.
func (s *stage) gatherRooms(ctx context.Context) (groups []*group, err error) {
	for i := range s.plan.Rooms {
		g, err := s.gather(ctx, fmt.Sprint("soak-", i), overWebSocket, overWebSocket, overUpgrade, overPolling)
		if err != nil {
			return groups, err
		}
		groups = append(groups, g)
	}
	return groups, nil
}

// talk has every member speak until ctx ends.
func (g *group) talk(ctx context.Context, every time.Duration) {
	var talking sync.WaitGroup
	for i, m := range g.members {
		talking.Go(func() {
			due := time.Now().Add(rand.N(every))
			for n := 0; pause(ctx, time.Until(due)); n++ {
				if err := m.say(g.addressee(i, n), due); err != nil {
					g.tally.problem(fmt.Errorf("%s cannot send: %w", m.how, err))
					return
				}
				due = due.Add(every)
			}
		})
	}
	talking.Wait()
}

// addressee is whom member i's n-th event is for: everybody, then one after another.
func (g *group) addressee(i, n int) string {
	others := len(g.members) - 1
	if n%2 == 0 || others == 0 {
		return ""
	}
	return g.members[(i+1+n/2%others)%len(g.members)].id
}

// settle waits until everything has arrived, and counts what has not.
func (g *group) settle(ctx context.Context) {
	deadline := time.Now().Add(patience)
	for {
		lost, unanswered := g.missing()
		if lost == 0 && unanswered == 0 {
			return
		}
		if time.Now().After(deadline) || !pause(ctx, 10*time.Millisecond) {
			g.tally.lost.Add(int64(lost))
			g.tally.unanswered.Add(int64(unanswered))
			return
		}
	}
}

// missing counts the events and acks that are still under way.
func (g *group) missing() (events, acks int) {
	for _, sender := range g.members {
		acks += sender.unanswered()
		for _, receiver := range g.members {
			if receiver != sender {
				events += sender.sentTo(receiver.id) - receiver.heardFrom(sender.id)
			}
		}
	}
	return events, acks
}

// close ends all sessions.
func (g *group) close() {
	g.leaving.Store(true)
	for _, m := range g.members {
		m.link.close()
	}
	g.listening.Wait()
}
