// Engine.IO v4: from long polling to websocket without losing a packet.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Polling } from "../../lib/polling.mjs";
import { refusal, Socket } from "../../lib/socket.mjs";
import { deviation, startServer } from "../../lib/server.mjs";

let server;
before(async () => (server = await startServer({ upgradeTimeout: 1000, pingInterval: 300_000 })));
after(() => server.stop());

/** A session over polling, and the websocket that shall take it over. */
async function beginning() {
  const polling = await Polling.open(server);
  await polling.connect();
  return { polling, socket: await Socket.upgrade(polling) };
}

/** The server has answered the websocket's probe. */
async function probe(socket) {
  socket.send("2probe");
  assert.equal(await socket.receive(), "3probe");
}

/** A session that has gone the whole way. */
async function upgraded() {
  const { polling, socket } = await beginning();
  await probe(socket);
  socket.send("5");
  return { polling, socket };
}

/** The session is still on polling, after polls that the probe ended. */
async function pollsOn(polling) {
  await polling.send('42["message","still polling"]');
  let packet = await polling.receive();
  while (packet === "6") packet = await polling.receive();
  assert.equal(packet, '42["message-back","still polling"]');
}

/** An event goes there and back over the websocket. */
async function works(socket) {
  socket.send('42["message","over websocket"]');
  assert.equal(await socket.receive(), '42["message-back","over websocket"]');
}

test("the probe is answered, the session moves over", async () => {
  const { socket } = await upgraded();
  await works(socket);
  socket.close();
});

test("a waiting poll is ended with noop", async () => {
  const polling = await Polling.open(server);
  await polling.connect();
  const poll = polling.get();
  const socket = await Socket.upgrade(polling);
  await probe(socket);
  const { status, body } = await poll;
  assert.deepEqual([status, body], [200, "6"]);
  socket.send("5");
  await works(socket);
  socket.close();
});

test("a poll that comes after the probe is ended with noop too", async () => {
  const { polling, socket } = await beginning();
  await probe(socket);
  assert.equal((await polling.get()).body, "6");
  socket.send("5");
  await works(socket);
  socket.close();
});

test("what was sent before the upgrade arrives after it, once and in order", async () => {
  const { polling, socket } = await beginning();
  await polling.send('42["message",1]', '42["message",2]');
  await probe(socket);
  const got = [];
  const early = (await polling.get()).body.split("\x1e");
  got.push(...early.filter((packet) => packet !== "6"));
  socket.send("5", '42["message",3]');
  while (got.length < 3) got.push(await socket.receive());
  assert.deepEqual(got, [1, 2, 3].map((n) => `42["message-back",${n}]`));
  socket.close();
});

test("polling with the sid of an upgraded session is refused and harms nothing", async () => {
  const { polling, socket } = await upgraded();
  await works(socket);
  assert.equal((await polling.get()).status, 400);
  assert.equal((await polling.post('42["message","stray"]')).status, 400);
  await works(socket);
  socket.close();
});

test("a second websocket with the sid of an upgraded session is refused and harms nothing", async () => {
  const { polling, socket } = await upgraded();
  await works(socket);
  const { status } = await refusal(server, { query: { sid: polling.sid } });
  assert.equal(status, deviation(400, { reference: undefined, because: "it answers 101, then closes" }));
  await works(socket);
  socket.close();
});

test("a websocket that does not probe leaves the session on polling", async () => {
  const { polling, socket } = await beginning();
  socket.send("2other");
  await socket.closed();
  await pollsOn(polling);
});

test("a websocket that sends a message in place of a probe leaves the session on polling", async () => {
  const { polling, socket } = await beginning();
  socket.send('42["message","smuggled"]');
  await socket.closed();
  await pollsOn(polling);
});

test("an upgrade that does not get on ends after upgrade_timeout, the session lives", async () => {
  const { polling, socket } = await beginning();
  await socket.closed();
  await pollsOn(polling);
});

test("a websocket lost between probe and upgrade leaves the session on polling", async () => {
  const { polling, socket } = await beginning();
  await probe(socket);
  socket.close();
  await socket.closed();
  await pollsOn(polling);
});
