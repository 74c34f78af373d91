package redis

import (
	"slices"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the collectors of all connections to an address with a prefix, which
// are their labels: connections that differ in other settings count together. They
// live as long as one of them, so that no count goes down meanwhile. All methods
// may be called concurrently.
type metrics struct {
	labels                                        prometheus.Labels
	dropped, malformed, outages, overruns, missed prometheus.Counter

	mu          sync.Mutex
	connections []*connection // guarded by mu
}

// measured are the metrics of the connections in the pool, by their series.
var measured = caddy.NewUsagePool()

// series is what the labels of metrics hold.
type series struct{ address, prefix string }

func (o *options) series() series { return series{o.display(), o.Prefix} }

func newMetrics(o *options) *metrics {
	m := &metrics{labels: prometheus.Labels{"address": o.display(), "prefix": o.Prefix}}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "caddy", Subsystem: "socketio_redis", Name: name, Help: help, ConstLabels: m.labels,
		})
	}
	m.dropped = counter("dropped_total", "Commands dropped since Redis was away for too long.")
	m.malformed = counter("malformed_total", "Messages skipped since they could not be read.")
	m.outages = counter("outages_total", "Times at which Redis went away.")
	m.overruns = counter("overruns_total", "Times at which the stream was trimmed before it was read.")
	m.missed = counter("missed_total", "Messages of the stream that were trimmed before they were read, as far as Redis tells.")
	return m
}

// share makes a connection that nobody uses yet count together with others. The
// function that it returns ends that.
func (c *connection) share() (end func() error, err error) {
	key := c.options.series()
	v, _, err := measured.LoadOrNew(key, func() (caddy.Destructor, error) { return newMetrics(c.options), nil })
	if err != nil {
		return nil, err
	}
	m := v.(*metrics)
	m.mu.Lock()
	defer m.mu.Unlock()
	c.metrics, m.connections = m, append(m.connections, c)
	return func() error {
		m.mu.Lock()
		m.connections = slices.DeleteFunc(m.connections, func(one *connection) bool { return one == c })
		m.mu.Unlock()
		_, err := measured.Delete(key)
		return err
	}, nil
}

// Destruct implements caddy.Destructor.
func (*metrics) Destruct() error { return nil }

// Describe implements [prometheus.Collector].
func (m *metrics) Describe(out chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, out) }

// Collect implements [prometheus.Collector].
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	for _, one := range []prometheus.Counter{m.dropped, m.malformed, m.outages, m.overruns, m.missed} {
		one.Collect(out)
	}
	queued, up := 0, 1.0
	m.mu.Lock()
	for _, c := range m.connections {
		c.sender.mu.Lock()
		queued += c.sender.bytes
		c.sender.mu.Unlock()
		if c.down.Load() {
			up = 0
		}
	}
	m.mu.Unlock()
	gauge := func(name, help string, v float64) {
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(
			prometheus.BuildFQName("caddy", "socketio_redis", name), help, nil, m.labels), prometheus.GaugeValue, v)
	}
	gauge("queued_bytes", "Bytes that wait for Redis.", float64(queued))
	gauge("up", "Whether Redis can be used, by all connections.", up)
}
