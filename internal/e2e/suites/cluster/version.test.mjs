// A server for Node of an older version in the cluster: socket.io 4.7 with
// @socket.io/redis-adapter 7.2.
import { afterEach, beforeEach, test } from "node:test";
import assert from "node:assert/strict";
import { ask, client, endClients, ready } from "../../lib/clients.mjs";
import { NodeServer, Redis, caddyNode } from "../../lib/redis.mjs";
import { eventually, once } from "../../lib/wait.mjs";

let redis;
let servers;

beforeEach(async () => {
  redis = await Redis.start();
});

afterEach(async () => {
  endClients();
  for (const server of Object.values(servers)) await server.stop();
  await redis.stop();
});

const across = (socket, action) => ask(socket, "across", action);

test("an older server for Node and a Caddy understand each other", async () => {
  const adapter = "pubsub";
  servers = { caddy: await caddyNode(redis, { adapter }), node: await NodeServer.start(redis, { adapter, old: true }) };
  const clients = {};
  for (const [name, server] of Object.entries(servers)) {
    clients[name] = client("v4", server, "/", { transports: ["websocket"] });
    await ready(clients[name]);
    await ask(clients[name], "join", `room-${name}`);
  }
  const { caddy, node } = clients;
  for (const [from, to, room] of [[caddy, node, "room-node"], [node, caddy, "room-caddy"]]) {
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
    assert.equal((await across(from, { do: "fetch", rooms: [room] })).length, 1);
    to.once("poll", (arg, answer) => answer(arg));
    const { answers } = await across(from, { do: "ask", event: "poll", arg: 7, rooms: [room] });
    assert.deepEqual(answers, ["7"]);
  }
  const lost = once(node, "disconnect");
  await across(caddy, { do: "disconnect", rooms: ["room-node"], close: false });
  await lost;
  assert.ok(!servers.caddy.logs.some((l) => /cannot be read/.test(l.msg)), "a message was malformed");
});
