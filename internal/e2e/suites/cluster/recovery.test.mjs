// Connection state recovery from the stream, on whichever node a client comes back
// to, and a rolling restart of all Caddy nodes under load.
import { afterEach, beforeEach, test } from "node:test";
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { ask, client, endClients, ready } from "../../lib/clients.mjs";
import { NodeServer, Redis, caddyNode, gathered } from "../../lib/redis.mjs";
import { eventually, once } from "../../lib/wait.mjs";

let redis;
let servers;

beforeEach(async () => {
  redis = await Redis.start();
  servers = [];
});

afterEach(async () => {
  endClients();
  for (const server of servers) await server.stop();
  await redis.stop();
});

const settings = { recovery: 60_000 };

async function start(kind, options) {
  const server = kind === "node" ? await NodeServer.start(redis, { recovery: 60_000 }) : await caddyNode(redis, { settings, ...options });
  servers.push(server);
  return server;
}

async function member(server, options = {}) {
  const socket = client("v4", server, "/", { transports: ["websocket"], ...options });
  socket.heard = [];
  socket.on("news", (n) => socket.heard.push(n));
  await ready(socket);
  return socket;
}

/** Loses the connection and comes back to another server. */
async function move(socket, server, meanwhile) {
  const lost = once(socket, "disconnect");
  socket.io.engine.close();
  await lost;
  await meanwhile();
  socket.io.uri = server.url;
  const back = once(socket, "connect");
  socket.connect();
  await back;
}

for (const [from, to] of [["caddy", "caddy"], ["caddy", "node"], ["node", "caddy"]]) {
  test(`a client of ${from} comes back to ${to}, with its id, rooms and data, and misses nothing`, async () => {
    const [a, b] = [await start(from), await start(to)];
    const [socket, speaker] = [await member(a), await member(b)];
    await gathered([speaker], 2);
    await ask(socket, "join", "room");
    await ask(socket, "set-data", { name: "x" });
    let n = 0;
    const say = (rooms = ["room"]) => ask(speaker, "to", { rooms, event: "news", arg: ++n });
    await say();
    await eventually(() => socket.heard.length === 1, "the first");
    const { id } = socket;
    await move(socket, b, async () => {
      // The session is kept once the server has noticed.
      await eventually(async () => (await redis.command("KEYS", "sio:session:*")).length === 1, "the kept session");
      await say();
      await say(["elsewhere"]);
      await say([id]);
    });
    assert.deepEqual([socket.recovered, socket.id], [true, id]);
    await say();
    await eventually(() => socket.heard.length === 4, "the last");
    assert.deepEqual(socket.heard, [1, 2, 4, 5]);
    const me = await ask(socket, "whoami", null);
    assert.deepEqual([me.recovered, me.data], [true, { name: "x" }]);
    assert.deepEqual(await redis.command("KEYS", "sio:session:*"), []);
  });
}

test("what a node sends arrives in its order, acks and disconnects among it", async () => {
  const server = await start("caddy");
  const socket = await member(server);
  const order = [];
  socket.on("message-back", (n) => order.push(n));
  for (const n of [1, 2, 3]) {
    socket.emit("message", n);
    socket.emit("message-with-ack", `ack ${n}`, (answer) => order.push(answer));
  }
  await eventually(() => order.length === 6, "all answers");
  assert.deepEqual(order, [1, "ack 1", 2, "ack 2", 3, "ack 3"]);
});

test("a rolling restart of all Caddy nodes under load loses nothing", async () => {
  const options = { extra: ["drain 1s"] };
  const nodes = [await start("caddy", options), await start("caddy", options)];
  const speaker = await member(await start("node"));
  await gathered([speaker], 3);
  const sockets = [];
  for (let i = 0; i < 20; i++) {
    const socket = await member(nodes[i % 2]);
    socket.recoveries = 0;
    socket.at = i % 2;
    socket.on("connect", () => (socket.recoveries += socket.recovered ? 1 : 0));
    // As behind a load balancer: back to a server that is there.
    socket.on("disconnect", () => {
      socket.at = 1 - socket.at;
      socket.io.uri = nodes[socket.at].url;
      const again = () => socket.connected || socket.connect();
      socket.once("connect_error", () => setTimeout(again, 50));
      again();
    });
    await ask(socket, "join", "crowd");
    sockets.push(socket);
  }
  let sent = 0;
  let talking = true;
  const talk = (async () => {
    while (talking) {
      speaker.emit("to", { rooms: ["crowd"], event: "news", arg: ++sent }, () => {});
      await pause(2);
    }
  })();
  for (const i of [0, 1]) {
    await nodes[i].end("SIGTERM");
    await eventually(() => sockets.every((s) => s.connected), "everybody's return", 20_000);
    await nodes[i].start();
    await gathered([speaker], 3);
  }
  talking = false;
  await talk;
  const behind = () => sockets.filter((s) => s.heard.length < sent).map((s) => [s.heard.length, s.recoveries, s.connected]);
  await eventually(() => behind().length === 0, "the last event", 10_000).catch(() => assert.deepEqual(behind(), [], `of ${sent}`));
  const want = Array.from({ length: sent }, (_, i) => i + 1);
  for (const socket of sockets) assert.deepEqual(socket.heard, want);
  assert.ok(sockets.every((s) => s.recoveries >= 1), "some were not recovered");
});

for (const when of ["during the outage", "after it"]) {
  test(`a client that is lost in an outage of Redis and returns ${when} is recovered with everything or not at all`, async () => {
    const server = await start("caddy", { options: ["timeout 2s"] });
    const [socket, speaker] = [await member(server), await member(server)];
    let n = 0;
    const say = () => ask(speaker, "across", { do: "emit", rooms: [], event: "news", arg: ++n });
    const all = (count) => eventually(() => speaker.heard.length === count, `${count} news`, 20_000);
    await say();
    await eventually(() => socket.heard.length === 1, "the first");
    const { id } = socket;
    redis.signal("SIGSTOP");
    const back = async () => {
      redis.signal("SIGCONT");
      await server.program.line((l) => /redis is back/.test(l.msg), "the end of the outage");
    };
    await move(socket, server, async () => {
      await say();
      await all(2);
      await server.program.line((l) => /redis is away/.test(l.msg), "the notice of the outage");
      await say();
      await all(3);
      if (when === "after it") await back();
    });
    const before = n;
    if (when !== "after it") await back();
    await say();
    await all(4);
    await eventually(() => socket.heard.includes(4), "the last");
    const missed = socket.heard.slice(1);
    if (socket.recovered) assert.deepEqual([socket.id, missed], [id, [2, 3, 4]]);
    else assert.deepEqual(missed, [4], `it has heard of what was before ${before}`);
    assert.equal(socket.recovered, when === "after it");
  });
}
