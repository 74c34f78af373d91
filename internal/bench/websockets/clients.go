package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
)

// clients are the raw client ends; they read frames and nothing else.
type clients struct {
	conns []net.Conn
	done  chan error
}

func dial(address string) (*clients, error) {
	c := &clients{done: make(chan error, connections)}
	for range connections {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			c.close()
			return nil, err
		}
		c.conns = append(c.conns, conn)
		in, err := open(conn)
		if err != nil {
			c.close()
			return nil, err
		}
		go func() { c.done <- drain(in) }()
	}
	return c, nil
}

func open(conn net.Conn) (*bufio.Reader, error) {
	const request = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	if _, err := io.WriteString(conn, request); err != nil {
		return nil, err
	}
	in := bufio.NewReader(conn)
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		return nil, errors.New(res.Status)
	}
	return in, nil
}

// drain reads the broadcasts: a header of four bytes and the payload.
func drain(in *bufio.Reader) error {
	frame := make([]byte, 4+size)
	for range broadcasts {
		if _, err := io.ReadFull(in, frame); err != nil {
			return err
		}
		if frame[1] != 126 {
			return fmt.Errorf("unexpected frame % x", frame[:4])
		}
	}
	return nil
}

// wait returns once every client has received everything.
func (c *clients) wait() error {
	for range c.conns {
		if err := <-c.done; err != nil {
			return err
		}
	}
	return nil
}

func (c *clients) close() {
	for _, conn := range c.conns {
		_ = conn.Close() // the measurement is over
	}
}
