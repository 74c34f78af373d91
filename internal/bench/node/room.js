// A room tells its peers of one another: at once while it is small, in batches
// once it is larger, as the gateway's default `presence_interval 50 2s` says.

const BATCH_ABOVE = 50;
const BATCH_INTERVAL = 2000;

export class Room {
  peers = new Map(); // id -> peer
  #order = 0;
  #batch = null;

  constructor(io, name) {
    this.io = io;
    this.name = name;
    this.key = `webrtc:${name}`;
  }

  nextOrder() {
    return ++this.#order;
  }

  describe({ id, role, state, joinedAt, order }) {
    return { id, role, state, joinedAt, order };
  }

  add(peer) {
    this.peers.set(peer.id, peer);
    peer.socket.join(this.key);
    if (this.peers.size > BATCH_ABOVE) {
      this.#pending().joined.set(peer.id, this.describe(peer));
    } else {
      peer.socket.to(this.key).emit("peer-joined", { room: this.name, peer: this.describe(peer), polite: false });
    }
  }

  remove(peer, reason) {
    this.peers.delete(peer.id);
    peer.socket.leave(this.key);
    if (this.peers.size >= BATCH_ABOVE) {
      const batch = this.#pending();
      if (!batch.joined.delete(peer.id)) batch.left.push({ id: peer.id, reason });
    } else {
      this.io.to(this.key).emit("peer-left", { room: this.name, id: peer.id, reason });
    }
  }

  #pending() {
    if (!this.#batch) {
      this.#batch = { joined: new Map(), left: [] };
      setTimeout(() => this.#flush(), BATCH_INTERVAL).unref();
    }
    return this.#batch;
  }

  #flush() {
    const { joined, left } = this.#batch;
    this.#batch = null;
    this.io.to(this.key).emit("presence", {
      room: this.name, count: this.peers.size, joined: [...joined.values()], left, away: [], back: [], states: [],
    });
  }
}
