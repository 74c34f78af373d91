package server

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestUsageOfAProcess(t *testing.T) {
	s := &Server{processes: []*process{{name: "self", cmd: &exec.Cmd{Process: &os.Process{Pid: os.Getpid()}}}}}
	before, err := s.CPU()
	if err != nil || before <= 0 {
		t.Fatalf("got %v, %v", before, err)
	}
	for after := before; after == before; { // burns until the clock moves
		if after, err = s.CPU(); err != nil {
			t.Fatal(err)
		}
	}
	if rss, err := s.RSS(); err != nil || rss < 1<<20 {
		t.Fatalf("got %d bytes, %v", rss, err)
	}
	l, err := s.Leftovers(t.Context())
	if err != nil || l.Files < 3 || l.Goroutines != -1 || l.Sessions != -1 {
		t.Fatalf("got %+v, %v", l, err)
	}
}

func TestUsageOfAProcessThatIsGone(t *testing.T) {
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	s := &Server{processes: []*process{{name: "gone", cmd: gone}}}
	if _, err := s.CPU(); err == nil {
		t.Error("has a processor time")
	}
	if _, err := s.RSS(); err == nil {
		t.Error("has memory")
	}
}

func TestSettled(t *testing.T) {
	if !settled([]int64{1000, 1004, 1001}) || settled([]int64{1000, 1000, 1010}) {
		t.Fatal("half a percent")
	}
}

func TestCaddyfilesOfTheVariants(t *testing.T) {
	tools := &Tools{Dir: "/d", cert: &certificate{certFile: "/d/cert.pem", keyFile: "/d/key.pem"}}
	for v, want := range map[Variant]struct{ has, hasNot string }{
		{}:                       {"http://127.0.0.1:1 {", "log {"},
		{TLS: true}:              {"tls /d/cert.pem /d/key.pem", "http://"},
		{AccessLogs: true}:       {"output file /d/access.log", "https://"},
		{Heartbeat: time.Second}: {"ping_timeout 1s", "tls "},
	} {
		text := tools.caddyfile("127.0.0.1:1", "127.0.0.1:2", v, socketioDirective(v))
		if !strings.Contains(text, want.has) || strings.Contains(text, want.hasNot) || !strings.Contains(text, "admin 127.0.0.1:2") {
			t.Errorf("%v: got\n%s", v, text)
		}
	}
}

func TestPortsAreTakenInTurn(t *testing.T) {
	tools := &Tools{port: lastPort - firstPort}
	a, err := tools.address()
	if err != nil {
		t.Fatal(err)
	}
	b, err := tools.address()
	if err != nil || a == b {
		t.Fatalf("got %s and %s, %v", a, b, err)
	}
}

func TestCertificateIsValidForTheServers(t *testing.T) {
	c, err := newCertificate(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		t.Fatal(err)
	}
	client, server := net.Pipe()
	accepted := make(chan error, 1)
	go func() {
		s := tls.Server(server, &tls.Config{Certificates: []tls.Certificate{pair}})
		accepted <- errors.Join(s.Handshake(), server.Close())
	}()
	err = tls.Client(client, c.client).Handshake()
	if err = errors.Join(err, client.Close(), <-accepted); err != nil {
		t.Fatal(err)
	}
}

func TestAProcessThatEndsAtOnceTellsItsOutput(t *testing.T) {
	_, err := launch(t.Context(), t.TempDir(), "127.0.0.1:1", "", nil, "sh", "-c", "echo no config >&2; exit 1")
	if err == nil || !strings.Contains(err.Error(), "no config") {
		t.Fatalf("got %v", err)
	}
}

func TestOnlyCaddyHasProfiles(t *testing.T) {
	if err := (&Server{}).Profile(t.Context(), time.Second, new(bytes.Buffer)); err == nil {
		t.Fatal("want an error")
	}
}

func TestOnlyASiteCanBeReloaded(t *testing.T) {
	if err := (&Server{}).Reload(t.Context(), 1); !errors.Is(err, errNoSite) {
		t.Fatalf("got %v", err)
	}
}
