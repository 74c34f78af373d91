// What clients see while Redis or a node is in trouble. With streams each message
// arrives once in the end, and the rooms of a node go on meanwhile.
import { afterEach, beforeEach, test } from "node:test";
import assert from "node:assert/strict";
import { connect, createServer } from "node:net";
import { ask, client, endClients, ready } from "../../lib/clients.mjs";
import { Redis, caddyNode, gathered } from "../../lib/redis.mjs";
import { eventually, once } from "../../lib/wait.mjs";

let redis;
let nodes;
let cleanups;

beforeEach(async () => {
  redis = await Redis.start();
  nodes = [];
  cleanups = [];
});

afterEach(async () => {
  endClients();
  for (const node of nodes) await node.stop();
  for (const clean of cleanups) clean();
  await redis.stop();
});

// What a cluster may be run with, and what then becomes of what is said to other
// nodes while Redis is away: with streams it comes once, with pub/sub once or not.
const WAYS = {
  streams: {},
  "streams with recovery": { settings: { recovery: 60_000 } },
  pubsub: { adapter: "pubsub", lossy: true },
  "pubsub with recovery": { adapter: "pubsub", lossy: true, settings: { recovery: 60_000 } },
};

/** Two nodes with a client each in the room "room"; the first reaches Redis by a URL of its own. */
async function pair({ adapter, settings } = {}, url) {
  for (const at of [url, redis.url]) {
    nodes.push(await caddyNode(redis, { adapter, settings, url: at ?? redis.url, options: ["timeout 500ms"] }));
  }
  const clients = [];
  for (const node of nodes) {
    const socket = client("v4", node, "/", { transports: ["websocket"] });
    socket.heard = [];
    socket.on("news", (n) => socket.heard.push(n));
    await ready(socket);
    await ask(socket, "join", "room");
    clients.push(socket);
  }
  await gathered(clients, 2);
  return clients;
}

const say = (socket, arg) => ask(socket, "across", { do: "emit", rooms: ["room"], event: "news", arg });
const hears = (socket, list) => eventually(() => list.every((n) => socket.heard.includes(n)), `news ${list}`, 20_000);

/**
 * During the trouble each node goes on by itself; after it everybody has everything,
 * once. The first client says 0 and 2 meanwhile, the second 3.
 */
async function goesOn([first, second], { lossy }, trouble, cure) {
  await say(first, 1);
  await Promise.all([hears(first, [1]), hears(second, [1])]);
  await trouble();
  for (const n of [0, 2]) await say(first, n);
  await say(second, 3);
  await Promise.all([hears(first, [0, 2]), hears(second, [3])]);
  await nodes[0].program.line((l) => /redis is away/.test(l.msg), "the notice of the outage");
  await cure();
  await gathered([first, second], 2);
  // What a node has said comes before what it says later.
  await Promise.all([say(first, 4), say(second, 5)]);
  await Promise.all([first, second].map((s) => hears(s, [4, 5])));
  for (const [socket, own, others] of [[first, [1, 0, 2, 4], [3, 5]], [second, [3, 5], [1, 0, 2, 4]]]) {
    const heard = (list) => socket.heard.filter((n) => list.includes(n));
    assert.deepEqual(heard(own), own, "one's own node");
    const want = lossy ? others.filter((n) => socket.heard.includes(n)) : others;
    assert.deepEqual(heard(others), want, "the other node");
  }
}

for (const [way, options] of Object.entries(WAYS)) {
  test(`${way}: Redis is restarted, with nothing left in it`, async () => {
    await goesOn(await pair(options), options, () => redis.end(), () => redis.run());
  });

  // Long enough for commands to be given up, and sent again.
  test(`${way}: Redis stands still for a while`, async () => {
    await goesOn(await pair(options), options, () => redis.signal("SIGSTOP"), () => redis.signal("SIGCONT"));
  });

  test(`${way}: the network between a node and Redis drops everything`, async () => {
    const proxy = { dropping: false, sockets: new Set() };
    const server = createServer((near) => {
      const far = connect(redis.port, "127.0.0.1");
      for (const [from, to] of [[near, far], [far, near]]) {
        proxy.sockets.add(from);
        from.on("data", (data) => proxy.dropping || to.write(data));
        from.on("error", () => {}).on("close", () => (proxy.sockets.delete(from), proxy.dropping || to.destroy()));
      }
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    cleanups.push(() => (server.close(), proxy.sockets.forEach((s) => s.destroy())));
    const clients = await pair(options, `redis://127.0.0.1:${server.address().port}`);
    await goesOn(clients, options, () => (proxy.dropping = true), () => (proxy.dropping = false));
  });
}

for (const way of ["streams", "streams with recovery"]) {
  test(`${way}: Redis is full`, async () => {
    await goesOn(await pair(WAYS[way]), WAYS[way], () => redis.command("CONFIG", "SET", "maxmemory", "1"), () => redis.command("CONFIG", "SET", "maxmemory", "0"));
  });
}

test("what comes twice, late, or for a request that is over", async () => {
  const [first, second] = await pair();
  const add = (n, arg) => redis.command("XADD", "socket.io", "*", "uid", "another", "nsp", "/", "type", "3", "n", n,
    "data", JSON.stringify({ opts: { rooms: ["room"], except: [], flags: {} }, packet: { type: 2, data: ["news", arg] } }));
  // A node sends again what it does not know to have arrived, under the same number.
  for (const [n, arg] of [[1, 1], [1, 1], [2, 2], [1, 1], [3, 3]]) await add(n, arg);
  for (const socket of [first, second]) await hears(socket, [1, 2, 3]);
  assert.deepEqual([first.heard, second.heard], [[1, 2, 3], [1, 2, 3]]);
  // Answers that nobody waits for any more, to all nodes.
  const late = { uid: "another", nsp: "/", type: 8, data: { requestId: "over", sockets: [] } };
  for (let i = 0; i < 3; i++) await redis.command("PUBLISH", "socket.io#/#", JSON.stringify(late));
  await say(first, 4);
  await hears(second, [4]);
  assert.equal((await ask(second, "across", { do: "fetch", rooms: ["room"] })).length, 2);
});

test("a node is killed", async () => {
  const [first, second] = await pair();
  const lost = once(first, "disconnect");
  await nodes[0].end("SIGKILL");
  await lost;
  await gathered([second], 1);
  await say(second, 1);
  await hears(second, [1]);
  assert.equal((await ask(second, "across", { do: "fetch", rooms: ["room"] })).length, 1);
});
