package redis

import "github.com/prometheus/client_golang/prometheus"

// metrics are a connection's collectors. They live as long as it.
type metrics struct {
	dropped, malformed, outages, overruns prometheus.Counter
}

func newMetrics(o *options) *metrics {
	labels := prometheus.Labels{"address": o.display(), "prefix": o.Prefix}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "caddy", Subsystem: "socketio_redis", Name: name, Help: help, ConstLabels: labels,
		})
	}
	return &metrics{
		dropped:   counter("dropped_total", "Commands dropped since Redis was away for too long."),
		malformed: counter("malformed_total", "Messages skipped since they could not be read."),
		outages:   counter("outages_total", "Times at which Redis went away."),
		overruns:  counter("overruns_total", "Times at which the stream was trimmed before it was read."),
	}
}

// Describe implements [prometheus.Collector].
func (c *connection) Describe(out chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, out) }

// Collect implements [prometheus.Collector].
func (c *connection) Collect(out chan<- prometheus.Metric) {
	m := c.metrics
	for _, one := range []prometheus.Counter{m.dropped, m.malformed, m.outages, m.overruns} {
		one.Collect(out)
	}
	labels := prometheus.Labels{"address": c.options.display(), "prefix": c.options.Prefix}
	gauge := func(name, help string, v float64) {
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(
			prometheus.BuildFQName("caddy", "socketio_redis", name), help, nil, labels), prometheus.GaugeValue, v)
	}
	c.sender.mu.Lock()
	queued := c.sender.bytes
	c.sender.mu.Unlock()
	gauge("queued_bytes", "Bytes that wait for Redis.", float64(queued))
	up := 1.0
	if c.down.Load() {
		up = 0
	}
	gauge("up", "Whether Redis can be used.", up)
}
