package hub_test

import (
	"context"
	"io"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/gobwas/ws"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// named handles all events by one handler, and names two of them.
type named struct{}

func (named) Events() []string { return []string{"one", "two"} }

func (named) Connect(_ context.Context, s gateway.Socket) error {
	s.HandleAny(func(context.Context, *gateway.Event) (any, error) { return nil, nil })
	return s.Join("room")
}

// compare checks samples of the hub's metrics, each a line as Prometheus has it.
func (w *world) compare(lines ...string) {
	w.t.Helper()
	got := w.samples()
	for _, line := range lines {
		if !got[line] {
			w.t.Errorf("no %s in\n%s", line, strings.Join(slices.Sorted(maps.Keys(got)), "\n"))
		}
	}
}

// samples reads the hub's metrics, without the label of the server.
func (w *world) samples() map[string]bool {
	w.t.Helper()
	synctest.Wait()
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(w.hub); err != nil {
		w.t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	got := map[string]bool{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			labels := []string{}
			for _, l := range m.GetLabel() {
				if l.GetName() != "server" {
					labels = append(labels, l.GetName()+"="+l.GetValue())
				}
			}
			value := m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
			name := strings.TrimPrefix(f.GetName(), "caddy_socketio_")
			got[name+"{"+strings.Join(labels, ",")+"} "+strconv.FormatFloat(value, 'f', -1, 64)] = true
		}
	}
	return got
}

func TestMetricsSurviveReloads(t *testing.T) {
	g := generation(map[string]gateway.Gateway{"/": named{}, `/\/room-\d+/`: named{}})
	inBubble(t, g, func(t *testing.T, w *world) {
		c := w.enter("/", "/room-1")
		w.enter("/", "/room-2")
		for _, event := range []string{"one", "two", "made up", "made up too"} {
			c.send(`421["` + event + `"]`)
			c.want("431")
		}
		w.compare(
			`sockets{namespace=/,transport=websocket} 2`, `sockets{namespace=/,transport=polling} 0`,
			`sockets{namespace=/\/room-\d+/,transport=websocket} 2`, `rooms{namespace=/\/room-\d+/} 2`, `rooms{namespace=/} 1`,
			`event_duration_seconds{event=one,namespace=/,result=ok} 1`, `event_duration_seconds{event=two,namespace=/,result=ok} 1`,
			`event_duration_seconds{event=other,namespace=/,result=ok} 2`, `reloads_total{} 0`, `generations{} 1`)
		// A live namespace goes by another name now, another one is gone.
		second := generation(map[string]gateway.Gateway{"/room-1": named{}})
		second.Logger = g.Logger
		if err := w.hub.Push(second); err != nil {
			t.Fatal(err)
		}
		if err := w.hub.Drop(g); err != nil {
			t.Fatal(err)
		}
		c.want("41")
		w.compare(
			`sockets{namespace=/room-1,transport=websocket} 1`, `rooms{namespace=/room-1} 1`,
			`event_duration_seconds{event=other,namespace=/,result=ok} 2`, `handshakes_total{} 2`,
			`reloads_total{} 1`, `generations{} 1`, `sessions{transport=websocket} 2`)
		for line := range w.samples() {
			if strings.HasPrefix(line, "sockets{") && !strings.Contains(line, "=/room-1,") {
				t.Errorf("a namespace that is gone has %s", line)
			}
		}
	})
}

// The list is what operators are promised.
func TestMetricsAreComplete(t *testing.T) {
	inBubble(t, generation(config("a")), func(t *testing.T, w *world) {
		c := w.enter("/")
		c.label("a")
		c.send("40/nowhere,")
		c.want("44/nowhere,")
		res, err := w.http.Get("http://pipe/socket.io/?EIO=4&transport=none")
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
		w.compare(
			`sessions{transport=polling} 0`, `sessions{transport=websocket} 1`,
			`sockets{namespace=/,transport=websocket} 1`, `rooms{namespace=/} 0`,
			`handshakes_total{} 1`, `refusals_total{reason=unknown_transport} 1`,
			`connects_refused_total{namespace=,reason=invalid namespace} 1`,
			`upgrades_total{} 0`, `packets_total{direction=in,transport=websocket} 3`, `packets_total{direction=out,transport=websocket} 4`,
			`bytes_total{direction=in,transport=websocket} 27`, `bytes_total{direction=out,transport=websocket} 209`,
			`bytes_total{direction=in,transport=polling} 0`, `bytes_total{direction=out,transport=polling} 0`,
			`event_duration_seconds{event=label,namespace=/,result=ok} 1`,
			`queued_bytes{} 0`, `slow_consumers_total{} 0`, `reloads_total{} 0`, `generations{} 1`)
	})
}

func TestMetricsOfTrouble(t *testing.T) {
	g := generation(config("a"))
	g.Engine.Limits.SendBuffer = 1000
	inBubble(t, g, func(t *testing.T, w *world) {
		dial := func(query string) net.Conn {
			t.Helper()
			dialer := ws.Dialer{NetDial: w.pipes.dial}
			conn, _, _, err := dialer.Dial(t.Context(), "ws://pipe/socket.io/?EIO=4&transport=websocket"+query)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
			return conn
		}
		// One that upgrades.
		res, err := w.http.Get("http://pipe/socket.io/?EIO=4&transport=polling")
		if err != nil {
			t.Fatal(err)
		}
		open, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(open), `"sid":"`)
		sid, _, _ := strings.Cut(rest, `"`)
		c := &client{t, dial("&sid=" + sid), make(chan frame, 16)}
		go c.read(nil)
		c.send("2probe")
		c.want("3probe")
		c.send("5")
		w.compare(`upgrades_total{} 1`, `sessions{transport=websocket} 1`, `bytes_total{direction=out,transport=polling} `+strconv.Itoa(len(open)))
		// One that reads nothing: its first packet, a frame, waits, then too much does.
		deaf := dial("")
		w.compare(`queued_bytes{} ` + strconv.Itoa(len(open)-len(`"websocket"`)+2))
		deaf2 := &client{t, deaf, nil}
		deaf2.send("40")
		synctest.Wait()
		for range 100 {
			deaf2.send(`421["label"]`)
		}
		w.compare(`slow_consumers_total{} 1`)
	})
}
