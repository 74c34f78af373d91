import { notify, setProblem } from "./notices.js";
import { explain } from "./texts.js";
import { showLevel } from "./level.js";

const byId = (id) => document.getElementById(id);
const KEY = "call.name";

/** The link that leads to a room. The name stays behind the `#`, out of every server's log. */
export function linkTo(room) {
  const url = new URL(location.href);
  url.hash = encodeURIComponent(room);
  return url.href;
}

export async function copyLink(room) {
  try {
    await navigator.clipboard.writeText(linkTo(room));
    notify("The link is copied.");
  } catch {
    notify(`Copy the link from the address bar: ${linkTo(room)}`);
  }
}

/** What comes before the call: who you are, where you go, and how you look. */
export class Lobby {
  /**
   * @param {import("./media.js").LocalMedia} media
   * @param {(choice: {name: string, room: string}) => Promise<void>} join
   */
  constructor(media, join) {
    this.media = media;
    const form = byId("join-form");
    form.elements.name.value = remembered();
    form.elements.room.value = roomOfPage() || randomRoom();
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit(form, join);
    });
    byId("lobby-copy").addEventListener("click", () => copyLink(form.elements.room.value.trim()));
    window.addEventListener("hashchange", () => (form.elements.room.value = roomOfPage()));
    this.#bindDevices();
  }

  /** Shows the lobby, after a call with the reason of its end; then the devices stay off until they are asked for. */
  async open(problem = "") {
    byId("lobby").hidden = false;
    byId("join").textContent = problem ? "Join again" : "Join";
    document.title = "Call";
    setProblem(problem);
    if (problem) byId("lobby-title").focus();
    else await this.#try(() => this.media.start());
    await this.#listDevices();
  }

  close() {
    byId("lobby").hidden = true;
    setProblem("");
  }

  async #submit(form, join) {
    const name = form.elements.name.value.trim();
    const room = form.elements.room.value.trim();
    if (!name || !room) return setProblem("A name and a room are needed.");
    remember(name);
    history.replaceState(null, "", linkTo(room));
    const button = byId("join");
    const { textContent } = button;
    button.disabled = true;
    button.textContent = "Joining…";
    await this.#try(() => join({ name, room }));
    button.disabled = false;
    button.textContent = textContent;
  }

  #bindDevices() {
    const { media } = this;
    byId("preview").srcObject = media.stream;
    byId("lobby-mic").addEventListener("click", () => this.#try(() => media.setAudio(!media.audio)));
    byId("lobby-camera").addEventListener("click", () => this.#try(() => media.setVideo(!media.video)));
    byId("microphone").addEventListener("change", (e) => this.#try(() => media.choose("audio", e.target.value)));
    byId("camera").addEventListener("change", (e) => this.#try(() => media.choose("video", e.target.value)));
    navigator.mediaDevices?.addEventListener("devicechange", () => this.#listDevices());
    media.addEventListener("change", () => this.#show());
    showLevel(byId("level"), media);
    this.#show();
  }

  #show() {
    const { audio, video } = this.media;
    byId("lobby-mic").setAttribute("aria-pressed", audio);
    byId("lobby-camera").setAttribute("aria-pressed", video);
    byId("preview").classList.toggle("off", !video);
    byId("preview-off").hidden = video;
  }

  async #listDevices() {
    const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
    for (const [id, kind] of [["microphone", "audioinput"], ["camera", "videoinput"]]) {
      const options = devices.filter((d) => d.kind === kind && d.deviceId);
      const current = byId(id).value;
      byId(id).replaceChildren(...options.map((d, i) => new Option(d.label || `${id} ${i + 1}`, d.deviceId)));
      if (!options.length) byId(id).add(new Option("None found"));
      byId(id).disabled = !options.length;
      if (options.some((d) => d.deviceId === current)) byId(id).value = current;
    }
  }

  async #try(step) {
    try {
      await step();
    } catch (error) {
      setProblem(explain(error));
    }
  }
}

// A link that was written by hand may have a "%" that encodes nothing: then it is the name as it stands.
function roomOfPage() {
  const name = location.hash.slice(1);
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

// A room is as private as its name is hard to guess.
function randomRoom() {
  const letters = "abcdefghjkmnpqrstuvwxyz23456789";
  const pick = (byte) => letters[byte % letters.length];
  const [a, b, c] = [0, 1, 2].map(() => [...crypto.getRandomValues(new Uint8Array(4))].map(pick).join(""));
  return `${a}-${b}-${c}`;
}

// Private windows may refuse storage: then the name is asked for again.
function remembered() {
  try {
    return localStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

function remember(name) {
  try {
    localStorage.setItem(KEY, name);
  } catch (error) {
    console.info("the name is not remembered:", error.message);
  }
}
