package socketio

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

var silent = gatewayFunc(func(context.Context, gateway.Socket) error { return nil })

// enterScripted connects a socket over a session that takes everything.
func (w *world) enterScripted(nsp string) (*conn, *Socket, *scriptedSession) {
	w.t.Helper()
	one := &scriptedSession{}
	c := w.server.accept(one)
	if err := c.Receive([]byte("0"+nsp+","), false); err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait()
	s, _ := c.find(nsp)
	if s == nil || !s.Connected() {
		w.t.Fatal("not connected")
	}
	return c, s, one
}

// The histories of a few sockets are compared with a plain map after each step.
func TestRoomsAgainstAModel(t *testing.T) {
	inBubble(t, Settings{Namespaces: namespaces("/m", silent)}, func(t *testing.T, w *world) {
		for seed := range uint64(20) {
			random := rand.New(rand.NewPCG(seed, 0))
			model := map[*Socket]map[string]bool{}
			conns := map[*Socket]*conn{}
			name := func() string { return fmt.Sprint("r", random.IntN(6)) }
			for range 300 {
				var s *Socket
				for one := range model {
					s = one
					break
				}
				switch op := random.IntN(10); {
				case s == nil || op == 0 && len(model) < 8:
					c, fresh, _ := w.enterScripted("/m")
					model[fresh], conns[fresh] = map[string]bool{fresh.ID(): true}, c
				case op == 1:
					conns[s].Closed("transport close")
					delete(model, s)
				case op < 6:
					r := name()
					if err := s.Join(r); err != nil {
						t.Fatal(err)
					}
					model[s][r] = true
				default:
					r := name()
					s.Leave(r)
					delete(model[s], r)
				}
				compareRooms(t, w.server.namespace("/m"), model, []string{name(), name()}, []string{name()})
			}
			for s := range model {
				conns[s].Closed("transport close")
			}
			w.empty("/m")
		}
	})
}

func compareRooms(t *testing.T, ns *namespace, model map[*Socket]map[string]bool, rooms, except []string) {
	t.Helper()
	in := func(s *Socket, names []string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return model[s][n] })
	}
	for _, rooms := range [][]string{nil, rooms} {
		want := map[*Socket]bool{}
		for s := range model {
			if (len(rooms) == 0 || in(s, rooms)) && !in(s, except) {
				want[s] = true
			}
		}
		got := ns.collect(nil, rooms, except)
		if len(got) != len(want) {
			t.Fatalf("%v without %v: %d sockets, want %d", rooms, except, len(got), len(want))
		}
		for _, s := range got {
			if !want[s] {
				t.Fatalf("%v without %v: a socket too many", rooms, except)
			}
		}
	}
	for s, want := range model {
		if got := s.Rooms(); len(got) != len(want) {
			t.Fatalf("rooms %v, want %v", got, want)
		}
	}
}

func TestJoinsRaceLeavesAndDisconnects(t *testing.T) {
	inBubble(t, Settings{Namespaces: namespaces("/m", silent)}, func(t *testing.T, w *world) {
		var wg sync.WaitGroup
		for range 100 {
			c, s, _ := w.enterScripted("/m")
			for _, f := range []func(){
				func() {
					for range 20 {
						if err := s.Join("a", "b"); err != nil && !errors.Is(err, gateway.ErrDisconnected) {
							t.Error(err)
						}
					}
				},
				func() {
					for range 20 {
						s.Leave("a")
					}
				},
				func() { _ = s.Namespace().To("a").Emit("x") },
				func() { c.Closed("transport close") },
			} {
				wg.Go(f)
			}
		}
		wg.Wait()
		w.empty("/m")
	})
}

// Those who stay are where they went to, and get each broadcast once, whoever comes
// and goes beside them meanwhile.
func TestMembersStayWhileOthersComeAndGo(t *testing.T) {
	var passed atomic.Int64
	joining := gatewayFunc(func(_ context.Context, s gateway.Socket) error {
		if s.Handshake().Auth == nil {
			return nil
		}
		err := s.Join("fixed", "r0", "r1", "r2")
		if err == nil {
			passed.Add(1)
			s.Leave("r1")
		}
		return err
	})
	inBubble(t, Settings{Namespaces: namespaces("/m", joining)}, func(t *testing.T, w *world) {
		const stayers = 20
		ns := w.server.namespace("/m")
		model := map[*Socket]map[string]bool{}
		sessions := map[*Socket]*scriptedSession{}
		var changing, passing sync.WaitGroup
		for seed := range uint64(stayers) {
			_, s, session := w.enterScripted("/m")
			rooms := map[string]bool{s.ID(): true, "fixed": true}
			if err := s.Join("fixed"); err != nil {
				t.Fatal(err)
			}
			model[s], sessions[s] = rooms, session
			changing.Go(func() {
				random := rand.New(rand.NewPCG(seed, 0))
				for range 500 {
					r := fmt.Sprint("r", random.IntN(4))
					if rooms[r] = random.IntN(2) == 0; rooms[r] {
						if err := s.Join(r); err != nil {
							t.Error(err)
						}
					} else {
						s.Leave(r)
					}
				}
			})
		}
		var done atomic.Bool
		for range 4 {
			passing.Go(func() {
				for i := 0; !done.Load(); i++ {
					session := &scriptedSession{}
					c := w.server.accept(session)
					if err := c.Receive([]byte(`0/m,{"pass":true}`), false); err != nil {
						t.Error(err)
					}
					s, _ := c.find("/m")
					for i%2 == 0 && s != nil && !s.Connected() && !session.Closed() { // the others go while they enter
						runtime.Gosched()
					}
					c.Closed("transport close")
				}
			})
		}
		emits := int64(0)
		for ; emits < 200 || passed.Load() < 200; emits++ {
			for _, target := range []gateway.Target{ns, ns.To("fixed"), ns.To("fixed", "r0", "r1"), ns.Except("fixed")} {
				if err := target.Emit("e"); err != nil {
					t.Error(err)
				}
			}
		}
		changing.Wait()
		done.Store(true)
		passing.Wait()
		synctest.Wait()
		for s, session := range sessions {
			if got := session.sent.Load() - 1; got != 3*emits { // CONNECT came first
				t.Errorf("%s got %d packets, want %d", s.ID(), got, 3*emits)
			}
			maps.DeleteFunc(model[s], func(_ string, in bool) bool { return !in })
		}
		for i := range 4 {
			compareRooms(t, ns, model, []string{fmt.Sprint("r", i), "fixed"}, []string{fmt.Sprint("r", (i+1)%4)})
			compareRooms(t, ns, model, []string{fmt.Sprint("r", i)}, nil)
		}
	})
}

func TestBroadcasts(t *testing.T) {
	inBubble(t, Settings{Namespaces: namespaces("/", silent)}, func(t *testing.T, w *world) {
		var clients []*client
		var sockets []gateway.Socket
		ns := w.server.Namespace("/")
		for range 3 {
			c := w.dial()
			clients = append(clients, c)
			sockets = append(sockets, ns.Socket(c.enter("/")))
		}
		for _, err := range []error{
			sockets[0].Join("a"), sockets[1].Join("a", "b"),
			ns.Emit("all"),
			ns.To("a", "b").Emit("ab"),
			ns.To("a").Except("b").Emit("a-b"),
			sockets[0].To("a").Emit("others"),
			sockets[2].Broadcast().Emit("rest"),
			ns.To(sockets[2].ID()).Emit("direct"),
			ns.To().Emit("nobody"),
		} {
			if err != nil {
				t.Error(err)
			}
		}
		synctest.Wait() // a client that lags would miss the volatile one
		if err := ns.Volatile().Emit("end", gateway.Binary("x")); err != nil {
			t.Error(err)
		}
		end := []string{`51-["end",{"_placeholder":true,"num":0}]`, "binary x"}
		clients[0].want(append([]string{`2["all"]`, `2["ab"]`, `2["a-b"]`, `2["rest"]`}, end...)...)
		clients[1].want(append([]string{`2["all"]`, `2["ab"]`, `2["others"]`, `2["rest"]`}, end...)...)
		clients[2].want(append([]string{`2["all"]`, `2["direct"]`}, end...)...)
	})
}

func TestSetsOfSockets(t *testing.T) {
	inBubble(t, Settings{Namespaces: namespaces("/", silent), RoomsPerSocket: 2}, func(t *testing.T, w *world) {
		ns := w.server.Namespace("/")
		a, b := w.dial(), w.dial()
		id, other := a.enter("/"), b.enter("/")
		if err := ns.To(id).Join("x", "y"); err != nil {
			t.Error(err)
		}
		var own *gateway.Error
		if err := ns.Socket(id).Join("y", "z"); !errors.As(err, &own) || own.Code != "too-many-rooms" {
			t.Errorf("got %v", err)
		}
		if got := ns.Socket(id).Rooms(); len(got) != 3 {
			t.Errorf("rooms %v", got)
		}
		if got := w.server.Rooms("/"); len(got) != 2 || got[0] != (RoomStatus{"x", 1}) {
			t.Errorf("rooms %v", got)
		}
		infos, err := ns.To("x").Sockets(context.Background())
		if err != nil || len(infos) != 1 || infos[0].ID != id {
			t.Errorf("got %v, %v", infos, err)
		}
		if err := ns.To("x").Leave("x"); err != nil || len(ns.Socket(id).Rooms()) != 2 {
			t.Errorf("%v, %v", err, ns.Socket(id).Rooms())
		}
		if err := ns.Except(id).Disconnect(true); err != nil || ns.Socket(other) != nil {
			t.Error("the other socket is still there")
		}
		b.want("1", "closed")
	})
}

func TestBroadcastWithAcks(t *testing.T) {
	inBubble(t, Settings{Namespaces: namespaces("/", silent)}, func(t *testing.T, w *world) {
		ns := w.server.Namespace("/")
		var clients []*client
		for range 20 {
			c := w.dial()
			c.enter("/")
			clients = append(clients, c)
		}
		for i, c := range clients {
			go func() {
				c.want(`20["q"]`)
				switch {
				case i == 0:
					c.cut()
				case i < 18:
					c.send(fmt.Sprintf(`30[%d]`, i))
				}
			}()
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		args, err := ns.EmitWithAck(ctx, "q")
		if !errors.Is(err, context.DeadlineExceeded) || len(args) != 17 {
			t.Errorf("%d acks, %v", len(args), err)
		}
		for _, c := range clients[18:] {
			c.send("30[1]") // too late: for nobody
			c.cut()
		}
		synctest.Wait()
		go func() {
			for _, c := range clients[1:18] {
				c.want(`21["again"]`)
				c.send("31[1]")
			}
		}()
		if args, err = ns.EmitWithAck(context.Background(), "again"); err != nil || len(args) != 17 {
			t.Errorf("%d acks, %v", len(args), err)
		}
		if args, err = ns.To("nobody").EmitWithAck(context.Background(), "x"); err != nil || len(args) != 0 {
			t.Errorf("%v, %v", args, err)
		}
	})
}

// Members that are still being let in, or that go meanwhile, owe no ack.
func TestBroadcastWithAcksAsksWhoIsConnected(t *testing.T) {
	var entered, letIn chan struct{}
	slow := gatewayFunc(func(_ context.Context, s gateway.Socket) error {
		if s.Handshake().Auth["slow"] == true {
			close(entered)
			<-letIn
		}
		return nil
	})
	inBubble(t, one(slow), func(t *testing.T, w *world) {
		entered, letIn = make(chan struct{}), make(chan struct{})
		first := w.dial()
		first.send(`0{"slow":true}`)
		<-entered // it is the first of the members
		ns := w.server.Namespace("/")
		for range 3 {
			c := w.dial()
			c.enter("/")
			go func() {
				c.want(`20["q"]`)
				time.Sleep(time.Second)
				c.send("30[1]")
			}()
		}
		if args, err := ns.EmitWithAck(t.Context(), "q"); err != nil || len(args) != 3 {
			t.Errorf("%d acks, %v", len(args), err)
		}
		close(letIn)
		first.want("0*")
	})
}
