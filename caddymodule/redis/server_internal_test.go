package redis

import (
	"bufio"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// server is a real Redis of a test.
type server struct {
	t       *testing.T
	address string
	args    []string
	options *redis.Options // of connect
	cmd     *exec.Cmd

	mu   sync.Mutex // guards the following fields
	log  []string   // lines that nobody has waited for
	more chan struct{}
	read chan struct{} // closed at the log's end
}

// patience is for what must happen, on a busy machine too. A Sentinel that was kept from
// working for two seconds does nothing for another thirty.
const patience = 90 * time.Second

// nextPort is where the search for a free one goes on: no two are the same.
var nextPort = rand.IntN(8000)

// freePort is below those that systems give to outgoing connections, and to who asks
// for any: a server that restarts finds its port still free.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		nextPort++
		port := strconv.Itoa(12_000 + nextPort%8000)
		if free, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port)); err == nil {
			_ = free.Close()
			return port
		}
	}
	t.Fatal("there is no free port")
	return ""
}

// startServer starts redis-server without persistence. An argument PORT becomes
// that of the server.
func startServer(t *testing.T, args ...string) *server {
	t.Helper()
	port := freePort(t)
	all := []string{
		"--port", port, "--bind", "127.0.0.1", "--dir", t.TempDir(), "--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0",
	}
	for _, arg := range args {
		all = append(all, strings.ReplaceAll(arg, "PORT", port))
	}
	s := newServer(t, port, all)
	s.start("eady to accept connections")
	return s
}

// newServer makes one that is ended with the test.
func newServer(t *testing.T, port string, args []string) *server {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatalf("these tests need redis-server: %v", err)
	}
	address := net.JoinHostPort("127.0.0.1", port)
	s := &server{t: t, address: address, args: append([]string{path}, args...), options: &redis.Options{Addr: address}, more: make(chan struct{}, 1)}
	t.Cleanup(s.kill)
	return s
}

// start returns when the server's log has that text.
func (s *server) start(ready string) {
	s.t.Helper()
	s.cmd = exec.Command(s.args[0], s.args[1:]...)
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.log, s.read = nil, make(chan struct{})
	go s.follow(out, s.read)
	s.says(ready)
}

func (s *server) follow(out io.Reader, read chan struct{}) {
	defer close(read)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		s.mu.Lock()
		s.log = append(s.log, lines.Text())
		s.mu.Unlock()
		select {
		case s.more <- struct{}{}:
		default:
		}
	}
}

// says waits for a line of the log behind the last one that was waited for.
func (s *server) says(text string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		s.mu.Lock()
		log := s.log
		for i, line := range log {
			if strings.Contains(line, text) {
				s.log = log[i+1:]
				s.mu.Unlock()
				return
			}
		}
		s.mu.Unlock()
		select {
		case <-s.more:
		case <-s.read:
			s.t.Fatalf("redis-server %q ended before it said %q: %s", s.args, text, strings.Join(log, "\n"))
		case <-ctx.Done():
			s.t.Fatalf("redis-server %q did not say %q: %s", s.args, text, strings.Join(log, "\n"))
		}
	}
}

func (s *server) kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		<-s.read
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

func (s *server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// connect makes a client.
func (s *server) connect() redis.UniversalClient {
	c := redis.NewClient(s.options)
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

// do runs a command.
func (s *server) do(args ...any) any {
	s.t.Helper()
	v, err := s.connect().Do(context.Background(), args...).Result()
	if err != nil {
		s.t.Fatalf("%v: %v", args, err)
	}
	return v
}

// copied waits until a replica has all that this server has. It writes a key in the
// slot of another one.
func (s *server) copied(key string) {
	s.t.Helper()
	// Copies are made behind the answers, and waited for by who has written.
	answers, err := s.connect().Pipelined(context.Background(), func(p redis.Pipeliner) error {
		p.Set(context.Background(), tagged(key)+"copied", 1, 0)
		p.Do(context.Background(), "WAIT", 1, 2000)
		return nil
	})
	if err != nil || answers[1].(*redis.Cmd).Val() != int64(1) {
		s.t.Fatalf("it was not copied: %v, %v", answers, err)
	}
}
