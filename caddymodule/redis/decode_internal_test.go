package redis

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// FuzzCaddyfile reads configurations; JSON has all that one says, and what is taken
// is not refused later.
func FuzzCaddyfile(f *testing.F) {
	f.Add("redis redis://localhost:6379/0 {\nuser a\npassword {env.P}\nadapter pubsub\nmax_length 10\ntimeout 3s\nqueue_size 1MB\n}")
	f.Add("redis redis+sentinel://a:1,b:2/m {\nsentinel_user a\ntls {\nca a\ncertificate a b\nserver_name c\n}\n}")
	f.Add("redis rediss://h {\nprefix {\n}\n}")
	f.Fuzz(func(t *testing.T, block string) {
		tokens, err := caddyfile.Tokenize([]byte(block), "Testfile")
		if err != nil || len(tokens) == 0 {
			return
		}
		var one, again Cluster
		if one.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens)) != nil {
			return
		}
		if err := one.check(); err != nil {
			t.Fatalf("%q is refused later: %v", block, err)
		}
		text, err := json.Marshal(&one)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &again); err != nil {
			t.Fatal(err)
		}
		if second, err := json.Marshal(&again); err != nil || string(second) != string(text) {
			t.Fatalf("%q: %s became %s, %v", block, text, second, err)
		}
	})
}

// FuzzEntry reads what may stand in the stream; what is taken can be sent on.
func FuzzEntry(f *testing.F) {
	f.Add(`{"opts":{"rooms":["a",1],"except":[],"flags":{"volatile":true}},"packet":{"type":2,"data":["e",1]}}`)
	f.Add("xqR0AAAA") // a lying length
	f.Add(`gqRvcHRzg6Vyb29tc5CmZXhjZXB0kKVmbGFnc4CmcGFja2V0gqR0eXBlAqRkYXRhkqFlxAEB`)
	f.Fuzz(func(t *testing.T, data string) {
		text, _, err := entryText(data)
		if err != nil {
			return
		}
		m, err := readBroadcast(text, func(*wireSet) bool { return true })
		if err != nil {
			return
		}
		if !json.Valid(m.Data) {
			t.Fatalf("%q became %q", data, m.Data)
		}
	})
}

func FuzzSession(f *testing.F) {
	f.Add("hKNzaWShYaNwaWShYqVyb29tc5GhYaRkYXRhgA==", "b")
	f.Fuzz(func(_ *testing.T, text, pid string) {
		// It must not panic; what it returns is checked by its tests.
		_, _ = decodeSession(text, pid)
	})
}

// FuzzPublished reads what may come by pub/sub, with both adapters.
func FuzzPublished(f *testing.F) {
	f.Add("{\"type\":5,\"uid\":\"x\",\"requestId\":\"r\",\"opts\":{\"rooms\":[],\"except\":[]}}")
	f.Add("\x93\xa1x\x82\xa4type\x02\xa4data\x91\xa1e\x83\xa5rooms\x90\xa6except\x90\xa5flags\x80")
	f.Add("\x84\xa3uid\xa1x\xa3nsp\xa1/\xa4type\x07\xa4data\x80")
	links := []*link{}
	for _, adapter := range []string{adapterStreams, adapterPubSub} {
		o := &options{Addresses: []string{"127.0.0.1:1"}, Adapter: adapter}
		o.defaults()
		c := newConnection(o) // it is never started
		l := newLink(c, "/", nowhere{})
		links = append(links, l)
		f.Cleanup(func() {
			l.cancel()
			<-l.ended
			if err := c.Destruct(); err != nil {
				f.Error(err)
			}
		})
	}
	f.Fuzz(func(_ *testing.T, payload string) {
		for _, l := range links {
			channels, _ := l.format.topics()
			for _, channel := range append(channels, "socket.io#/#") {
				_ = l.format.receive(channel, []byte(payload)) // it must not panic
			}
		}
	})
}

// nowhere is a namespace without sockets.
type nowhere struct{ gateway.Local }

func (nowhere) Has(string) bool                                 { return true }
func (nowhere) Deliver(*gateway.Message)                        {}
func (nowhere) Join(gateway.Set, []string)                      {}
func (nowhere) Leave(gateway.Set, []string)                     {}
func (nowhere) Disconnect(gateway.Set, bool)                    {}
func (nowhere) Sockets(gateway.Set) []gateway.SocketInfo        { return nil }
func (nowhere) ServerSide(*gateway.Message, func(gateway.Args)) {}

func (nowhere) Ask(context.Context, *gateway.Message, func(int), func(gateway.Args)) {}
