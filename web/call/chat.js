const byId = (id) => document.getElementById(id);
/** How many messages are kept on the page, and how many characters of each. */
const KEPT = 500;
const LENGTH = 2_000;

/** The chat: text between all peers by way of the server, which keeps none of it. */
export class Chat {
  #unread = 0;
  #seen = () => true;

  /**
   * @param {(text: string) => Promise<void>} send rejects when the text was not sent
   * @param {() => boolean} visible whether the chat can be seen
   */
  constructor(send, visible) {
    this.#seen = visible;
    byId("chat-form").addEventListener("submit", async (event) => {
      event.preventDefault();
      const text = byId("chat-text").value.trim();
      if (text && (await send(text))) {
        this.add("You", text, true);
        byId("chat-text").value = "";
      }
    });
  }

  /** Shows a message. Data that is not a message of this page is ignored. */
  add(name, text, own = false) {
    if (typeof text !== "string" || !text) return;
    const item = document.createElement("li");
    item.classList.toggle("own", own);
    const who = document.createElement("b");
    who.textContent = name;
    const time = document.createElement("time");
    time.textContent = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    const words = document.createElement("p");
    words.textContent = text.slice(0, LENGTH);
    item.append(who, time, words);
    const log = byId("chat-log");
    log.append(item);
    if (log.childElementCount > KEPT) log.firstElementChild.remove();
    item.scrollIntoView({ block: "nearest" });
    if (!own && !this.#seen()) this.#count(this.#unread + 1);
  }

  read() {
    this.#count(0);
    byId("chat-log").lastElementChild?.scrollIntoView({ block: "nearest" });
  }

  clear() {
    byId("chat-log").replaceChildren();
    this.#count(0);
  }

  #count(unread) {
    this.#unread = unread;
    byId("unread").textContent = unread || "";
    byId("unread").setAttribute("aria-label", `${unread} unread`);
    byId("unread").hidden = !unread;
  }
}
