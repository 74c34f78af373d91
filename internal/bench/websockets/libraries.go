package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"

	coderws "github.com/coder/websocket"
	"github.com/gobwas/ws"
	gorillaws "github.com/gorilla/websocket"
	"github.com/lxzan/gws"
)

// Each library is used in its most economical documented way: small or pooled
// buffers, one prepared frame per broadcast, and a goroutine that reads.

type gorilla struct{ conns set[*gorillaws.Conn] }

var gorillaUpgrader = gorillaws.Upgrader{ReadBufferSize: 512, WriteBufferSize: 1024, WriteBufferPool: &sync.Pool{}}

func (s *gorilla) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := gorillaUpgrader.Upgrade(w, r, nil)
	if err != nil {
		return // the upgrader has answered
	}
	s.conns.add(c)
	go func() {
		for {
			if _, _, err := c.NextReader(); err != nil {
				return
			}
		}
	}()
}

func (s *gorilla) broadcast(p []byte) error {
	m, err := gorillaws.NewPreparedMessage(gorillaws.TextMessage, p)
	if err != nil {
		return err
	}
	return s.conns.each(func(c *gorillaws.Conn) error { return c.WritePreparedMessage(m) })
}

type coder struct{ conns set[*coderws.Conn] }

func (s *coder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := coderws.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	s.conns.add(c)
	go func() {
		for {
			if _, _, err := c.Reader(context.Background()); err != nil {
				return
			}
		}
	}()
}

func (s *coder) broadcast(p []byte) error {
	return s.conns.each(func(c *coderws.Conn) error {
		return c.Write(context.Background(), coderws.MessageText, p)
	})
}

type gobwas struct{ conns set[net.Conn] }

func (s *gobwas) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, _, _, err := ws.UpgradeHTTP(r, w)
	if err != nil {
		return // UpgradeHTTP has answered
	}
	s.conns.add(c)
	go func() {
		for {
			h, err := ws.ReadHeader(c)
			if err != nil {
				return
			}
			if _, err := io.CopyN(io.Discard, c, h.Length); err != nil {
				return
			}
		}
	}()
}

func (s *gobwas) broadcast(p []byte) error {
	frame, err := ws.CompileFrame(ws.NewTextFrame(p))
	if err != nil {
		return err
	}
	return s.conns.each(func(c net.Conn) error {
		_, err := c.Write(frame)
		return err
	})
}

type gwsServer struct {
	gws.BuiltinEventHandler
	upgrader *gws.Upgrader
	conns    set[*gws.Conn]
}

func newGWS() server {
	s := &gwsServer{}
	s.upgrader = gws.NewUpgrader(s, &gws.ServerOption{ReadBufferSize: 512})
	return s
}

func (s *gwsServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := s.upgrader.Upgrade(w, r)
	if err != nil {
		return // the upgrader has answered
	}
	s.conns.add(c)
	go c.ReadLoop()
}

func (s *gwsServer) broadcast(p []byte) error {
	b := gws.NewBroadcaster(gws.OpcodeText, p)
	defer func() { _ = b.Close() }() // its buffers go back to a pool
	return s.conns.each(b.Broadcast)
}
