const EVENT = 2; // the type of a Socket.IO packet
const MESSAGE = "4"; // that of an Engine.IO packet around it

/**
 * Sends a last event while the page goes away. A websocket takes it at once; but the request that it takes without one
 * would be given up with the page, unlike a beacon.
 *
 * @param {import("socket.io-client").Socket} socket
 */
export function farewell(socket, event, payload) {
  const { engine, encoder } = socket.io;
  if (!socket.connected || engine.transport.name !== "polling") return socket.emit(event, payload);
  const [packet] = encoder.encode({ type: EVENT, nsp: socket.nsp, data: [event, payload] });
  navigator.sendBeacon(engine.transport.uri(), MESSAGE + packet);
}
