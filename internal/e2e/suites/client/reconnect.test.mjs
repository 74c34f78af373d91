// Reconnection of stock clients when the server goes away and comes back.
import { afterEach, test } from "node:test";
import assert from "node:assert/strict";
import { ask, client, endClients, ready } from "../../lib/clients.mjs";
import { startServer } from "../../lib/server.mjs";
import { once } from "../../lib/wait.mjs";

let server;
afterEach(async () => {
  endClients();
  await server.stop();
});

const patience = { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 200 };

for (const [version, transports] of [
  ["v4", ["websocket"]],
  ["v4", ["polling"]],
  ["v4", ["polling", "websocket"]],
  ["v3", ["websocket"]],
  ["v2", ["websocket"]],
]) {
  test(`${version} by ${transports}: comes back after the server was killed and started again`, async () => {
    server = await startServer({ allowEIO3: true });
    const socket = client(version, server, "/custom", { ...patience, transports });
    await ready(socket);
    const first = socket.id;
    const lost = once(socket, "disconnect");
    await server.end("SIGKILL");
    assert.match([await lost].flat()[0], /^transport (close|error)$/);
    socket.emit("message", "buffered while offline");
    const back = once(socket, "message-back");
    const again = once(socket, "connect");
    await server.start();
    await again;
    assert.notEqual(socket.id, first);
    assert.equal(await back, "buffered while offline");
    assert.equal(await ask(socket, "count-args", 1), 1);
  });
}

test("a client that starts before the server connects once it is there", async () => {
  server = await startServer();
  await server.end("SIGKILL");
  const socket = client("v4", server, "/", patience);
  await once(socket, "connect_error");
  const up = once(socket, "connect");
  await server.start();
  await up;
  assert.equal(await ask(socket, "count-args", 1), 1);
});

test("a client that the server disconnected stays away, until it asks", async () => {
  server = await startServer();
  const socket = client("v4", server, "/", patience);
  await ready(socket);
  const gone = once(socket, "disconnect");
  socket.emit("disconnect-me", false);
  assert.equal([await gone].flat()[0], "io server disconnect");
  assert.equal(socket.active, false);
  socket.connect();
  await once(socket, "connect");
});
