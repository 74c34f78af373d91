/** Enough for a tile, and little enough to encode it once per peer, as a mesh must. */
const VIDEO = { width: { ideal: 640 }, height: { ideal: 360 }, frameRate: { ideal: 24 } };

/**
 * The own camera, microphone and screen. Events with a `detail`: `added` and `removed` {track, stream}, `replaced`
 * {old, track}, `change` after each of them, and `lost` {kind} when a device has gone.
 */
export class LocalMedia extends EventTarget {
  /** Camera and microphone. Others know it by its id, so it stays the same when its tracks change. */
  stream = new MediaStream();
  /** @type {MediaStream|null} */
  screen = null;
  /** The chosen devices by kind; undefined is the browser's choice. */
  #chosen = { audio: undefined, video: undefined };

  /** Whether others can hear, or see, this side. */
  get audio() {
    return Boolean(this.#track("audio")?.enabled);
  }

  get video() {
    return Boolean(this.#track("video"));
  }

  /** Asks for camera and microphone in one question, or takes what there is. Rejects when there is neither. */
  async start() {
    const kinds = ["audio", "video"];
    try {
      for (const track of await open({ audio: true, video: VIDEO })) this.#add(track, this.stream);
    } catch (error) {
      if (error.name === "NotAllowedError") throw error;
      const found = await Promise.allSettled(kinds.map((kind) => this.#open(kind)));
      if (found.every(({ status }) => status === "rejected")) throw error;
    }
  }

  /** Muting keeps the device open, so that speaking again is immediate. */
  async setAudio(on) {
    const track = this.#track("audio");
    if (track) track.enabled = on;
    else if (on) await this.#open("audio");
    this.#tell("change");
  }

  /** The camera is closed when off, so that its light is off as well. */
  async setVideo(on) {
    const track = this.#track("video");
    if (on && !track) await this.#open("video");
    if (!on && track) this.#remove(track, this.stream);
  }

  /** Changes to another device of a kind. */
  async choose(kind, deviceId) {
    this.#chosen[kind] = deviceId;
    const old = this.#track(kind);
    if (!old) return;
    old.stop(); // some phones cannot have two cameras open
    let track;
    try {
      [track] = await open(this.#wanted(kind));
    } catch (error) {
      this.#remove(old, this.stream); // it is stopped already, so nobody may be told that it is on
      throw error;
    }
    track.enabled = old.enabled;
    this.stream.removeTrack(old);
    this.stream.addTrack(track);
    this.#guard(track, this.stream);
    this.#tell("replaced", { old, track });
    this.#tell("change");
  }

  async shareScreen() {
    const screen = await navigator.mediaDevices.getDisplayMedia({ video: true });
    this.screen = screen;
    for (const track of screen.getTracks()) this.#add(track, screen);
  }

  stopScreen() {
    const { screen } = this;
    this.screen = null;
    for (const track of screen?.getTracks() ?? []) this.#remove(track, screen);
  }

  /** Closes all devices. */
  stop() {
    this.stopScreen();
    for (const track of this.stream.getTracks()) this.#remove(track, this.stream);
  }

  #track(kind) {
    return this.stream.getTracks().find((track) => track.kind === kind);
  }

  #wanted(kind) {
    const deviceId = this.#chosen[kind] && { exact: this.#chosen[kind] };
    return { [kind]: { ...(kind === "video" && VIDEO), deviceId } };
  }

  async #open(kind) {
    const [track] = await open(this.#wanted(kind));
    this.#add(track, this.stream);
  }

  #add(track, stream) {
    if (stream === this.stream) stream.addTrack(track);
    this.#guard(track, stream);
    this.#tell("added", { track, stream });
    this.#tell("change");
  }

  #remove(track, stream) {
    track.onended = null;
    track.stop();
    stream.removeTrack(track);
    this.#tell("removed", { track, stream });
    this.#tell("change");
  }

  // A track ends by itself when its device is unplugged, or by the browser's own "stop sharing".
  #guard(track, stream) {
    track.onended = () => {
      if (stream === this.screen) return this.stopScreen();
      this.#remove(track, stream);
      this.#tell("lost", { kind: track.kind });
    };
  }

  #tell(type, detail = {}) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

async function open(wanted) {
  // Browsers hide the devices from pages that did not come over https or from localhost.
  if (!navigator.mediaDevices) throw new DOMException("the page was not loaded over https", "InsecureContextError");
  return (await navigator.mediaDevices.getUserMedia(wanted)).getTracks();
}
