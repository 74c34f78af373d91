const EVENT = 2; // the type of a Socket.IO packet
const MESSAGE = "4"; // that of an Engine.IO packet around it
const SEPARATOR = "\x1e"; // between the packets of one request

/**
 * What is to be said when the page goes away: each is called then, with what sends for it as `socket.emit` does.
 *
 * @type {Set<(say: (socket: import("socket.io-client").Socket, event: string, payload: object) => void) => void>}
 */
export const farewells = new Set();

globalThis.addEventListener?.("pagehide", () => {
  const posts = new Map();
  // A websocket takes it at once. The request that it takes without one would be given up with the page, unless it is
  // to outlive it; and there must be one for all, since the server lets one wait for another, not two.
  const say = (socket, event, payload) => {
    const { engine, encoder } = socket.io;
    if (!socket.connected || engine.transport.name !== "polling") return socket.emit(event, payload);
    const [packet] = encoder.encode({ type: EVENT, nsp: socket.nsp, data: [event, payload] });
    posts.set(engine, [...(posts.get(engine) ?? []), MESSAGE + packet]);
  };
  for (const farewell of [...farewells]) farewell(say);
  for (const [{ transport, opts }, packets] of posts) {
    const credentials = opts.withCredentials ? "include" : "same-origin";
    const request = { method: "POST", body: packets.join(SEPARATOR), headers: opts.extraHeaders, credentials, keepalive: true };
    fetch(transport.uri(), request).catch(() => {}); // nobody is left to be told
  }
});
