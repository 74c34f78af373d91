/** How often the connections are measured, in ms. */
const INTERVAL = 2_000;
/** From here on a connection is only fair, or poor: round trip in ms, and lost packets of 100. */
const FAIR = { trip: 250, loss: 2 };
const POOR = { trip: 600, loss: 8 };

/**
 * Measures the connections to all peers until the returned function is called.
 *
 * @param {Map<string, import("../signaling/peer.js").Peer>} peers
 * @param {(id: string, level: 1|2|3, words: string) => void} report
 * @returns {() => void}
 */
export function watchQuality(peers, report) {
  const before = new WeakMap();
  const measure = async (peer) => {
    const now = summarize(await peer.pc.getStats());
    const last = before.get(peer) ?? { lost: 0, received: 0 };
    before.set(peer, now);
    const lost = Math.max(0, now.lost - last.lost);
    const loss = (100 * lost) / (lost + now.received - last.received || 1);
    if (peer.pc.connectionState !== "connected") return report(peer.id, 1, "No connection at the moment");
    const level = grade({ trip: now.trip, loss });
    report(peer.id, level, `${WORDS[level]} connection: ${Math.round(now.trip)} ms, ${loss.toFixed(0)}% lost`);
  };
  const timer = setInterval(() => peers.forEach((peer) => measure(peer)), INTERVAL);
  return () => clearInterval(timer);
}

const WORDS = { 1: "Poor", 2: "Fair", 3: "Good" };

function grade({ trip, loss }) {
  const worseThan = (limit) => trip > limit.trip || loss > limit.loss;
  if (worseThan(POOR)) return 1;
  return worseThan(FAIR) ? 2 : 3;
}

/** Adds up what was received, and finds the round trip of the path in use. */
function summarize(stats) {
  const sum = { lost: 0, received: 0, trip: 0 };
  for (const entry of stats.values()) {
    if (entry.type === "inbound-rtp") {
      sum.lost += entry.packetsLost ?? 0;
      sum.received += entry.packetsReceived ?? 0;
    }
    if (entry.type === "candidate-pair" && entry.nominated && entry.currentRoundTripTime !== undefined) {
      sum.trip = entry.currentRoundTripTime * 1_000;
    }
  }
  return sum;
}
