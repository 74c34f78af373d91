// Upgrades that race: with each other, with polls and posts, with the end. (Step by
// step: the suite protocol; under fire: internal/engineio.)
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { startCaddy } from "../../lib/caddy.mjs";
import { times, under } from "../../lib/holding.mjs";
import { Polling } from "../../lib/polling.mjs";
import { Socket } from "../../lib/socket.mjs";
import { within } from "../../lib/wait.mjs";

let server;
before(async () => {
  server = await startCaddy({ extra: ["limits {\n exempt 127.0.0.0/8\n}"], settings: { pingInterval: 300_000, upgradeTimeout: 2000 } });
});
after(() => server.stop());

const attempt = (polling) => new Socket(server, { query: { sid: polling.sid } });

/** Whether the websocket was let in. */
const admitted = (socket) => within(socket.opened.then(() => true, (error) => {
  assert.equal(error.status, 400);
  return false;
}), "an answer to the upgrade");

async function probe(socket) {
  socket.send("2probe");
  assert.equal(await socket.receive(), "3probe");
  socket.send("5");
}

test("of five upgrades at once one is let in, and works", () =>
  under(server, 25, () => times(40, async () => {
    const polling = await Polling.open(server);
    await polling.connect();
    const rivals = Array.from({ length: 5 }, () => attempt(polling));
    const outcomes = await Promise.all(rivals.map(admitted));
    assert.equal(outcomes.filter(Boolean).length, 1);
    const winner = rivals[outcomes.indexOf(true)];
    await probe(winner);
    winner.send('421["count-args",1]');
    assert.equal(await winner.receive(), "431[1]");
    winner.close();
  }, 10)));

test("events before, during and after an upgrade come back once each", () =>
  under(server, 25, () => times(40, async () => {
    const polling = await Polling.open(server);
    await polling.connect();
    const echoes = [];
    const take = (packets) => echoes.push(...packets.filter((p) => p.startsWith("42")).map((p) => JSON.parse(p.slice(2))[1]));
    const socket = attempt(polling);
    await polling.send('42["message",1]');
    const poll = polling.get();
    assert.ok(await admitted(socket));
    const post = polling.send('42["message",2]');
    await probeFirst(socket, [poll, post], take);
    socket.send("5", '42["message",3]');
    while (echoes.length < 3) take([await socket.receive()]);
    assert.deepEqual(echoes.sort(), [1, 2, 3]);
    socket.close();
  }, 10)));

/** Probes while a poll and a post are under way, and waits for both, as clients do. */
async function probeFirst(socket, [poll, post], take) {
  socket.send("2probe");
  assert.equal(await socket.receive(), "3probe");
  await post;
  take((await poll).body.split("\x1e"));
}

const ENDS = {
  "a close packet": (polling) => polling.post("1"),
  "a malformed packet": (polling) => polling.post("abc"),
  "a second poll": (polling) => Promise.all([polling.get(), polling.get()]),
  "the websocket's end": (polling, socket) => socket.close(),
  "a malformed frame": (polling, socket) => socket.ws.readyState === 1 && socket.ws._socket.write(Buffer.from([0xff, 0xff, 0xff])),
};

for (const [name, end] of Object.entries(ENDS)) {
  test(`an upgrade against ${name} ends one way or the other`, () =>
    under(server, 25, () => times(30, async (i) => {
      const polling = await Polling.open(server);
      await polling.connect();
      const socket = attempt(polling);
      socket.opened.then(() => socket.send("2probe", "5", '42["message"]'), () => {});
      // Before, amid and after the probe.
      if (i % 3) await socket.opened.catch(() => {});
      if (i % 3 === 2) await socket.receive().catch(() => {});
      await Promise.resolve(end(polling, socket)).catch(() => {});
      // Whichever came first, the session works over one transport or is gone.
      socket.close();
      await socket.closed().catch(() => {});
      await polling.post("1").catch(() => {});
      assert.notEqual((await polling.get().catch(() => ({ status: 0 }))).status, 500);
    }, 10)));
}
