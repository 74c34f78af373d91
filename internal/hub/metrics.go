package hub

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddy-socketio/caddy-socketio/internal/engineio"
	"github.com/caddy-socketio/caddy-socketio/internal/socketio"
)

// metrics are a hub's own collectors. They live as long as it, so that counts
// survive config reloads, and are registered anew by each config.
type metrics struct {
	refused *prometheus.CounterVec
	handled *prometheus.HistogramVec

	// What is read when Prometheus asks, so that it is true whatever a reload
	// has renamed or removed.
	sockets, named, rooms                          *prometheus.Desc
	sessions, handshakes, refusals, upgrades, slow *prometheus.Desc
	limits, fresh                                  *prometheus.Desc
	packets, bytes, queued, reloads, generations   *prometheus.Desc
}

func newMetrics(server string) *metrics {
	labels := prometheus.Labels{"server": server}
	name := func(s string) string { return prometheus.BuildFQName("caddy", "socketio", s) }
	desc := func(s, help string, variable ...string) *prometheus.Desc {
		return prometheus.NewDesc(name(s), help, variable, labels)
	}
	return &metrics{
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: name("connects_refused_total"), Help: "Refused entries to namespaces.", ConstLabels: labels,
		}, []string{"namespace", "reason"}),
		handled: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: name("event_duration_seconds"), Help: "Time to handle clients' events.", ConstLabels: labels,
			Buckets: []float64{.0001, .0005, .001, .005, .01, .05, .1, .5, 1, 5},
		}, []string{"namespace", "event", "result"}),

		sockets:     desc("sockets", "Connected sockets.", "namespace", "transport"),
		named:       desc("sockets_authenticated", "Connected sockets whose user is known.", "namespace"),
		rooms:       desc("rooms", "Rooms that have sockets.", "namespace"),
		sessions:    desc("sessions", "Open Engine.IO sessions.", "transport"),
		handshakes:  desc("handshakes_total", "Opened Engine.IO sessions."),
		refusals:    desc("refusals_total", "Refused requests.", "reason"),
		limits:      desc("limits_reached_total", "Times that clients ran into a limit.", "limit"),
		fresh:       desc("sessions_unauthenticated", "Open Engine.IO sessions that have entered no namespace."),
		upgrades:    desc("upgrades_total", "Sessions that went from polling to websocket."),
		slow:        desc("slow_consumers_total", "Sessions closed because their client read too slowly."),
		packets:     desc("packets_total", "Engine.IO packets.", "transport", "direction"),
		bytes:       desc("bytes_total", "Bytes of payload.", "transport", "direction"),
		queued:      desc("queued_bytes", "Bytes that wait for clients."),
		reloads:     desc("reloads_total", "Settings that took the place of earlier ones."),
		generations: desc("generations", "Configs that hold the server."),
	}
}

// Describe implements [prometheus.Collector].
func (h *Hub) Describe(out chan<- *prometheus.Desc) {
	m := h.metrics
	m.refused.Describe(out)
	m.handled.Describe(out)
	for _, d := range []*prometheus.Desc{
		m.sockets, m.named, m.rooms, m.sessions, m.handshakes, m.refusals, m.upgrades, m.slow, m.packets, m.bytes, m.queued,
		m.reloads, m.generations, m.limits, m.fresh,
	} {
		out <- d
	}
}

// Collect implements [prometheus.Collector].
func (h *Hub) Collect(out chan<- prometheus.Metric) {
	m, stats, status := h.metrics, h.engine.Stats(), h.Status()
	m.refused.Collect(out)
	m.handled.Collect(out)
	send := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, kind, v, labels...)
	}
	const count, gauge = prometheus.CounterValue, prometheus.GaugeValue
	send(m.handshakes, count, float64(stats.Handshakes))
	send(m.upgrades, count, float64(stats.Upgrades))
	send(m.slow, count, float64(stats.SlowConsumers))
	send(m.queued, gauge, float64(stats.QueuedBytes))
	send(m.reloads, count, float64(status.Reloads))
	send(m.generations, gauge, float64(status.Generations))
	send(m.fresh, gauge, float64(stats.Unauthenticated))
	for limit, n := range h.incidents.Counts() {
		send(m.limits, count, float64(n), string(limit))
	}
	for name, n := range byConfigured(status.Namespaces) {
		send(m.sockets, gauge, float64(n.Polling), name, "polling")
		send(m.sockets, gauge, float64(n.Sockets-n.Polling), name, "websocket")
		send(m.named, gauge, float64(n.Authenticated), name)
		send(m.rooms, gauge, float64(n.Rooms), name)
	}
	for reason, n := range stats.Refusals {
		send(m.refusals, count, float64(n), reason)
	}
	for _, t := range []struct {
		name    string
		traffic engineio.Traffic
	}{{"polling", stats.Polling}, {"websocket", stats.WebSocket}} {
		send(m.sessions, gauge, float64(t.traffic.Sessions), t.name)
		send(m.packets, count, float64(t.traffic.PacketsIn), t.name, "in")
		send(m.packets, count, float64(t.traffic.PacketsOut), t.name, "out")
		send(m.bytes, count, float64(t.traffic.BytesIn), t.name, "in")
		send(m.bytes, count, float64(t.traffic.BytesOut), t.name, "out")
	}
}

// byConfigured adds up the namespaces of one configured name, so that a /regexp/
// name is one label, however many names clients make up.
func byConfigured(all []socketio.NamespaceStatus) map[string]socketio.NamespaceStatus {
	sums := map[string]socketio.NamespaceStatus{}
	for _, ns := range all {
		sum := sums[ns.Configured]
		sum.Sockets += ns.Sockets
		sum.Polling += ns.Polling
		sum.Authenticated += ns.Authenticated
		sum.Rooms += ns.Rooms
		sums[ns.Configured] = sum
	}
	return sums
}
