import { io } from "../shared/socket.io.js";

/** What each reason of a disconnect means to the person before the screen. */
const REASONS = {
  "io server disconnect": "the server closed it, so it stays closed until you connect again",
  "io client disconnect": "closed here",
  "ping timeout": "the server was silent too long, trying again",
  "transport close": "the connection was lost, trying again",
  "transport error": "the connection failed, trying again",
};

/**
 * Opens a socket and reports what happens to it.
 *
 * @param {string} namespace such as "/" or "/webrtc"
 * @param {string[]} transports in the order to try them
 * @param {object} on
 * @param {(state: "connected"|"connecting"|"offline", text: string) => void} on.state
 * @param {(name: string) => void} on.transport the transport in use has changed
 * @param {(event: string, args: unknown[]) => void} on.event an event has arrived
 * @param {(kind: "connect"|"disconnect"|"error", text: string) => void} on.note
 * @returns the socket, of socket.io-client
 */
export function open(namespace, transports, on) {
  // Without forceNew a second connection would reuse the first one's transports.
  const socket = io(namespace, { transports, withCredentials: true, forceNew: true });

  socket.on("connect", () => {
    on.state("connected", "Connected");
    on.note("connect", `connected to ${namespace} as ${socket.id}`);
    on.transport(socket.io.engine.transport.name);
    // The engine is new after each reconnection, and so is its upgrade event. An
    // engine that is left on its way to websocket arrives there before it closes.
    socket.io.engine.once("upgrade", (transport) => socket.connected && on.transport(transport.name));
  });
  socket.on("disconnect", (reason) => {
    on.state(socket.active ? "connecting" : "offline", socket.active ? "Reconnecting" : "Offline");
    on.transport("none");
    on.note("disconnect", `disconnected: ${REASONS[reason] ?? reason}`);
  });
  // `active` tells a refusal, which is final, from a connection that is retried.
  socket.on("connect_error", (error) => {
    on.state(socket.active ? "connecting" : "offline", socket.active ? "Reconnecting" : "Refused");
    on.note("error", `could not connect: ${error.message}`);
  });
  socket.onAny((event, ...args) => on.event(event, args));
  return socket;
}
