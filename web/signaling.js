/**
 * A client of the `webrtc` gateway: it joins a room over a Socket.IO socket, keeps an RTCPeerConnection to each
 * peer, and mends what a lost connection breaks. Every peer sends to every other (a mesh): good for a handful.
 *
 *     const room = new Room(io(), "lobby", { state: { name: "Ada" } });
 *     room.addEventListener("streams", ({ detail: { peer } }) => show(peer.id, [...peer.streams]));
 *     for (const track of camera.getTracks()) room.addTrack(track, camera);
 *     await room.join();
 *
 * @typedef {{id: string, user?: {id: string, name?: string}, role: "host"|"member", state: object, away?: boolean,
 *   joinedAt: number, order: number}} PeerInfo what the server tells of a peer; times are Unix ms
 * @typedef {{name: string, owner: string|null, expires: number|null}} Lock owner is a peer's id
 */
import { admit } from "./signaling/admission.js";
import { farewells } from "./signaling/farewell.js";
import { Peer } from "./signaling/peer.js";
import { PASSING, PAUSE, request } from "./signaling/request.js";
import { Sender } from "./signaling/sender.js";

export { admit } from "./signaling/admission.js";
export { request, SignalingError } from "./signaling/request.js";

/** How long before their expiry ICE servers are renewed, in ms; at half time if they live less than twice that. */
const RENEW_AHEAD = 60_000;

/**
 * A room, seen by one of its peers. Its events, and the `detail` of each: `joined` {resumed}, `left` {reason, error?},
 * `offline` when the connection is lost, `expiring` {expires, error?} when the token ends then and nobody renews it,
 * `peer` {peer} when one is new or has changed, `gone` {peer, reason}, `streams` {peer}, `connection` {peer, state},
 * `channel` {peer} when its data channel is open, `data` {peer, data}, `error` {error, peer?}; and `message`,
 * `metadata`, `lock`, `moderation` as the server sends them.
 *
 * After `offline` comes `joined` or `left`, unless the page itself disconnects. The reason of `left` is that of
 * `peer-left`; or the code of the error, such as `token-expired`, `disconnected` by the server, or `refused` at the next
 * connection: then `join` may be called again once the socket is connected, which takes `socket.connect()`.
 */
export class Room extends Sender {
  /** @type {PeerInfo|null} the own peer; null outside the room */
  self = null;
  /** @type {Map<string, Lock>} */
  locks = new Map();
  locked = false;
  metadata = {};
  revision = 0;
  #entered = false;
  #token;
  #renewal = 0;
  #retry = 0;
  #listening;
  #admission;
  #farewell = (say) => this.#leave(say);
  #news = {
    expiring: (detail) => this.#entered && this.tell("expiring", detail),
    ended: (error) => this.self && this.#end(error.code, error), // a first join hears of it from its own request
  };

  /**
   * @param {import("socket.io-client").Socket} socket may still be connecting
   * @param {string} name
   * @param {{state?: object, rtc?: RTCConfiguration, renew?: () => Promise<string>}} [options] the first state, what to
   *   configure besides the server's ICE servers, and what resolves with a fresh token of the same user: it renews the
   *   one that expires, and replaces one that the server has refused, for all rooms of the socket and, as `auth.token`
   *   unless `auth` is a function, for its later connections
   */
  constructor(socket, name, { state = {}, rtc = {}, renew } = {}) {
    super();
    Object.assign(this, { socket, name, state, rtc });
    this.#admission = admit(socket, renew);
  }

  /** Enters the room. Rejects with a SignalingError, such as `room-full`; it may be tried again then. */
  async join() {
    if (this.self) return;
    this.#listen();
    try {
      await this.#enter();
    } catch (error) {
      // The answer may be late, not lost: without this, a peer would stay that nobody is behind.
      if (error.code === "timeout") this.socket.emit("leave", { room: this.name });
      this.#end(error.code, error);
      throw error;
    }
  }

  /** Leaves at once, so that the place is free. */
  leave() {
    this.#leave((socket, event, payload) => socket.emit(event, payload));
  }

  #leave(say) {
    if (this.#entered) say(this.socket, "leave", { room: this.name });
    this.#end("left");
  }

  /** Replaces the own state, which the others see. While offline it is kept and told with the resume. */
  async setState(state) {
    this.state = state;
    if (this.#entered) await this.#ask("state", { state });
  }

  /** Sends data to the room, or to one peer, by way of the server. Resolves with the number of peers reached. */
  send = async (data, to) => (await this.#ask("message", { data, to })).delivered;
  /** Reads the room's metadata or changes it: `{set, remove, revision}`. */
  changeMetadata = (change = {}) => this.#ask("metadata", change, (answer) => this.#noteMetadata(answer));
  /** Takes a lock, or renews it, for ttl ms. Rejects with `lock-held`. */
  lock = (name, ttl) => this.#ask("lock", { name, ttl }, (answer) => this.#noteLock(answer.lock));
  unlock = (name) => this.#ask("unlock", { name }, () => this.#noteLock({ name, owner: null }));
  /** For hosts: `kick`, `mute` ({audio?, video?}), `promote`, `lock-room`, `unlock-room`, `close-room`. */
  moderate = (action, peer, value) => this.#ask("moderate", { action, peer, value });

  /** Relays to a peer. What is lost here is made again by Peer, so failures are no news, save for faults. */
  relay(event, payload) {
    const expected = ["offline", "timeout", "peer-unavailable", "not-in-room"];
    const report = (error) => {
      if (!expected.includes(error.code)) return this.tell("error", { error });
      // In large rooms nobody tells of a peer that came and went within one batch, but its offer may have come.
      const stranger = this.peers.get(payload.to)?.order === undefined;
      if (error.code === "peer-unavailable" && stranger) this.#drop(payload.to, "left");
    };
    if (this.#entered) this.#ask(event, payload).catch(report);
  }

  #ask(event, payload, apply) {
    return request(this.socket, event, { room: this.name, ...payload }, apply);
  }

  #enter() {
    return this.#ask("join", { state: this.state, resume: this.#token ?? undefined }, (snapshot) => this.#apply(snapshot));
  }

  /** After a reconnection: the token gives the same peer back, if the grace time is not over. */
  async #reenter() {
    clearTimeout(this.#retry);
    try {
      await this.#enter();
    } catch (error) {
      if (error.code === "offline" || !this.#listening) return; // the next connection tries again, or nobody waits
      if (!PASSING.includes(error.code)) return this.#end(error.code, error);
      this.#retry = setTimeout(() => this.#reenter(), PAUSE); // media goes on meanwhile
    }
  }

  /** Takes over the server's snapshot. Later events continue it. */
  #apply(snapshot) {
    if (!this.#listening) return this.socket.emit("leave", { room: this.name }); // left before the answer came
    const { self, peers, cursor, resume, resumed, locked, metadata, revision } = snapshot;
    // As another peer than before: the others have closed their connections to the former one.
    if (self.id !== this.self?.id) for (const id of [...this.peers.keys()]) this.#drop(id, "left");
    const former = [...this.peers.values()];
    Object.assign(this, { self, locked, metadata, revision });
    this.locks = new Map(snapshot.locks.map((lock) => [lock.name, lock]));
    this.#token = resume;
    this.#entered = true;
    this.#useIceServers(snapshot);
    for (const peer of peers) this.#add(peer, peer.polite);
    const missing = new Set(former.map(({ id }) => id)); // those who have left meanwhile, once all are listed
    for (const { id } of peers) missing.delete(id);
    if (cursor) this.#addMore(cursor, missing);
    else for (const id of missing) this.#drop(id, "left");
    for (const { id } of former) this.peers.get(id)?.recover();
    this.tell("joined", { resumed });
    const { expiring } = this.#admission;
    if (expiring) this.tell("expiring", expiring);
  }

  async #addMore(cursor, missing) {
    const add = (page) => {
      if (!this.self) return; // left before the answer came
      for (const peer of page.peers) {
        this.#add(peer, peer.polite);
        missing.delete(peer.id);
      }
      // Here, since a peer that a later event presents again must not be taken for one of them.
      if (!page.cursor) for (const id of missing) this.#drop(id, "left");
    };
    try {
      while (cursor) ({ cursor } = await this.#ask("peers", { cursor }, add));
    } catch (error) {
      this.tell("error", { error });
    }
  }

  #listen() {
    if (this.#listening) return;
    const own = (handle) => (event) => event?.room === this.name && handle(event);
    const events = Object.entries(this.#handlers()).map(([name, handle]) => [this.socket, name, own(handle)]);
    const offline = () => {
      clearTimeout(this.#retry);
      this.#entered = false;
      this.tell("offline");
    };
    events.push([this.socket, "connect", () => this.self && this.#reenter()], [this.socket, "disconnect", offline]);
    // Without it a reloaded page would hold its former place until the grace time is over.
    farewells.add(this.#farewell);
    this.#admission.rooms.add(this.#news);
    for (const [target, name, listener] of events) target.addEventListener(name, listener);
    this.#listening = events;
  }

  #handlers() {
    const away = (id) => this.#change(id, { away: true });
    const back = (id) => this.#change(id, { away: false }) && this.peers.get(id)?.recover();
    const state = ({ id, state }) => this.#change(id, { state });
    const left = ({ id, reason }) => this.#drop(id, reason);
    // In large rooms an offer can come before the batch that presents its sender: a newcomer, so polite itself.
    const relayed = (event) => (this.peers.get(event.from) ?? this.#add({ id: event.from }, false)).receive(event);
    return {
      "peer-joined": ({ peer, polite }) => this.#add(peer, polite),
      "peer-left": left,
      "peer-away": ({ id }) => away(id),
      "peer-back": ({ id }) => back(id),
      "peer-state": state,
      presence: (batch) => {
        for (const peer of batch.joined) this.#add(peer, false);
        batch.states.forEach(state);
        batch.away.forEach(away);
        batch.back.forEach(back);
        batch.left.forEach(left);
      },
      offer: relayed,
      answer: relayed,
      candidate: relayed,
      message: (event) => this.tell("message", event),
      metadata: (event) => this.#noteMetadata(event),
      lock: (event) => this.#noteLock(event),
      moderation: (event) => this.#moderated(event),
    };
  }

  #add(info, polite) {
    if (info.id !== this.self.id && !this.peers.has(info.id)) this.peers.set(info.id, new Peer(this, info, polite));
    return this.#change(info.id, { away: false, ...info });
  }

  #change(id, news) {
    const peer = id === this.self.id ? this.self : this.peers.get(id);
    if (peer) this.tell("peer", { peer: Object.assign(peer, news) });
    return peer;
  }

  #drop(id, reason) {
    if (id === this.self?.id) return this.#end(reason); // kicked, or replaced by a newer socket of this user
    const peer = this.peers.get(id);
    peer?.close();
    if (this.peers.delete(id)) this.tell("gone", { peer, reason });
  }

  #moderated(event) {
    const { action, peer } = event;
    if (action === "promote") this.#change(peer, { role: "host" });
    if (action === "lock-room" || action === "unlock-room") this.locked = action === "lock-room";
    this.tell("moderation", event);
    if (action === "kick") this.#drop(peer, "kicked");
    if (action === "close-room") this.#end("closed");
  }

  #noteMetadata({ metadata = this.metadata, set = {}, remove = [], revision, by }) {
    this.metadata = { ...metadata, ...set };
    for (const key of remove) delete this.metadata[key];
    this.revision = revision;
    this.tell("metadata", { set, remove, revision, by });
  }

  #noteLock({ name, owner, expires = null }) {
    if (owner) this.locks.set(name, { name, owner, expires });
    else this.locks.delete(name);
    this.tell("lock", { name, owner, expires });
  }

  /** New credentials serve the next ICE restart; they replace the old ones before those expire. */
  #useIceServers({ iceServers, iceExpires }) {
    this.rtc = { ...this.rtc, iceServers };
    for (const { pc } of this.peers.values()) pc.setConfiguration(this.rtc);
    clearTimeout(this.#renewal);
    if (!iceExpires) return;
    const left = iceExpires - Date.now();
    const renew = () => this.#entered && this.#ask("ice-servers").then((news) => this.#useIceServers(news), failed);
    const failed = (error) => {
      this.tell("error", { error });
      this.#useIceServers({ iceServers, iceExpires });
    };
    // At least a second, for clocks that disagree; at most what a timer can hold.
    const wait = Math.max(1_000, left / 2, left - RENEW_AHEAD);
    this.#renewal = setTimeout(renew, Math.min(wait, 2 ** 31 - 1));
  }

  #end(reason, error) {
    const inside = this.self;
    for (const [target, name, listener] of this.#listening ?? []) target.removeEventListener(name, listener);
    clearTimeout(this.#renewal);
    clearTimeout(this.#retry);
    this.#admission.rooms.delete(this.#news);
    farewells.delete(this.#farewell);
    for (const peer of this.peers.values()) peer.close();
    this.peers.clear();
    this.#listening = this.#token = this.self = null;
    this.#entered = false;
    if (inside) this.tell("left", { reason, error });
  }
}
