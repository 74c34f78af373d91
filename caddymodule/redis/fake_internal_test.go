package redis

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// fakeRedis is a client whose commands a function answers, in the form of the
// protocol. It uses no network, so that it may be in a bubble.
func fakeRedis(t *testing.T, answer func(args []string) string) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{
		Addr:       "127.0.0.1:1", // a name would be looked up, in the bubble
		ClientName: "x", DisableIdentity: true, ContextTimeoutEnabled: true, MaxRetries: -1,
		Dialer: func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			go serveFake(far, answer)
			return near, nil
		},
	})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func serveFake(conn net.Conn, answer func(args []string) string) {
	defer conn.Close()
	for in := bufio.NewReader(conn); ; {
		args, err := readCommand(in)
		if err != nil {
			return
		}
		reply := "-ERR unknown command\r\n"
		switch {
		case args[0] == "hello": // the client goes on with the older protocol
		case args[0] == "client":
			reply = "+OK\r\n"
		default:
			reply = answer(args)
		}
		if _, err := io.WriteString(conn, reply); err != nil {
			return
		}
	}
}

// readCommand reads an array of bulk strings; the command is made lower-case.
func readCommand(in *bufio.Reader) ([]string, error) {
	number := func() (n int, err error) {
		line, err := in.ReadString('\n')
		if err != nil {
			return 0, err
		}
		n, err = strconv.Atoi(strings.TrimSpace(line[1:]))
		return n, err
	}
	n, err := number()
	if err != nil {
		return nil, err
	}
	args := make([]string, n)
	for i := range args {
		size, err := number()
		if err != nil {
			return nil, err
		}
		text := make([]byte, size+2)
		if _, err := io.ReadFull(in, text); err != nil {
			return nil, err
		}
		args[i] = string(text[:size])
	}
	args[0] = strings.ToLower(args[0])
	return args, nil
}

func bulk(text string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(text), text) }
