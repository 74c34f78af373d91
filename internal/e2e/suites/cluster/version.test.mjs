// Servers for Node of other versions in the cluster.
import { afterEach, beforeEach, test } from "node:test";
import assert from "node:assert/strict";
import { ask, client, endClients, ready } from "../../lib/clients.mjs";
import { NodeServer, Redis, caddyNode } from "../../lib/redis.mjs";
import { eventually, once } from "../../lib/wait.mjs";

let redis;
let servers;

beforeEach(async () => {
  servers = {};
  redis = await Redis.start();
});

afterEach(async () => {
  endClients();
  for (const server of Object.values(servers)) await server.stop();
  await redis.stop();
});

// What they are, and whether they and a Caddy hear each other's requests.
const OTHERS = {
  "socket.io 4.7 with @socket.io/redis-adapter 7.2": {
    asks: true, config: { adapter: "pubsub", server: "socket.io-old", package: "redis-adapter-old" },
  },
  "@socket.io/redis-streams-adapter 0.3.0": { asks: true, config: { adapter: "streams", package: "redis-streams-adapter-v0.3.0" } },
  // Its requests go through the stream, those of 0.3 do not.
  "@socket.io/redis-streams-adapter 0.2.3": {
    asks: false, config: { adapter: "streams", package: "redis-streams-adapter-v0.2", ioredis: true },
  },
};

const across = (socket, action) => ask(socket, "across", action);

/** Events of one server's namespace reach a socket of the other, as its rooms are, which change. */
async function broadcasts(from, to, room) {
  const send = (event, more = {}) => across(from, { do: "emit", event, arg: { n: 1 }, ...more });
  // Until both listen to Redis.
  const met = once(to, "met");
  await eventually(async () => (await send("met"), Promise.race([met.then(() => true), send("again").then(() => false)])), "the first event");
  const heard = [];
  to.onAny((event, arg) => event === "met" || event === "again" || heard.push([event, arg]));
  await send("all");
  await send("room", { rooms: [room] });
  await send("own", { rooms: [to.id] });
  await send("not", { except: [room] });
  await across(from, { do: "binary", event: "binary", rooms: [room] });
  await across(from, { do: "join", rooms: [room], into: ["moved"] });
  await send("moved", { rooms: ["moved"] });
  await across(from, { do: "leave", rooms: [room], into: ["moved"] });
  await send("left", { rooms: ["moved"] });
  const last = once(to, "last");
  await send("last");
  await last;
  to.offAny();
  assert.deepEqual(heard, [
    ...["all", "room", "own"].map((event) => [event, { n: 1 }]),
    ["binary", { deep: [Buffer.from([0, 1, 255])] }], ["moved", { n: 1 }], ["last", { n: 1 }],
  ]);
}

/** One server asks the other one, and its sockets. */
async function requests(from, to, room, label) {
  const [found] = await across(from, { do: "fetch", rooms: [room] });
  assert.equal(found.id, to.id);
  to.once("poll", (arg, answer) => answer(arg));
  const { answers } = await across(from, { do: "ask", event: "poll", arg: 7, rooms: [room] });
  assert.deepEqual(answers, ["7"]);
  await ask(to, "join", "observers");
  const told = once(to, "server-side");
  await across(from, { do: "server-side", event: "hello", arg: { n: 1 } });
  assert.deepEqual(await told, ["hello", { n: 1 }]);
  assert.deepEqual(await across(from, { do: "server-side-ask", event: "question", arg: 2 }), { answers: [JSON.stringify(label)], failed: false });
}

for (const [name, { asks, config }] of Object.entries(OTHERS)) {
  test(`${name} and a Caddy understand each other${asks ? "" : ", but for requests"}`, async () => {
    servers = { caddy: await caddyNode(redis, { adapter: config.adapter }), node: await NodeServer.start(redis, config) };
    const clients = {};
    for (const [at, server] of Object.entries(servers)) {
      clients[at] = client("v4", server, "/", { transports: ["websocket"] });
      await ready(clients[at]);
      await ask(clients[at], "join", `room-${at}`);
    }
    const { caddy, node } = clients;
    for (const [from, to, at] of [[caddy, node, "node"], [node, caddy, "caddy"]]) {
      await broadcasts(from, to, `room-${at}`);
      if (asks) await requests(from, to, `room-${at}`, at);
    }
    const lost = once(node, "disconnect");
    await across(caddy, { do: "disconnect", rooms: ["room-node"], close: false });
    await lost;
    assert.ok(!servers.caddy.logs.some((l) => /cannot be read/.test(l.msg)), "a message was malformed");
  });
}
