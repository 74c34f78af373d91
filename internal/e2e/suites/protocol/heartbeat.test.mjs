// Engine.IO v4: the server asks, the client answers.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Polling } from "../../lib/polling.mjs";
import { Socket } from "../../lib/socket.mjs";
import { startServer } from "../../lib/server.mjs";

// One server for clients that answer, however late on a busy machine, and one
// for those that don't.
let patient, server;
before(async () => {
  patient = await startServer({ pingInterval: 150, pingTimeout: 15_000 });
  server = await startServer({ pingInterval: 150, pingTimeout: 1_500 });
});
after(() => Promise.all([patient.stop(), server.stop()]));

test("polling: pings come one after another while they are answered", async () => {
  const polling = await Polling.open(patient);
  for (let i = 0; i < 5; i++) {
    assert.equal(await polling.receive(), "2");
    await polling.send("3");
  }
});

test("websocket: pings come one after another while they are answered", async () => {
  const socket = await Socket.open(patient);
  for (let i = 0; i < 5; i++) {
    assert.equal(await socket.receive(), "2");
    socket.send("3");
  }
  socket.close();
});

test("polling: an unanswered ping ends the session", async () => {
  const polling = await Polling.open(server);
  assert.equal(await polling.receive(), "2");
  const poll = await polling.get();
  assert.deepEqual([poll.status, poll.body], [200, "1"]);
  assert.equal((await polling.get()).status, 400);
});

test("websocket: an unanswered ping ends the session", async () => {
  const socket = await Socket.open(server);
  assert.equal(await socket.receive(), "2");
  await socket.closed();
  assert.deepEqual(socket.inbox.waiting, []);
});

test("an observer learns the reason of a lost heartbeat", async () => {
  const observer = await Socket.open(server);
  observer.ws.on("message", (data) => data.toString() === "2" && observer.send("3"));
  await observer.connect();
  const next = async (event) => {
    for (;;) {
      const packet = await observer.receive(event);
      if (packet.startsWith(`42["${event}"`)) return JSON.parse(packet.slice(2))[1];
    }
  };
  observer.send('421["join","observers"]');
  const silent = await Socket.open(server);
  const { sid: id } = await silent.connect();
  let departure = await next("departed");
  while (departure.id !== id) departure = await next("departed");
  assert.deepEqual(departure, { id, reason: "ping timeout", rooms: [] });
  observer.close();
});

test("messages do not replace an answer to a ping", async () => {
  const socket = await Socket.open(server);
  await socket.connect();
  const chatter = setInterval(() => socket.ws.readyState === 1 && socket.send('42["count-args"]'), 20);
  await socket.closed().finally(() => clearInterval(chatter));
});
