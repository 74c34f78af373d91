// Connection state recovery: same id, rooms and data, and what was missed.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { ask, client, connected, endClients, ready } from "../../lib/clients.mjs";
import { Socket } from "../../lib/socket.mjs";
import { deviation, startServer } from "../../lib/server.mjs";
import { once } from "../../lib/wait.mjs";

let server, speaker;
before(async () => {
  server = await startServer({ recovery: 120_000 });
  speaker = await connected("v4", server);
  await ask(speaker, "join", "observers");
});
after(async () => {
  endClients();
  await server.stop();
});

const say = (room, arg) => ask(speaker, "to", { rooms: [room], event: "news", arg });

/** A member of the room, and what it has heard. */
async function member(room, transports = ["websocket"]) {
  const socket = client("v4", server, "/", { transports });
  socket.heard = [];
  socket.on("news", (n) => socket.heard.push(n));
  await ready(socket);
  await ask(socket, "join", room);
  return socket;
}

/** Breaks the transport without a word to the namespace, and waits until the server knows. */
async function lose(socket) {
  const { id } = socket;
  const noticed = once(speaker, "departed", { when: (d) => d.id === id });
  socket.io.engine.close();
  return noticed;
}

async function comeBack(socket) {
  const back = once(socket, "connect");
  socket.connect();
  await back;
}

for (const transports of [["websocket"], ["polling"]]) {
  test(`${transports[0]}: id, rooms, data and missed events come back, in order, none doubled`, async () => {
    const room = `recover-${transports[0]}`;
    const socket = await member(room, transports);
    await ask(socket, "set-data", { name: "alice" });
    const first = once(socket, "news");
    await say(room, 1);
    await first;
    const { id } = socket;
    for (let round = 0; round < 3; round++) {
      await lose(socket);
      for (let n = 2 + round * 20; n < 22 + round * 20; n++) await say(room, n);
      await comeBack(socket);
      assert.equal(socket.recovered, true);
      assert.equal(socket.id, id);
      assert.deepEqual(await ask(socket, "rooms"), [room]);
      const me = await ask(socket, "whoami");
      assert.equal(me.recovered, true);
      assert.deepEqual(me.data, { name: "alice" });
    }
    await say(room, 62);
    await ask(socket, "count-args");
    assert.deepEqual(socket.heard, Array.from({ length: 62 }, (_, i) => i + 1));
  });
}

test("also when the server had sent no event yet", async () => {
  const room = "recover-silent";
  const socket = await member(room);
  const { id } = socket;
  await lose(socket);
  await say(room, 1);
  await comeBack(socket);
  const because = "it needs an offset, which only an event brings (socketio/socket.io#5538)";
  const recovered = deviation(true, { reference: false, because });
  assert.equal(socket.recovered, recovered);
  assert.equal(socket.id === id, recovered);
  await ask(socket, "count-args");
  assert.deepEqual(socket.heard, recovered ? [1] : []);
});

test("also when the old connection still looks alive", async () => {
  const room = "recover-half-open";
  const old = await Socket.open(server);
  const { sid, pid } = await old.connect();
  old.send(`421["join","${room}"]`);
  assert.equal(await old.receive(), `431[["${room}"]]`);
  await say(room, 1);
  const [, , offset] = JSON.parse((await old.receive()).slice(2));
  assert.equal(typeof offset, "string");
  const fresh = await Socket.open(server);
  const answer = await fresh.connect("/", { pid, offset });
  const because = "it takes the private id only once the old socket is gone (socketio/socket.io#4880)";
  assert.equal(answer.sid === sid, deviation(true, { reference: false, because }));
  if (answer.sid !== sid) return void fresh.close();
  await say(room, 2);
  const [event, n] = JSON.parse((await fresh.receive()).slice(2));
  assert.deepEqual([event, n], ["news", 2]);
  fresh.close();
});

for (const [name, secrets] of [["unknown", { pid: "unknown", offset: "x" }], ["another socket's public", null], ["malformed", { pid: 7, offset: {} }]]) {
  test(`a private id that is ${name} gives an ordinary socket`, async () => {
    const socket = await Socket.open(server);
    const { sid } = await socket.connect("/", secrets ?? { pid: speaker.id, offset: "x" });
    assert.notEqual(sid, speaker.id);
    socket.send('421["rooms"]');
    assert.equal(await socket.receive(), "431[[]]");
    socket.close();
  });
}

test("a socket that left by itself is not recovered", async () => {
  const room = "recover-left";
  const socket = await member(room);
  await say(room, 1);
  const { id } = socket;
  socket.disconnect();
  await comeBack(socket);
  assert.equal(socket.recovered, false);
  assert.notEqual(socket.id, id);
  assert.deepEqual(await ask(socket, "rooms"), []);
});
