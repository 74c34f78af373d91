import { Room } from "../signaling.js";
import { notify, setBanner } from "./notices.js";
import { watchQuality } from "./quality.js";
import { explain } from "./texts.js";
import { viewOf } from "./view.js";

const byId = (id) => document.getElementById(id);

/** One call: binds a room and the own media to what is on the screen, until it ends. */
export class Call {
  /**
   * @param {object} parts
   * @param {import("socket.io-client").Socket} parts.socket
   * @param {import("./media.js").LocalMedia} parts.media
   * @param {import("./tiles.js").Tiles} parts.tiles
   * @param {import("./people.js").People} parts.people
   * @param {import("./chat.js").Chat} parts.chat
   * @param {{name: string, room: string}} choice
   */
  constructor({ socket, media, tiles, people, chat }, { name, room }) {
    Object.assign(this, { media, tiles, people, chat, name });
    this.room = new Room(socket, room, { state: this.#state() });
    for (const stream of [media.stream, media.screen]) {
      for (const track of stream?.getTracks() ?? []) this.room.addTrack(track, stream);
    }
    this.ended = new Promise((resolve) => {
      this.room.addEventListener("left", ({ detail }) => resolve(this.#end(detail)));
    });
  }

  /** Enters the room. Rejects with a SignalingError. */
  async start() {
    this.#followRoom();
    try {
      await this.room.join();
    } catch (error) {
      this.tiles.clear();
      throw error;
    }
    this.#followMedia();
    this.stopQuality = watchQuality(this.room.peers, (...rating) => this.tiles.rate(...rating));
  }

  /** What others are told of this side. */
  #state() {
    const { audio, video, screen } = this.media;
    return { name: this.name, audio, video, screen: screen?.id ?? null };
  }

  #followRoom() {
    const on = (type, listener) => this.room.addEventListener(type, ({ detail }) => listener(detail));
    on("joined", ({ resumed }) => {
      setBanner("");
      if (resumed) notify("You are connected again.");
      this.#show();
    });
    on("offline", () => setBanner("Connection lost. Reconnecting…"));
    on("expiring", ({ expires }) => {
      const time = new Date(expires).toLocaleTimeString();
      setBanner(`Your sign-in ends at ${time}, and the call with it. Sign in again in another tab, then join again.`);
    });
    on("peer", ({ peer }) => this.#present(peer));
    on("streams", ({ peer }) => this.#present(peer));
    on("gone", ({ peer, reason }) => {
      this.tiles.remove(peer.id);
      notify(`${viewOf(peer).name} ${reason === "kicked" ? "was removed" : "has left"}.`);
      this.#show();
    });
    on("message", ({ from, data }) => this.#receive(from, data));
    on("moderation", (event) => this.#moderated(event));
    on("error", ({ error }) => console.warn("call:", error));
  }

  #followMedia() {
    const { media, room } = this;
    const listen = (type, listener) => {
      const handle = ({ detail }) => listener(detail);
      media.addEventListener(type, handle);
      this.unfollow.push(() => media.removeEventListener(type, handle));
    };
    listen("added", ({ track, stream }) => room.addTrack(track, stream));
    listen("removed", ({ track }) => room.removeTrack(track));
    listen("replaced", ({ old, track }) => room.replaceTrack(old, track));
    listen("lost", ({ kind }) => notify(`Your ${kind === "audio" ? "microphone" : "camera"} is gone.`));
    listen("change", () => {
      room.setState(this.#state()).catch((error) => notify(explain(error)));
      room.self.state = room.state;
      this.#show();
    });
  }

  unfollow = [];

  #present(peer) {
    const { self } = this.room;
    const known = this.presented.has(peer.id);
    // A newcomer is announced once its name is known: not for those who were here before.
    if (peer !== self && !known && peer.order) {
      this.presented.add(peer.id);
      if (peer.order > self.order) notify(`${viewOf(peer).name} has joined.`);
    }
    this.#show();
  }

  presented = new Set();

  #show() {
    const { room, media, tiles } = this;
    if (!room.self) return;
    tiles.show(room.self.id, viewOf(room.self), [media.stream, media.screen].filter(Boolean), true);
    for (const peer of room.peers.values()) tiles.show(peer.id, viewOf(peer), [...peer.streams]);
    this.people.show(room);
    byId("alone").hidden = room.peers.size > 0 || room.locked;
  }

  #receive(from, data) {
    const peer = this.room.peers.get(from);
    if (peer) this.chat.add(viewOf(peer).name, data?.text);
  }

  /** Obeys a host, and tells of what concerns this side or everybody. */
  #moderated({ action, peer, value }) {
    const own = peer === this.room.self.id;
    if (action === "mute" && own) {
      if (value?.audio) this.media.setAudio(false);
      if (value?.video) this.media.setVideo(false);
      notify(value?.audio ? "The host has muted you." : "The host has stopped your camera.");
    }
    if (action === "promote" && own) notify("You are a host now.");
    if (action === "lock-room") notify("The room is locked: nobody else can join.");
    if (action === "unlock-room") notify("The room is open again.");
    this.#show();
  }

  #end(detail) {
    this.unfollow.splice(0).forEach((remove) => remove());
    this.stopQuality?.();
    this.tiles.clear();
    setBanner("");
    return detail;
  }
}
