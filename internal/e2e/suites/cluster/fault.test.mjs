// What clients see while Redis or a node is in trouble. With streams each message
// arrives once in the end, and the rooms of a node go on meanwhile.
import { afterEach, beforeEach, test } from "node:test";
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { encode } from "@msgpack/msgpack";
import { ask, client, endClients, ready } from "../../lib/clients.mjs";
import { Redis, Way, caddyNode, gathered } from "../../lib/redis.mjs";
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
async function pair({ adapter, settings, options = ["timeout 500ms"] } = {}, url) {
  for (const at of [url, redis.url]) {
    nodes.push(await caddyNode(redis, { adapter, settings, url: at ?? redis.url, options }));
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
    const proxy = await Way.to(redis);
    cleanups.push(() => proxy.close());
    const clients = await pair(options, proxy.url);
    await goesOn(clients, options, () => (proxy.dropping = true), () => (proxy.dropping = false));
  });
}

for (const way of ["streams", "streams with recovery"]) {
  test(`${way}: Redis is full`, async () => {
    await goesOn(await pair(WAYS[way]), WAYS[way], () => redis.command("CONFIG", "SET", "maxmemory", "1"), () => redis.command("CONFIG", "SET", "maxmemory", "0"));
  });
}

test("what comes twice", async () => {
  const [first, second] = await pair();
  const add = (n, arg) => redis.command("XADD", "socket.io", "*", "uid", "another", "nsp", "/", "type", "3", "n", n,
    "data", JSON.stringify({ opts: { rooms: ["room"], except: [], flags: {} }, packet: { type: 2, data: ["news", arg] } }));
  // A node sends again what it does not know to have arrived, under the same number.
  for (const [n, arg] of [[1, 1], [1, 1], [2, 2], [1, 1], [3, 3]]) await add(n, arg);
  for (const socket of [first, second]) await hears(socket, [1, 2, 3]);
  assert.deepEqual([first.heard, second.heard], [[1, 2, 3], [1, 2, 3]]);
});

// What each adapter answers, on a channel that all nodes read.
const late = (type, data) => encode({ uid: "another", nsp: "/", type, data: { requestId: "over", ...data } });
const LATE = {
  streams: {
    channel: "socket.io#/#",
    answers: [late(8, { sockets: [] }), late(10, { packet: "x" }), late(11, { clientCount: 1 }), late(12, { packet: ["x"] })],
  },
  pubsub: {
    channel: "socket.io-response#/#",
    answers: [
      JSON.stringify({ requestId: "over", sockets: [] }),
      JSON.stringify({ type: 6, requestId: "over", data: "x" }),
      JSON.stringify({ type: 8, requestId: "over", clientCount: 1 }),
      encode({ type: 9, requestId: "over", packet: ["x"] }),
    ],
  },
};

for (const [adapter, { channel, answers }] of Object.entries(LATE)) {
  test(`${adapter}: answers that nobody waits for any more`, async () => {
    const [first, second] = await pair({ adapter });
    for (const answer of answers) {
      const nodesReached = await redis.command("PUBLISH", channel, typeof answer === "string" ? answer : Buffer.from(answer));
      assert.equal(nodesReached, 2);
    }
    await say(first, 4);
    await hears(second, [4]);
    assert.equal((await ask(second, "across", { do: "fetch", rooms: ["room"] })).length, 2);
    assert.equal((await ask(first, "across", { do: "fetch", rooms: ["room"] })).length, 2);
    for (const node of nodes) assert.equal(await metric(node, "malformed_total"), 0);
  });
}

async function metric(node, name) {
  const { body } = await node.admin("GET", "/metrics");
  const line = body.split("\n").find((l) => l.startsWith(`caddy_socketio_redis_${name}{`));
  return Number(line.split(" ").at(-1));
}

// Some of what a node sends still fits, and then more of it again: nothing overtakes.
for (const way of ["streams", "streams with recovery"]) {
  test(`${way}: Redis is full, and has room for some, again and again`, async () => {
    const [first, second] = await pair(WAYS[way]);
    await say(first, "0");
    await hears(second, ["0"]);
    const used = async () => Number(/used_memory:(\d+)/.exec(await redis.command("INFO", "memory"))[1]);
    const room = 300_000;
    const pad = "x".repeat(20_000);
    const sent = ["0"];
    for (let round = 0; round < 4; round++) {
      await redis.command("CONFIG", "SET", "maxmemory", (await used()) + room);
      const more = Array.from({ length: 30 }, (_, i) => `${sent.length + i} ${pad}`);
      sent.push(...more);
      await Promise.all(more.map((text) => say(first, text)));
      if (round === 0) await nodes[0].program.line((l) => /redis is away/.test(l.msg), "the notice of the outage");
    }
    await redis.command("CONFIG", "SET", "maxmemory", 0);
    await hears(second, sent);
    const numbers = (list) => list.map((text) => text.split(" ")[0]);
    assert.deepEqual(numbers(second.heard), numbers(sent));
    assert.deepEqual(numbers(first.heard).sort(), numbers(sent).sort());
  });
}

// With every setting as it is by default.
test("Redis stands still for half a minute", async () => {
  const [first, second] = await pair({ settings: { recovery: 60_000 }, options: [] });
  await say(first, 1);
  await Promise.all([first, second].map((s) => hears(s, [1])));
  redis.signal("SIGSTOP");
  const began = Date.now();
  await say(first, 2); // it comes back only when the outage is seen
  await hears(first, [2]);
  await nodes[0].program.line((l) => /redis is away/.test(l.msg), "the notice of the outage");
  // Each node goes on by itself; what others would have to answer fails at once.
  await Promise.all([say(first, 3), say(second, 4)]);
  await Promise.all([hears(first, [3]), hears(second, [4])]);
  const asked = Date.now();
  const refusal = await ask(first, "across", { do: "fetch", rooms: ["room"] });
  assert.ok(!Array.isArray(refusal), `got ${JSON.stringify(refusal)}`);
  assert.ok(Date.now() - asked < 2000, "it was not refused at once");
  // Its node has sent what has no place in the stream yet: a client that returns begins anew.
  const lost = once(first, "disconnect");
  first.io.engine.close();
  await lost;
  const back = once(first, "connect");
  first.connect();
  await back;
  assert.equal(first.recovered, false);
  await ask(first, "join", "room");
  await pause(30_000 - (Date.now() - began)); // the one wait for a time: it is what is tested
  redis.signal("SIGCONT");
  await gathered([first, second], 2);
  await Promise.all([say(first, 5), say(second, 6)]);
  await Promise.all([first, second].map((s) => hears(s, [1, 2, 3, 4, 5, 6])));
  for (const socket of [first, second]) {
    assert.deepEqual([...socket.heard].sort(), [1, 2, 3, 4, 5, 6], "each came once");
  }
  assert.deepEqual(second.heard.filter((n) => n < 4), [1, 2, 3]);
});

test("a node is killed, and its clients come back as new ones", async () => {
  const [first, second] = await pair();
  const bystander = client("v4", nodes[1], "/", { transports: ["websocket"] });
  await ready(bystander);
  await ask(bystander, "join", "elsewhere");
  const seen = [];
  bystander.onAny((...args) => seen.push(args)).on("disconnect", (reason) => seen.push(reason));
  const { id } = first;
  const lost = once(first, "disconnect");
  await nodes[0].end("SIGKILL");
  await lost;
  await say(second, 1);
  await hears(second, [1]);
  // A balancer would send it there.
  first.io.uri = nodes[1].url;
  const back = once(first, "connect");
  first.connect();
  await back;
  assert.notEqual(first.id, id);
  assert.ok(!first.recovered);
  await ask(first, "join", "room");
  await say(second, 2);
  await Promise.all([hears(first, [2]), hears(second, [2])]);
  assert.deepEqual(first.heard, [2]);
  await gathered([first, bystander], 1);
  assert.deepEqual((await ask(bystander, "across", { do: "fetch" })).map((s) => s.id).sort(), [first.id, second.id, bystander.id].sort());
  assert.deepEqual(seen, []);
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
