package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const startTimeout = 20 * time.Second

// process is one of a server's processes. It is ended by its id.
type process struct {
	name   string
	cmd    *exec.Cmd
	output string // the file that has its standard output and error
	admin  string // Caddy's admin address; without one, SIGUSR2 asks for a collection
	exited chan struct{}
}

var outputs atomic.Int64

// launch starts a process on the servers' core and waits until it listens on
// addr. Its environment is that of the benchmark plus env.
func launch(ctx context.Context, dir, addr, admin string, env []string, argv ...string) (*process, error) {
	return launchOn(ctx, ServerCore, dir, addr, admin, env, argv...)
}

// launchOn is launch on the core of choice.
func launchOn(ctx context.Context, core int, dir, addr, admin string, env []string, argv ...string) (*process, error) {
	name := filepath.Base(argv[0])
	p := &process{name: name, admin: admin, exited: make(chan struct{})}
	p.output = filepath.Join(dir, fmt.Sprintf("%s-%d.log", name, outputs.Add(1)))
	// A file and not a pipe: nobody has to read it while the server is measured.
	out, err := os.Create(p.output)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p.cmd = exec.Command(argv[0], argv[1:]...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.Env = append(os.Environ(), append(env, "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)...)
	if err := startOn(core, p.cmd); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // a killed process is always an error
		close(p.exited)
	}()
	if err := p.listening(ctx, addr); err != nil {
		p.kill()
		return nil, fmt.Errorf("%s: %w; its output: %s", name, err, p.tail())
	}
	return p, nil
}

// listening waits until a connection is accepted. It does not ask for anything:
// a request would open a session that nobody uses.
func (p *process) listening(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-p.exited:
			return errors.New("ended before it listened")
		default:
		}
		if pause(ctx, 20*time.Millisecond) != nil {
			return fmt.Errorf("does not listen on %s: %w", addr, err)
		}
	}
}

// tail is the end of the process's output, for an error message.
func (p *process) tail() string {
	text, err := os.ReadFile(p.output)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text[max(0, len(text)-2000):]))
}

// kill does not let the process end in its own way, which would cost a drain for
// each case, and waits until its id is free.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // fails only if it has ended by itself
	<-p.exited
}

// collect asks for a garbage collection, in the way that each program offers.
func (p *process) collect(ctx context.Context) error {
	if p.admin == "" {
		return p.cmd.Process.Signal(syscall.SIGUSR2)
	}
	return adminGet(ctx, p.admin, "/debug/pprof/heap?gc=1", io.Discard)
}

// adminGet copies what Caddy's admin API answers.
func adminGet(ctx context.Context, addr, path string, to io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		return err
	}
	return adminDo(req, to)
}

// adminDo copies the answer to a request.
func adminDo(req *http.Request, to io.Writer) error {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(to, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", req.URL.Path, resp.Status)
	}
	return nil
}
