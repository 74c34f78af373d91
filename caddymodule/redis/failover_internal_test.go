package redis

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// publish sends n events with numbers, and returns their names.
func (m *member) publish(from, n int) (heard []string) {
	for i := range n {
		name := fmt.Sprint("n", from+i)
		m.l.Publish(event(name))
		heard = append(heard, name)
	}
	return heard
}

// last waits for an event, and drops what came before.
func (m *member) last(name string) (heard []string) {
	m.t.Helper()
	eventually(m.t, m.name+" hears "+name, func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return len(m.heard) > 0 && m.heard[len(m.heard)-1] == name
	})
	m.mu.Lock()
	defer m.mu.Unlock()
	heard, m.heard = m.heard, nil
	return heard
}

// ascending makes sure that events came in their order and none twice.
func ascending(t *testing.T, heard []string) {
	t.Helper()
	last := -1
	for _, name := range heard {
		n, err := strconv.Atoi(name[1:])
		if err != nil || n <= last {
			t.Fatalf("%s came behind n%d", name, last)
		}
		last = n
	}
}

// reach publishes events with numbers until one arrives, and returns what came up to
// the last: the servers of a Redis Cluster lose what is published until they have found
// each other again.
func reach(from, to *member, first int) (heard []string) {
	next := first
	eventually(to.t, to.name+" hears "+from.name, func() bool {
		from.publish(next, 1)
		next++
		to.mu.Lock()
		defer to.mu.Unlock()
		return slices.ContainsFunc(to.heard, func(name string) bool {
			n, err := strconv.Atoi(name[1:])
			return err == nil && n >= first
		})
	})
	return to.last(fmt.Sprint("n", next-1))
}

// surviveDeath makes sure of what two clusters of nodes see when a server ends by
// force and another one takes its place: with streams nothing is lost or comes
// twice, and with both all goes on.
func surviveDeath(t *testing.T, config Cluster, kill, replaced func()) {
	t.Helper()
	streams, pubsub := config, config
	pubsub.Adapter = adapterPubSub
	streams.Prefix, pubsub.Prefix = "{app}streams", "{app}classic" // in the slot of app
	a, b := pair(t, &streams)
	c, d := pair(t, &pubsub)
	b.hears(a.publish(0, 50)...)
	c.counts(2)
	began := time.Now()
	kill()
	sent := a.publish(50, 50)
	c.publish(0, 50)
	eventually(t, "the nodes notice", func() bool { return a.c.down.Load() && c.c.down.Load() })
	sent = append(sent, a.publish(100, 50)...)
	c.publish(50, 50)
	replaced()
	t.Logf("replaced after %v", time.Since(began))
	b.hears(sent...)
	t.Logf("streams are back after %v", time.Since(began))
	gather(t, a, b)
	gather(t, c, d)
	heard := reach(c, d, 100)
	t.Logf("pub/sub is back after %v, %d of those before came", time.Since(began), len(heard))
	ascending(t, heard)
	reach(d, c, 0)
	for _, two := range [][2]*member{{a, b}, {c, d}} {
		converse(t, two[0], two[1])
		converse(t, two[1], two[0])
	}
}

func TestASentinelFailover(t *testing.T) {
	master, replica, sentinels := startSentinels(t, nil)
	surviveDeath(t, sentinelConfig(sentinels), func() {
		master.copied("app")
		master.kill()
	}, func() { replica.says("MASTER MODE enabled") })
}

// A machine that is gone answers nothing, and neither does the Sentinel on it.
func TestAMasterVanishesWithItsSentinel(t *testing.T) {
	master, replica, sentinels := startSentinels(t, nil)
	config := sentinelConfig(sentinels[:1]) // of the others they hear from it
	config.Timeout = caddy.Duration(time.Second)
	surviveDeath(t, config, func() {
		master.copied("app")
		master.signal(syscall.SIGSTOP)
		sentinels[0].signal(syscall.SIGSTOP)
	}, func() { replica.says("MASTER MODE enabled") })
}

// addReplica adds a server to a Redis Cluster, as a copy of one of its masters. All
// know it: who does not would not vote for it.
func addReplica(t *testing.T, all []*server, master *server) *server {
	t.Helper()
	bus := freePort(t)
	s := startServer(t, "--cluster-enabled", "yes", "--cluster-port", bus, "--cluster-node-timeout", "2000")
	host, port, _ := net.SplitHostPort(s.address)
	for _, one := range all {
		one.do("CLUSTER", "MEET", host, port, bus)
	}
	id := master.do("CLUSTER", "MYID")
	eventually(t, "the servers meet", func() bool {
		return s.connect().Do(t.Context(), "CLUSTER", "REPLICATE", id).Err() == nil
	})
	s.says("MASTER <-> REPLICA sync: Finished with success")
	eventually(t, "the replica is part of the cluster", func() bool { // its log may say so before
		return strings.Contains(s.do("CLUSTER", "INFO").(string), "cluster_state:ok")
	})
	known := regexp.MustCompile(s.do("CLUSTER", "MYID").(string) + " [^ ]+ slave ")
	for _, one := range all {
		eventually(t, "all know the replica", func() bool { return known.MatchString(one.do("CLUSTER", "NODES").(string)) })
	}
	return s
}

// A slot moves in good order, then by the death of its server.
func TestARedisClusterFailover(t *testing.T) {
	all := startCluster(t, nil)
	slot := all[0].do("CLUSTER", "KEYSLOT", "app").(int64)
	master := all[0]
	for i, s := range all {
		if int(slot) >= i*16384/3 {
			master = s
		}
	}
	replica := addReplica(t, all, master)
	config := Cluster{URL: clusterURL(all), Prefix: "app"}
	a, b := pair(t, &config)
	sent := a.publish(0, 50)
	replica.do("CLUSTER", "FAILOVER")
	sent = append(sent, a.publish(50, 50)...)
	replica.says("Failover election won")
	sent = append(sent, a.publish(100, 50)...)
	b.hears(sent...)
	gather(t, a, b)
	converse(t, a, b)
	a.stop()
	b.stop()
	master.says("MASTER <-> REPLICA sync: ")
	surviveDeath(t, config, func() {
		replica.copied("app")
		replica.kill()
	}, func() { master.says("Failover election won") })
}
