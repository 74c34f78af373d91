import { hue, initials } from "./view.js";

const byId = (id) => document.getElementById(id);

/** One picture: a camera, or a shared screen. */
class Tile {
  constructor(id, { screen = false, self = false } = {}) {
    this.element = byId("tile-template").content.firstElementChild.cloneNode(true);
    const part = (selector) => this.element.querySelector(selector);
    this.video = part("video");
    this.avatar = part(".avatar");
    this.note = part(".tile-note");
    this.name = part(".tile-name");
    this.muted = part(".tile-muted");
    this.quality = part(".quality");
    this.element.dataset.peer = id;
    this.element.classList.toggle("screen", screen);
    this.element.classList.toggle("self", self);
    this.element.style.setProperty("--hue", hue(id));
    this.video.muted = self; // nobody wants to hear their own voice
  }

  /** @param {{name: string, label?: string, picture: boolean, muted: boolean, note?: string}} what */
  show({ name, label = name, picture, muted, note = "" }) {
    this.element.classList.toggle("without-picture", !picture);
    this.avatar.textContent = initials(name);
    this.name.textContent = label;
    this.muted.toggleAttribute("hidden", !muted);
    this.note.textContent = note;
    this.note.hidden = !note;
  }

  play(stream) {
    if (this.video.srcObject !== stream) this.video.srcObject = stream ?? null;
  }
}

/** All tiles. A peer has one for its camera and, while it shares its screen, a second one. */
export class Tiles {
  #cameras = new Map();
  #screens = new Map();

  constructor() {
    // The best number of columns depends on the room there is, which changes with the phone's direction,
    // the panel and the keyboard.
    this.observer = new ResizeObserver((entries) => entries.forEach(({ target }) => arrange(target)));
    for (const list of [byId("tiles"), byId("featured")]) this.observer.observe(list);
  }

  /**
   * @param {string} id of the peer
   * @param {ReturnType<import("./view.js").viewOf>} view
   * @param {MediaStream[]} streams what it sends
   * @param {boolean} self whether it is this side
   */
  show(id, view, streams, self = false) {
    const label = self ? "You" : view.name;
    const camera = this.#tile(this.#cameras, id, "tiles", { self });
    const note = view.away ? "Reconnecting…" : "";
    camera.show({ name: view.name, label, picture: view.video, muted: !view.audio, note });
    camera.play(streams.find((stream) => stream.id !== view.screen));

    const screen = streams.find((stream) => stream.id === view.screen);
    if (!screen) return this.#removeFrom(this.#screens, id);
    const tile = this.#tile(this.#screens, id, "featured", { screen: true, self });
    tile.show({ name: self ? "Your screen" : `${view.name}'s screen`, picture: true, muted: false });
    tile.play(screen);
  }

  /** Shows how good the connection to a peer is: level 1 to 3, and the same in words. */
  rate(id, level, words) {
    const quality = this.#cameras.get(id)?.quality;
    if (!quality) return;
    quality.hidden = false;
    quality.dataset.level = level;
    quality.setAttribute("aria-label", words);
    quality.title = words;
  }

  remove(id) {
    this.#removeFrom(this.#cameras, id);
    this.#removeFrom(this.#screens, id);
  }

  clear() {
    for (const id of [...this.#cameras.keys()]) this.remove(id);
  }

  #tile(tiles, id, list, options) {
    if (!tiles.has(id)) {
      tiles.set(id, new Tile(id, options));
      byId(list).append(tiles.get(id).element);
      this.#changed();
    }
    return tiles.get(id);
  }

  #removeFrom(tiles, id) {
    const tile = tiles.get(id);
    if (!tile) return;
    tile.play(null);
    tile.element.remove();
    tiles.delete(id);
    this.#changed();
  }

  #changed() {
    byId("featured").hidden = !this.#screens.size;
    arrange(byId("tiles"));
    arrange(byId("featured"));
  }
}

/** Width by height of a picture: between those of webcams and of phones that are held upright. */
const SHAPE = 4 / 3;

/** Sets the number of columns that shows the largest pictures with the least cut off. */
function arrange(list) {
  const count = list.childElementCount;
  const width = (columns) => Math.min(list.clientWidth / columns, (SHAPE * list.clientHeight) / Math.ceil(count / columns));
  let best = 1;
  for (let columns = 2; columns <= count; columns++) if (width(columns) > width(best)) best = columns;
  list.style.setProperty("--columns", best);
  list.style.setProperty("--rows", Math.max(1, Math.ceil(count / best)));
}
