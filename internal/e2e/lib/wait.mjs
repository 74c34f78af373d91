// Waiting for events. No test sleeps: each wait ends with the event it waits for,
// or fails after a deadline generous enough for a busy machine.
import { setTimeout as pause } from "node:timers/promises";

export const PATIENCE = 15_000;

/** Settles as promise does, or rejects after ms with a sentence that names what was awaited. */
export function within(promise, what, ms = PATIENCE) {
  let timer;
  const late = new Promise((_, reject) => {
    const error = new Error(`waited ${ms} ms in vain for ${what}`);
    // What lost a race must not keep the process alive.
    timer = setTimeout(() => reject(error), ms).unref();
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** The first argument of the next event of that name for which when(…) holds. */
export function once(emitter, name, { when = () => true, ms = PATIENCE } = {}) {
  let listener;
  const happened = new Promise((resolve) => {
    listener = (...args) => when(...args) && resolve(args.length > 1 ? args : args[0]);
    emitter.on(name, listener);
  });
  return within(happened, `event "${name}"`, ms).finally(() => emitter.off(name, listener));
}

/**
 * Asks until probe() returns something truthy. For state that nobody announces,
 * such as the answers of an admin API; everything else waits for its event.
 */
export async function eventually(probe, what, ms = PATIENCE) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (Date.now() > end) throw new Error(`${what} did not come about within ${ms} ms`);
    await pause(20);
  }
}

/** A queue between events and a test that takes them in order. */
export class Inbox {
  #items = [];
  #takers = [];
  #end;

  push(item) {
    const taker = this.#takers.shift();
    if (taker) taker.resolve(item);
    else this.#items.push(item);
  }

  /** Ends the inbox: those who wait for more get the error. */
  end(error) {
    this.#end = error;
    for (const taker of this.#takers.splice(0)) taker.reject(error);
  }

  /** Resolves with the next item. */
  take(what = "a message", ms = PATIENCE) {
    if (this.#items.length) return Promise.resolve(this.#items.shift());
    if (this.#end) return Promise.reject(this.#end);
    return within(new Promise((resolve, reject) => this.#takers.push({ resolve, reject })), what, ms);
  }

  /** Resolves with the next n items. */
  async takeAll(n, what) {
    const items = [];
    while (items.length < n) items.push(await this.take(what ?? `message ${items.length + 1} of ${n}`));
    return items;
  }

  /** What has arrived and was not taken. */
  get waiting() {
    return [...this.#items];
  }
}
