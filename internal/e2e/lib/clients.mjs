// Stock clients: the npm packages as people use them.
import { io as v4 } from "socket.io-client";
import { io as v3 } from "socket.io-client-v3";
import v2 from "socket.io-client-v2";
import { once, within } from "./wait.mjs";

const VERSIONS = { v4, v3, v2 };

/** The ways a client may connect, as values of its option `transports`. */
export const TRANSPORTS = {
  polling: ["polling"],
  websocket: ["websocket"],
  upgrade: ["polling", "websocket"],
};

const open = new Set();

/**
 * A client of the version for a namespace, which connects at once. Each has a
 * connection of its own and does not reconnect, unless the options say so.
 */
export function client(version, server, namespace = "/", options = {}) {
  const socket = VERSIONS[version](server.url + namespace, { forceNew: true, reconnection: false, ...options });
  open.add(socket);
  return socket;
}

/** Ends all clients of this file, for after(). */
export function endClients() {
  for (const socket of open) socket.io.engine?.close(), socket.close();
  open.clear();
}

/** A client that has connected. */
export async function connected(version, server, namespace, options) {
  const socket = client(version, server, namespace, options);
  await ready(socket);
  return socket;
}

/** Waits until the client has connected; an error of the connection rejects. */
export async function ready(socket) {
  const failed = once(socket, "connect_error").then((error) => Promise.reject(error));
  failed.catch(() => {});
  await Promise.race([once(socket, "connect"), failed]);
}

/** The reason why a client cannot connect. */
export function refused(socket) {
  return once(socket, "connect_error");
}

/** Emits with an ack and gives its first argument. */
export function ask(socket, event, ...args) {
  const answer = new Promise((resolve) => socket.emit(event, ...args, resolve));
  return within(answer, `the ack of ${event}`);
}

/** Waits until the client has moved from polling to websocket. */
export async function upgraded(socket) {
  const engine = socket.io.engine;
  if (engine.transport.name === "websocket") return;
  await once(engine, "upgrade");
}
