import { PASSING, PAUSE, request, SignalingError } from "./request.js";

/** Refusals that a fresh token mends. */
const STALE = ["token-expired", "unauthorized"];

/** @type {WeakMap<object, Admission>} by socket */
const admissions = new WeakMap();

/**
 * Listens to what the server says of a socket's token. Room calls it too; a page whose socket is connected long before
 * it makes a Room calls it at once after `io()`, since the server tells only once that a token is about to end.
 *
 * @param {import("socket.io-client").Socket} socket
 * @param {() => Promise<string>} [renew] resolves with a fresh token of the same user
 * @returns {Admission} the one of the socket
 */
export function admit(socket, renew) {
  const admission = admissions.get(socket) ?? new Admission(socket);
  admissions.set(socket, admission);
  if (renew) admission.renew = renew;
  return admission;
}

/**
 * Keeps a socket admitted: it renews the token of a live one, and while there are rooms sees to it when the server ends
 * the socket or refuses the next one, after which the Socket.IO client does nothing by itself. Made by admit.
 */
export class Admission {
  /**
   * Told of: expiring, nobody renews the token; ended, the socket will not come back by itself.
   *
   * @type {Set<{expiring: (detail: object) => void, ended: (error: SignalingError) => void}>}
   */
  rooms = new Set();
  /** @type {{expires: number, error?: Error}|null} when the token ends, if nobody renews it; Unix ms */
  expiring = null;
  #expired = false; // as the server said before it ended the socket
  #fresh = false; // the token is new, and the server has not accepted it yet

  constructor(socket) {
    this.socket = socket;
    socket.on("connect", () => (this.#expired = this.#fresh = false));
    socket.on("token-expiring", ({ expires }) => this.#extend(expires));
    socket.on("exception", (event) => event?.code === "token-expired" && (this.#expired = true));
    socket.on("disconnect", (reason) => this.#lost(reason));
    // Without an answer of the server the client tries again by itself: then it is active.
    socket.on("connect_error", (error) => socket.active || this.#refused(error.data?.code ?? "refused", error.message));
  }

  async #extend(expires) {
    try {
      if (!this.renew) return this.#warn({ expires });
      await request(this.socket, "renew", { token: await this.#token() });
    } catch (error) {
      if (this.socket.connected) this.#warn({ expires, error });
    }
  }

  #warn(detail) {
    this.expiring = detail;
    for (const room of [...this.rooms]) room.expiring(detail);
  }

  #lost(reason) {
    this.expiring = null;
    if (reason !== "io server disconnect") return;
    if (this.#expired) this.#refused("token-expired", "the token has expired");
    else this.#end(new SignalingError({ code: "disconnected", message: "the server has ended the connection" }));
  }

  async #refused(code, message) {
    const connect = () => this.rooms.size && this.socket.connect();
    if (PASSING.includes(code)) return void setTimeout(connect, PAUSE);
    const refusal = new SignalingError({ code, message });
    if (!this.renew || this.#fresh || !STALE.includes(code) || !this.rooms.size) return this.#end(refusal);
    this.#fresh = true;
    try {
      await this.#token();
      connect();
    } catch (cause) {
      this.#end(Object.assign(refusal, { cause }));
    }
  }

  #end(error) {
    for (const room of [...this.rooms]) room.ended(error);
  }

  // Later connections need it too. A function gives the token of its time by itself.
  async #token() {
    const token = await this.renew();
    const { socket } = this;
    if (typeof socket.auth !== "function") socket.auth = { ...socket.auth, token };
    return token;
  }
}
