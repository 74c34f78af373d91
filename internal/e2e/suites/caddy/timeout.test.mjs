// Caddy's write_timeout would end a poll that waits longer without a word to
// either side: polls are answered before it, and websockets do not know it.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Polling } from "../../lib/polling.mjs";
import { Socket } from "../../lib/socket.mjs";
import { startCaddy } from "../../lib/caddy.mjs";

let server;
before(async () => (server = await startCaddy({
  globals: ["servers {\n timeouts {\n  write 3s\n }\n}"],
  settings: { pingInterval: 300_000 },
})));
after(() => server.stop());

test("polls that wait longer than write_timeout lose nothing, and a websocket lives on", async () => {
  const socket = await Socket.open(server);
  await socket.connect();
  const polling = await Polling.open(server);
  await polling.connect();
  // Each poll waits for a part of the timeout; together they outlast it.
  for (let round = 0; round < 3; round++) {
    const { status, body } = await polling.get();
    assert.deepEqual([status, body], [200, "6"]);
  }
  const late = (async () => {
    let packet = await polling.receive();
    while (packet === "6") packet = await polling.receive();
    return packet;
  })();
  await polling.send('42["message","late"]');
  assert.equal(await late, '42["message-back","late"]');
  socket.send('42["message","later"]');
  assert.equal(await socket.receive(), '42["message-back","later"]');
  assert.equal(polling.retries, 0);
  socket.close();
});
