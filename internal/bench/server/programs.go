package server

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// The ports that servers listen on, one after another: a port that has just
// been left is still full of closed connections.
const (
	firstPort = 21700
	lastPort  = 21999
)

// address finds a free port.
func (t *Tools) address() (string, error) {
	for range lastPort - firstPort + 1 {
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(firstPort+t.port))
		t.port = (t.port + 1) % (lastPort - firstPort + 1)
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue // taken
		}
		return addr, l.Close()
	}
	return "", fmt.Errorf("no free port from %d to %d", firstPort, lastPort)
}

// node starts the Node server. V8 offers its collector to scripts only when asked
// to; apart from that it runs as in production.
func (t *Tools) node(ctx context.Context, addr string, v Variant) (*process, error) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	argv := []string{"node", "--expose-gc", filepath.Join(t.NodeDir, "server.js"), port}
	env := []string{"NODE_ENV=production"}
	if v.Heartbeat > 0 {
		env = append(env, fmt.Sprint("HEARTBEAT_MS=", v.Heartbeat.Milliseconds()))
	}
	if v.cluster != nil {
		env = append(env, "CLUSTER="+v.cluster.Adapter, "REDIS_URL="+v.cluster.url)
	}
	return launch(ctx, t.Dir, addr, "", env, append(argv, t.certFiles(v.TLS)...)...)
}

// BareArgument makes the benchmark's binary the bare server.
const BareArgument = "serve-bare"

// bare starts the benchmark's own binary as the server without Socket.IO.
func (t *Tools) bare(ctx context.Context, addr string, secure bool) (*process, error) {
	argv := []string{t.Self, BareArgument, addr}
	return launch(ctx, t.Dir, addr, "", nil, append(argv, t.certFiles(secure)...)...)
}

// certFiles are the last arguments of the servers that take a certificate.
func (t *Tools) certFiles(secure bool) []string {
	if !secure {
		return nil
	}
	return []string{t.cert.certFile, t.cert.keyFile}
}

// socketioDirective raises those limits that the generator, one client address
// with thousands of busy sockets, would run into; it leaves them switched on, as
// they are in use. Rooms hold as many as the Node server's.
func socketioDirective(v Variant) string {
	options := ""
	if v.Heartbeat > 0 {
		options = fmt.Sprintf("\t\tping_interval %v\n\t\tping_timeout %[1]v\n", v.Heartbeat)
	}
	if v.cluster != nil {
		options += fmt.Sprintf("\t\tcluster redis %s {\n\t\t\tadapter %s\n\t\t}\n", v.cluster.url, v.cluster.Adapter)
	}
	return "\tsocketio {\n" + options + `		limits {
			events_per_socket 10000000/s 10000000
			bytes_per_socket 1GB/s 1GB
			exempt 127.0.0.0/8
		}
		namespace / {
			gateway webrtc {
				room_capacity 20000
			}
		}
	}
`
}

// caddy starts Caddy with one site of the given directives.
func (t *Tools) caddy(ctx context.Context, addr string, v Variant, directives string) (*process, error) {
	admin, err := t.address()
	if err != nil {
		return nil, err
	}
	config := filepath.Join(t.Dir, "Caddyfile-"+filepath.Base(admin))
	if err := os.WriteFile(config, []byte(t.caddyfile(addr, admin, v, directives)), 0o600); err != nil {
		return nil, err
	}
	return launch(ctx, t.Dir, addr, admin, nil, t.Caddy, "run", "--adapter", "caddyfile", "--config", config)
}

// caddyfile is one site by its address, with automatic HTTPS off: the benchmark
// brings its own certificate and must open no further ports.
func (t *Tools) caddyfile(addr, admin string, v Variant, directives string) string {
	scheme, options := "http", ""
	if v.TLS {
		scheme = "https"
		options = fmt.Sprintf("\ttls %s %s\n", t.cert.certFile, t.cert.keyFile)
	}
	if v.AccessLogs {
		options += fmt.Sprintf("\tlog {\n\t\toutput file %s\n\t}\n", filepath.Join(t.Dir, "access.log"))
	}
	return fmt.Sprintf("{\n\tadmin %s\n\tauto_https off\n\tpersist_config off\n}\n%s://%s {\n%s%s}\n",
		admin, scheme, addr, options, directives)
}
