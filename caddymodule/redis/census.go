package redis

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// censusTime is what a server may take that Redis Cluster does not list.
const censusTime = 500 * time.Millisecond

// census counts subscribers, each of whom is connected to one server. All methods
// may be called concurrently.
type census struct {
	mu sync.Mutex // guards the following field
	// servers are all of a Redis Cluster that this node has met. After a failover
	// the old master is not listed for some seconds, though subscribers stay
	// with it.
	servers map[*redis.Client]struct{}
}

func newCensus() *census { return &census{servers: map[*redis.Client]struct{}{}} }

func (s *census) met(server *redis.Client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.servers[server] = struct{}{}
}

// forget drops a server until it is met again.
func (s *census) forget(server *redis.Client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.servers, server)
}

// without returns the servers that are not among those.
func (s *census) without(counted map[*redis.Client]bool) (rest []*redis.Client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for server := range s.servers {
		if !counted[server] {
			rest = append(rest, server)
		}
	}
	return rest
}

// tally is what one count has found. A server may be met under several addresses.
type tally struct {
	channel string

	mu      sync.Mutex // guards the following fields
	servers map[*redis.Client]bool
	counts  map[string]int64 // by the id of the server
}

func (t *tally) ask(ctx context.Context, server *redis.Client) error {
	pipe := server.Pipeline()
	id := pipe.Do(ctx, "CLUSTER", "MYID")
	subscribers := pipe.PubSubNumSub(ctx, t.channel)
	_, err := pipe.Exec(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.servers[server] = true
	if err == nil {
		t.counts[fmt.Sprint(id.Val())] = subscribers.Val()[t.channel]
	}
	return err
}

// subscribers counts those of a channel on all servers.
func (s *census) subscribers(ctx context.Context, client redis.UniversalClient, channel string) (total int, err error) {
	cluster, ok := client.(*redis.ClusterClient)
	if !ok {
		counts, err := client.PubSubNumSub(ctx, channel).Result()
		return int(counts[channel]), err
	}
	t := &tally{channel: channel, servers: map[*redis.Client]bool{}, counts: map[string]int64{}}
	if err := cluster.ForEachShard(ctx, t.ask); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, censusTime)
	defer cancel()
	var asking sync.WaitGroup
	for _, server := range s.without(t.servers) {
		asking.Go(func() {
			if t.ask(ctx, server) != nil {
				s.forget(server)
			}
		})
	}
	asking.Wait()
	for _, n := range t.counts {
		total += int(n)
	}
	return total, nil
}
