const byId = (id) => document.getElementById(id);
const TITLES = { chat: "Chat", people: "People" };

/** The side panel, which shows the chat or the people, or is closed. */
export class Panel {
  /** "chat", "people" or "" when closed. */
  open = "";

  /** @param {(open: string) => void} changed */
  constructor(changed) {
    this.changed = changed;
    for (const name of Object.keys(TITLES)) byId(`${name}-open`).addEventListener("click", () => this.toggle(name));
    byId("panel-close").addEventListener("click", () => this.close());
    byId("panel").addEventListener("keydown", (event) => event.key === "Escape" && this.close());
  }

  toggle(name) {
    if (this.open === name) return this.close();
    this.#set(name);
    byId(name === "chat" ? "chat-text" : "panel-title").focus();
  }

  /** Closes the panel and returns to the button that opened it. */
  close() {
    const from = this.open;
    this.#set("");
    if (from) byId(`${from}-open`).focus();
  }

  #set(name) {
    this.open = name;
    byId("panel").hidden = !name;
    byId("panel-title").textContent = TITLES[name] ?? "";
    for (const each of Object.keys(TITLES)) {
      byId(each).hidden = each !== name;
      byId(`${each}-open`).setAttribute("aria-expanded", each === name);
    }
    this.changed(name);
  }
}
