package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"syscall"
)

// server is one library: it accepts connections and broadcasts to them.
type server interface {
	http.Handler
	broadcast(payload []byte) error
}

// library is a candidate, and whether it can run inside a stream of HTTP/2 or
// HTTP/3, where there is no net.Conn to hand over.
type library struct {
	name, streams string
	make          func() server
}

var libraries = []library{
	{"gorilla/websocket", "no: it hijacks", func() server { return &gorilla{} }},
	{"coder/websocket", "no: it hijacks", func() server { return &coder{} }},
	{"gobwas/ws", "yes: frames over io.Reader and io.Writer", func() server { return &gobwas{} }},
	{"lxzan/gws", "only behind a made-up net.Conn", newGWS},
}

// serve answers questions on standard input, one a line.
func serve(name string) error {
	var s server
	for _, l := range libraries {
		if l.name == name {
			s = l.make()
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() { _ = http.Serve(l, s) }() // ends with the process
	out := bufio.NewWriter(os.Stdout)
	payload := bytes.Repeat([]byte("x"), size)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		switch in.Text() {
		case "address":
			fmt.Fprintln(out, l.Addr())
		case "rss":
			kb, err := rss()
			if err != nil {
				return err
			}
			fmt.Fprintln(out, kb)
		case "cpu":
			us, err := cpu()
			if err != nil {
				return err
			}
			fmt.Fprintln(out, us)
		case "broadcast":
			for range broadcasts {
				if err := s.broadcast(payload); err != nil {
					return err
				}
			}
			fmt.Fprintln(out, 0)
		}
		if err := out.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// rss is the resident memory in KB, after a garbage collection.
func rss() (int, error) {
	debug.FreeOSMemory()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	var total, resident int
	if _, err := fmt.Sscan(string(b), &total, &resident); err != nil {
		return 0, err
	}
	return resident * os.Getpagesize() / 1024, nil
}

// cpu is the processor time used so far, in microseconds.
func cpu() (int64, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, err
	}
	return (u.Utime.Nano() + u.Stime.Nano()) / 1000, nil
}

// set is the connections of a server. It may be used concurrently.
type set[T any] struct {
	mu  sync.Mutex
	all []T
}

func (s *set[T]) add(c T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, c)
}

// each calls f for every connection until it fails.
func (s *set[T]) each(f func(T) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.all {
		if err := f(c); err != nil {
			return err
		}
	}
	return nil
}
