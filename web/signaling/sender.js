/** What goes to every peer of a room: tracks, and data beside the server. The base of Room. */
export class Sender extends EventTarget {
  /** @type {Map<string, import("./peer.js").Peer>} the others, by id */
  peers = new Map();
  /** @type {Map<MediaStreamTrack, MediaStream>} what is sent, with the stream by whose id the others know it */
  tracks = new Map();

  /** Dispatches an event of Room. */
  tell(type, detail = {}) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** Sends a track to everybody, now and later. */
  addTrack(track, stream) {
    this.tracks.set(track, stream);
    for (const { pc } of this.peers.values()) pc.addTrack(track, stream);
  }

  removeTrack(track) {
    this.tracks.delete(track);
    this.#senders(track).forEach(({ pc, sender }) => pc.removeTrack(sender));
  }

  /** Puts a track in the place of another of its kind, such as that of another camera, without negotiation. */
  async replaceTrack(old, track) {
    this.tracks.set(track, this.tracks.get(old));
    this.tracks.delete(old);
    await Promise.all(this.#senders(old).map(({ sender }) => sender.replaceTrack(track)));
  }

  /** Sends text or bytes over the data channels that are open. Returns how many. */
  sendDirect(data) {
    const open = [...this.peers.values()].filter(({ channel }) => channel.readyState === "open");
    open.forEach(({ channel }) => channel.send(data));
    return open.length;
  }

  #senders(track) {
    return [...this.peers.values()].flatMap(({ pc }) =>
      pc.getSenders().filter((sender) => sender.track === track).map((sender) => ({ pc, sender })),
    );
  }
}
