package engineio

import (
	"maps"
	"sync"
	"sync/atomic"
)

// Stats are counters since the server was made, and gauges of now.
type Stats struct {
	Handshakes    uint64            // sessions opened
	Refusals      map[string]uint64 // by reason
	Upgrades      uint64            // polling to websocket
	SlowConsumers uint64            // closed for their full send buffer
	// Unauthenticated are the live sessions that have entered no namespace.
	Unauthenticated int
	Polling         Traffic
	WebSocket       Traffic
	// QueuedBytes is what waits for all clients.
	QueuedBytes int
}

// Traffic is what went over one transport. Bytes are those of payloads on
// polling, and of frames out and messages in on websocket.
type Traffic struct {
	Sessions             int // live
	PacketsIn, BytesIn   uint64
	PacketsOut, BytesOut uint64
}

// stats are the counters themselves. They may be used concurrently. They outlive
// reloads with their server, so that a collector reads them instead of counting.
type stats struct {
	handshakes, upgrades, slowConsumers atomic.Uint64
	polling, websocket                  traffic

	mu       sync.Mutex
	refusals map[string]uint64
}

// traffic are the counters of one transport.
type traffic struct{ packetsIn, bytesIn, packetsOut, bytesOut atomic.Uint64 }

func (t *traffic) sent(packets, bytes int) {
	t.packetsOut.Add(uint64(packets))
	t.bytesOut.Add(uint64(bytes))
}

func (t *traffic) received(bytes int) {
	t.packetsIn.Add(1)
	t.bytesIn.Add(uint64(bytes))
}

func (t *traffic) receivedBytes(bytes int) { t.bytesIn.Add(uint64(bytes)) }

func (t *traffic) snapshot() Traffic {
	return Traffic{
		PacketsIn: t.packetsIn.Load(), BytesIn: t.bytesIn.Load(),
		PacketsOut: t.packetsOut.Load(), BytesOut: t.bytesOut.Load(),
	}
}

// refuse counts by reason. Reasons are a small fixed set: nothing that a client
// sends becomes a label.
func (s *stats) refuse(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refusals == nil {
		s.refusals = map[string]uint64{}
	}
	s.refusals[reason]++
}

// Stats takes a snapshot. It visits every session, which is meant for a scrape.
func (s *Server) Stats() Stats {
	s.stats.mu.Lock()
	refusals := maps.Clone(s.stats.refusals)
	s.stats.mu.Unlock()
	out := Stats{
		Handshakes:    s.stats.handshakes.Load(),
		Refusals:      refusals,
		Upgrades:      s.stats.upgrades.Load(),
		SlowConsumers: s.stats.slowConsumers.Load(),

		Unauthenticated: s.limits.unauthenticated(),
		Polling:         s.stats.polling.snapshot(),
		WebSocket:       s.stats.websocket.snapshot(),
	}
	// Counted when asked for, rather than kept in two places on every send.
	for _, one := range s.all() {
		one.mu.Lock()
		out.QueuedBytes += one.outbox.bytes
		if one.conn != nil {
			out.WebSocket.Sessions++
		} else {
			out.Polling.Sessions++
		}
		one.mu.Unlock()
	}
	return out
}
