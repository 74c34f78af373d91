package load

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddy-socketio/caddy-socketio/internal/bench/bare"
)

// fakeMeter counts how often it is read, in place of a processor.
type fakeMeter struct{ reads time.Duration }

func (m *fakeMeter) CPU() (time.Duration, error) {
	m.reads += time.Millisecond
	return m.reads, nil
}

func (m *fakeMeter) SettledRSS(context.Context) (int64, error) {
	return int64(m.reads), nil
}

// tiny keeps the smoke tests short: they show that the work is done, not how fast.
var tiny = Window{Warm: 5 * time.Millisecond, Measure: 20 * time.Millisecond}

// target is the bare server. What it leaves running ends with its listener.
func target(t *testing.T) Target {
	t.Helper()
	s := httptest.NewServer(bare.New())
	t.Cleanup(s.Close)
	return Target{Addr: strings.TrimPrefix(s.URL, "http://"), Bare: true}
}

func TestCasesAgainstTheBareServer(t *testing.T) {
	for name, run := range map[string]func(Target, *fakeMeter) (Cost, error){
		"ping":      func(to Target, m *fakeMeter) (Cost, error) { return Ping(t.Context(), to, m, tiny, 3) },
		"relay":     func(to Target, m *fakeMeter) (Cost, error) { return Relay(t.Context(), to, m, tiny, 2, 2) },
		"broadcast": func(to Target, m *fakeMeter) (Cost, error) { return Broadcast(t.Context(), to, m, tiny, 3) },
		"latency": func(to Target, m *fakeMeter) (Cost, error) {
			r, err := Latency(t.Context(), to, m, tiny, 2, 1000)
			if r.P50 <= 0 || r.P99 < r.P50 {
				t.Errorf("latencies: %v, %v", r.P50, r.P99)
			}
			return r.Cost, err
		},
		"connections": func(to Target, m *fakeMeter) (Cost, error) {
			r, err := Connections(t.Context(), to, m, 10)
			if r.Connect.Ops != 8 {
				t.Errorf("%d connects are measured", r.Connect.Ops)
			}
			return r.Connect, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			cost, err := run(target(t), new(fakeMeter))
			if err != nil {
				t.Fatal(err)
			}
			if cost.Ops == 0 || cost.CPU != time.Millisecond || cost.MicrosPerOp() != 1000/float64(cost.Ops) {
				t.Fatalf("got %+v", cost)
			}
		})
	}
}

func TestAServerThatIsGoneIsAnError(t *testing.T) {
	s := httptest.NewServer(bare.New())
	to := Target{Addr: strings.TrimPrefix(s.URL, "http://"), Bare: true}
	s.Close()
	if _, err := Ping(t.Context(), to, new(fakeMeter), tiny, 2); err == nil {
		t.Fatal("measured a server that is gone")
	}
}

func TestARefusedUpgradeIsAnError(t *testing.T) {
	to := target(t)
	to.Bare = false // asks for /socket.io/, which the bare server does not have
	_, err := to.Dial(t.Context(), "")
	if err == nil || !strings.Contains(err.Error(), "404") {
		t.Fatalf("got %v", err)
	}
}

func TestPercentile(t *testing.T) {
	var sorted []time.Duration
	for i := range 200 {
		sorted = append(sorted, time.Duration(i+1))
	}
	for p, want := range map[float64]time.Duration{0: 1, 50: 100, 99: 198, 100: 200} {
		if got := Percentile(sorted, p); got != want {
			t.Errorf("%v: got %d, want %d", p, got, want)
		}
	}
	if Percentile(nil, 50) != 0 || Percentile(sorted[:1], 99) != 1 {
		t.Error("of none or one")
	}
}
