package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"
)

// Adapters are those that both kinds of servers have.
var Adapters = []string{"streams", "pubsub"}

// Cluster is a Redis with nodes of one kind around it. Redis runs on the generator's
// core, so that it does not take time from the nodes. Its methods may be called
// concurrently, except for Stop, which comes last.
type Cluster struct {
	// Adapter is one of [Adapters].
	Adapter string
	// Nodes are the servers.
	Nodes []*Server

	url   string
	redis *process
}

// StartCluster starts a Redis and n nodes, [Ours] or [Node].
func (t *Tools) StartCluster(ctx context.Context, k Kind, adapter string, n int) (*Cluster, error) {
	if k != Ours && k != Node {
		return nil, fmt.Errorf("%s is not a kind of node", k)
	}
	addr, err := t.address()
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	c := &Cluster{Adapter: adapter, url: "redis://" + addr}
	c.redis, err = launchOn(ctx, GeneratorCore, t.Dir, addr, "", nil,
		"redis-server", "--bind", host, "--port", port, "--dir", t.Dir, "--save", "", "--appendonly", "no")
	if err != nil {
		return nil, fmt.Errorf("starting redis: %w", err)
	}
	for range n {
		s, err := t.Start(ctx, k, Variant{cluster: c})
		if err != nil {
			c.Stop()
			return nil, err
		}
		c.Nodes = append(c.Nodes, s)
	}
	return c, nil
}

// Spent is the processor time of the parts of a cluster.
type Spent struct {
	Nodes []time.Duration
	Redis time.Duration
}

// Spent reads it.
func (c *Cluster) Spent() (s Spent, err error) {
	for _, n := range c.Nodes {
		d, e := n.CPU()
		err = errors.Join(err, e)
		s.Nodes = append(s.Nodes, d)
	}
	var e error
	s.Redis, e = cpuOf(c.redis.cmd.Process.Pid)
	return s, errors.Join(err, e)
}

// Since is what was spent after an earlier reading.
func (s Spent) Since(before Spent) Spent {
	d := Spent{Nodes: slices.Clone(s.Nodes), Redis: s.Redis - before.Redis}
	for i := range d.Nodes {
		d.Nodes[i] -= before.Nodes[i]
	}
	return d
}

// Stop kills all processes and waits for their end.
func (c *Cluster) Stop() {
	for _, n := range c.Nodes {
		n.Stop()
	}
	c.redis.kill()
}
