/**
 * How long an offer may go without an answer, in ms, before another one is made; and how long the older of
 * two peers waits for the offer of the newcomer.
 */
const PATIENCE = 8_000;

/**
 * Another peer of the room and the RTCPeerConnection to it, kept alive by perfect negotiation: either side may
 * offer at any time, and when both do at once, the polite one takes its offer back. Made by Room. It has the
 * fields that the server tells of a peer (`id`, `user`, `role`, `state`, `away`, `joinedAt`, `order`).
 */
export class Peer {
  /** @type {Set<MediaStream>} what the peer sends now */
  streams = new Set();
  #room;
  #steps = Promise.resolve();
  #ignoring = false;
  #early = [];
  #timer = 0;

  /**
   * @param {import("../signaling.js").Room} room
   * @param {import("../signaling.js").PeerInfo} info
   * @param {boolean} polite as the server says it; it gives the two sides opposite roles
   */
  constructor(room, info, polite) {
    this.#room = room;
    Object.assign(this, info, { polite });
    const pc = (this.pc = new RTCPeerConnection(room.rtc));
    /** Made alike on both sides, so nobody waits for it; and it gives each pair something to negotiate. */
    this.channel = pc.createDataChannel("data", { negotiated: true, id: 0 });
    this.channel.onopen = () => room.tell("channel", { peer: this });
    this.channel.onmessage = ({ data }) => room.tell("data", { peer: this, data });
    pc.onnegotiationneeded = () => this.#run(() => this.#negotiate());
    pc.onicecandidate = ({ candidate }) => room.relay("candidate", { to: this.id, candidate });
    pc.ontrack = ({ streams }) => streams.forEach((stream) => this.#show(stream));
    pc.onconnectionstatechange = () => {
      if (pc.connectionState === "failed") this.recover();
      room.tell("connection", { peer: this, state: pc.connectionState });
    };
    for (const [track, stream] of room.tracks) pc.addTrack(track, stream);
    this.#watch();
  }

  /** Handles what the peer has sent. Calls are handled in their order. */
  receive({ description, candidate }) {
    this.#run(() => (description ? this.#describe(description) : this.#addCandidate(candidate)));
  }

  /** Negotiates afresh after a gap in signaling or a failed path, unless nothing can have been lost. */
  recover() {
    if (this.pc.connectionState !== "connected" || this.pc.signalingState !== "stable") this.restart();
  }

  /** Looks for a new network path (an ICE restart). Media goes on over the old one meanwhile. */
  restart() {
    this.pc.restartIce();
    this.#run(() => this.#offer());
  }

  /** Ends the connection. Room does this when the peer leaves. */
  close() {
    clearTimeout(this.#timer);
    this.pc.close();
  }

  // One step at a time: a candidate cannot overtake the description before it, and no offer is half made when
  // another one arrives, so perfect negotiation needs no flag for that.
  #run(step) {
    const open = () => this.pc.signalingState !== "closed";
    this.#steps = this.#steps
      .then(() => open() && step())
      .catch((error) => open() && this.#room.tell("error", { error, peer: this }));
  }

  async #negotiate() {
    // The newcomer, who is polite, calls and the others answer. Otherwise each join would begin with a glare.
    if (!this.polite && !this.pc.remoteDescription) return;
    // Otherwise the browser asks again once it is stable, if there is still something to negotiate.
    if (this.pc.signalingState === "stable") await this.#offer();
  }

  /** Makes an offer; or an answer, in the state in which one is due. */
  async #offer() {
    await this.pc.setLocalDescription();
    const description = this.pc.localDescription;
    this.#room.relay(description.type, { to: this.id, description });
    this.#watch();
  }

  async #describe(description) {
    const { pc } = this;
    const stable = pc.signalingState === "stable";
    this.#ignoring = description.type === "offer" && !stable && !this.polite;
    if (this.#ignoring) return;
    // No offer is open: its answer came late, and the next offer had been made. The two sides may have
    // different answers in mind, so both start again.
    if (description.type === "answer" && stable) return this.restart();
    await pc.setRemoteDescription(description); // in a glare this takes the own offer back
    for (const candidate of this.#early.splice(0)) await this.#addCandidate(candidate);
    if (description.type === "offer") await this.#offer();
  }

  async #addCandidate(candidate) {
    if (this.#ignoring) return; // it belongs to the offer that was ignored
    const { remoteDescription } = this.pc;
    if (!remoteDescription) return void this.#early.push(candidate);
    // A candidate of an offer that has been taken back since is no error, but of no use either.
    const fragment = candidate?.usernameFragment;
    if (!fragment || remoteDescription.sdp.includes(`ice-ufrag:${fragment}`)) await this.pc.addIceCandidate(candidate);
  }

  // Signaling loses what was on its way when a connection broke. Nobody is told, so an offer is repeated.
  #watch() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const waiting = !this.pc.remoteDescription || this.pc.signalingState !== "stable";
      if (waiting && !this.away) this.#run(() => this.#offer());
    }, PATIENCE);
  }

  #show(stream) {
    this.streams.add(stream);
    stream.onremovetrack = () => {
      if (!stream.getTracks().length) this.streams.delete(stream);
      this.#room.tell("streams", { peer: this });
    };
    this.#room.tell("streams", { peer: this });
  }
}
