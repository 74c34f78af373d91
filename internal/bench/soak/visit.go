package soak

import (
	"context"
	"fmt"
	"time"
)

// visitors has one pair after another come, talk for about a second and go, each
// in a way of its own.
func (s *stage) visitors(ctx context.Context, i int) {
	ways := []string{overWebSocket, overUpgrade, overPolling}
	for n := 0; ctx.Err() == nil; n++ {
		room := fmt.Sprintf("visit-%d-%d", i, n)
		g, err := s.gather(ctx, room, ways[n%3], ways[(i+n/3)%3])
		if err != nil {
			if ctx.Err() == nil {
				s.tally.refused.Add(1)
				s.tally.problem(fmt.Errorf("a visitor: %w", err))
			}
			continue
		}
		// What they have begun they finish, also at the end of the soak.
		talking, hush := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		g.talk(talking, 50*time.Millisecond)
		hush()
		g.settle(context.WithoutCancel(ctx))
		g.leave(n)
		s.tally.visits.Add(1)
	}
}

// leave ends the visit: with a word, with half a one, or with none.
func (g *group) leave(n int) {
	g.leaving.Store(true)
	goodbyes := []string{"", fmt.Sprintf(`42["leave",{"room":%q}]`, g.members[0].room), "41", "1"}
	for i, m := range g.members {
		if packet := goodbyes[(n+i)%len(goodbyes)]; packet != "" {
			if err := m.link.send(packet); err != nil {
				g.tally.problem(fmt.Errorf("%s cannot say goodbye: %w", m.how, err))
			}
		}
	}
	g.close()
}
