import { confirm } from "./notices.js";
import { viewOf } from "./view.js";

const byId = (id) => document.getElementById(id);

/** The list of who is here, with what a host may do to them. */
export class People {
  #locked = false;

  /** @param {(action: string, peer?: string, value?: object) => Promise<void>} moderate */
  constructor(moderate) {
    this.moderate = moderate;
    byId("lock-room").addEventListener("click", () => moderate(this.#locked ? "unlock-room" : "lock-room"));
    byId("close-room").addEventListener("click", async () => {
      if (await confirm("End the call for everybody?", "End the call")) await moderate("close-room");
    });
  }

  /** Shows the room as it is now. @param {import("../signaling.js").Room} room */
  show({ self, peers, locked }) {
    const host = self.role === "host";
    const everybody = [self, ...[...peers.values()].sort((a, b) => a.order - b.order)];
    const focused = document.activeElement?.dataset.key;
    byId("people-list").replaceChildren(...everybody.map((peer) => this.#row(peer, self, host)));
    // The list is made anew with each change: whoever works in it by keyboard keeps their place, or is near it.
    const again = focused && byId("people-list").querySelector(`[data-key="${CSS.escape(focused)}"]:enabled`);
    if (focused) (again ?? byId("panel-title")).focus();
    byId("people-count").textContent = everybody.length;
    byId("host-tools").hidden = !host;
    this.#locked = locked;
    byId("lock-room").textContent = locked ? "Unlock the room" : "Lock the room";
    byId("locked").hidden = !locked;
  }

  #row(peer, self, host) {
    const view = viewOf(peer);
    const row = document.createElement("li");
    const who = document.createElement("p");
    const name = document.createElement("b");
    name.textContent = peer === self ? `${view.name} (you)` : view.name;
    const facts = document.createElement("span");
    facts.textContent = describe(view);
    who.append(name, facts);
    row.append(who);
    if (host && peer !== self) row.append(this.#tools(peer, view));
    return row;
  }

  #tools(peer, view) {
    const tools = document.createElement("div");
    tools.className = "tools";
    const add = (label, action, disabled = false) => {
      const button = document.createElement("button");
      Object.assign(button, { type: "button", textContent: label, disabled, onclick: action });
      button.setAttribute("aria-label", `${label} ${view.name}`);
      button.dataset.key = `${peer.id} ${label}`;
      tools.append(button);
    };
    add("Mute", () => this.moderate("mute", peer.id, { audio: true }), !view.audio);
    add("Stop camera", () => this.moderate("mute", peer.id, { video: true }), !view.video);
    if (!view.host) add("Make host", () => this.moderate("promote", peer.id));
    add("Remove", async () => {
      if (await confirm(`Remove ${view.name} from the call?`, "Remove")) await this.moderate("kick", peer.id);
    });
    return tools;
  }
}

function describe({ host, audio, video, screen, away }) {
  const facts = [host && "host", away && "reconnecting", !audio && "muted", !video && "camera off", screen && "sharing"];
  return facts.filter(Boolean).join(", ");
}
