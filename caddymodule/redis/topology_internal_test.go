package redis

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// eachAdapter runs a test with both, each in a cluster of its own prefix.
func eachAdapter(t *testing.T, config Cluster, f func(t *testing.T, config *Cluster)) {
	t.Helper()
	for _, adapter := range []string{adapterStreams, adapterPubSub} {
		t.Run(adapter, func(t *testing.T) {
			one := config
			one.Adapter, one.Prefix = adapter, "app-"+adapter
			f(t, &one)
		})
	}
}

func bothWays(t *testing.T, config *Cluster) {
	a, b := pair(t, config)
	converse(t, a, b)
	converse(t, b, a)
}

// rights are those that the README asks for. A pattern that is subscribed to has to
// be among them as it is.
const rights = "~app-* ~{app-* ~sio:session:* &app-* &app-pubsub#/#* +@connection +@pubsub +@scripting +multi +exec +xadd +xread +xrange +xinfo|stream +set +getdel +hmget +hget +hset +hincrby +hdel " +
	"+hgetall +del +pexpire +scan +time"

func TestAUserWithFewRightsInADatabase(t *testing.T) {
	s := startServer(t, "--requirepass", "admin")
	s.options.Password = "admin"
	words := strings.Fields("SETUSER socketio on >p@ss/word " + rights)
	args := []any{"ACL"}
	for _, w := range words {
		args = append(args, w)
	}
	s.do(args...)
	t.Setenv("REDIS_PASSWORD", "p@ss/word")
	eachAdapter(t, Cluster{URL: "redis://" + s.address + "/3", User: "socketio", Password: "{env.REDIS_PASSWORD}"}, func(t *testing.T, config *Cluster) {
		bothWays(t, config)
	})
	if log := s.do("ACL", "LOG"); len(log.([]any)) != 0 {
		t.Errorf("it lacks rights: %v", log)
	}
	if keys := s.do("DBSIZE").(int64); keys != 0 {
		t.Errorf("%d keys are in another database", keys)
	}
}

// startCluster starts a Redis Cluster of three masters, which speaks TLS with the
// certificates of an authority, if there is one.
func startCluster(t *testing.T, a *authority) []*server {
	t.Helper()
	var all []*server
	buses := map[*server]string{}
	for range 3 {
		bus := freePort(t)
		args := []string{"--cluster-enabled", "yes", "--cluster-port", bus, "--cluster-node-timeout", "2000"}
		if a != nil {
			args = append(args, a.arguments("no")...)
		}
		s := startServer(t, args...)
		s.options.TLSConfig = a.client()
		buses[s] = bus
		all = append(all, s)
	}
	for i, s := range all {
		s.do("CLUSTER", "ADDSLOTSRANGE", i*16384/3, (i+1)*16384/3-1)
		s.do("CLUSTER", "SET-CONFIG-EPOCH", i+1) // equal ones would be changed later, perhaps in an election
		host, port, _ := net.SplitHostPort(s.address)
		all[0].do("CLUSTER", "MEET", host, port, buses[s])
	}
	for _, s := range all {
		s.says("Cluster state changed: ok")
	}
	return all
}

func clusterURL(all []*server) string {
	var addresses []string
	for _, s := range all {
		addresses = append(addresses, s.address)
	}
	return "redis+cluster://" + strings.Join(addresses, ",")
}

func TestRedisCluster(t *testing.T) {
	all := startCluster(t, nil)
	eachAdapter(t, Cluster{URL: clusterURL(all[:1])}, bothWays)
}

// startSentinels starts a master with a replica and three Sentinels, which speak TLS
// with the certificates of an authority, if there is one.
func startSentinels(t *testing.T, a *authority) (master, replica *server, sentinels []*server) {
	t.Helper()
	args, secure := []string{"--requirepass", "data", "--masterauth", "data"}, ""
	if a != nil {
		args, secure = append(args, a.arguments("yes")...), conf(a.arguments("yes"))
	}
	start := func(more ...string) *server {
		s := startServer(t, append(more, args...)...)
		s.options.Password, s.options.TLSConfig = "data", a.client()
		return s
	}
	master = start()
	host, port, _ := net.SplitHostPort(master.address)
	replica = start("--replicaof", host+" "+port)
	replica.says("MASTER <-> REPLICA sync: Finished with success")
	for range 3 {
		own := freePort(t)
		file := filepath.Join(t.TempDir(), "sentinel.conf")
		text := fmt.Sprintf("port PORT\nbind 127.0.0.1\ndir %s\nrequirepass watch\nsentinel sentinel-pass watch\n"+
			"sentinel monitor main %s %s 2\nsentinel auth-pass main data\n"+
			"sentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 5000\n", t.TempDir(), host, port)
		text = strings.ReplaceAll(text+secure, "PORT", own)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s := newServer(t, own, []string{file, "--sentinel"})
		s.options.Password, s.options.TLSConfig = "watch", a.client()
		s.start("+monitor master main")
		sentinels = append(sentinels, s)
	}
	for _, s := range sentinels {
		eventually(t, "the Sentinels know each other", func() bool {
			known := fmt.Sprint(s.do("SENTINEL", "MASTER", "main"))
			return strings.Contains(known, "num-slaves:1") && strings.Contains(known, "num-other-sentinels:2")
		})
	}
	return master, replica, sentinels
}

// conf makes lines of a configuration file of arguments.
func conf(args []string) (text string) {
	for i := 0; i < len(args); i += 2 {
		text += strings.TrimPrefix(args[i], "--") + " " + args[i+1] + "\n"
	}
	return text
}

func sentinelConfig(sentinels []*server) Cluster {
	var addresses []string
	for _, s := range sentinels {
		addresses = append(addresses, s.address)
	}
	return Cluster{
		URL: "redis+sentinel://" + strings.Join(addresses, ",") + "/main", Password: "data", SentinelPassword: "watch",
	}
}

func TestSentinel(t *testing.T) {
	_, _, sentinels := startSentinels(t, nil)
	eachAdapter(t, sentinelConfig(sentinels), bothWays)
}
