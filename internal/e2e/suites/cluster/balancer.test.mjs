// The README's sites for several nodes under one name, as they stand there: with a
// cookie for clients that poll, and without where all use websockets.
import { afterEach, beforeEach, test } from "node:test";
import assert from "node:assert/strict";
import { startCaddy } from "../../lib/caddy.mjs";
import { ask, client, endClients, ready, upgraded } from "../../lib/clients.mjs";
import { block } from "../../lib/readme.mjs";
import { Redis } from "../../lib/redis.mjs";
import { eventually, once } from "../../lib/wait.mjs";

let redis;
let nodes;
let balancer;

beforeEach(async () => {
  redis = await Redis.start();
  const site = block("caddyfile", "cluster redis redis://10.0.0.9:6379");
  const whole = (port) => site.replace("http://:3000", `http://:${port}`).replace("redis://10.0.0.9:6379", redis.url);
  nodes = [await startCaddy({ whole }), await startCaddy({ whole })];
});

afterEach(async () => {
  endClients();
  for (const server of [balancer, ...nodes]) await server?.stop();
  await redis.stop();
});

/** Starts the balancer whose policy is given. */
async function balance(policy) {
  const site = block("caddyfile", policy);
  const whole = (port) => site
    .replace("app.example.com", `http://127.0.0.1:${port}`)
    .replace("10.0.0.1:3000", `127.0.0.1:${nodes[0].port}`)
    .replace("10.0.0.2:3000", `127.0.0.1:${nodes[1].port}`)
    .replace("{$STICKY_SECRET}", "secret-of-a-test");
  balancer = await startCaddy({ whole });
}

/** How many sessions each node has. */
const sessions = () => Promise.all(nodes.map(async (n) => (await n.admin("GET", "/socketio/")).body.servers[0].sessions));

/** Clients in one room, at least so many, until each node has some. */
async function crowd(least, options) {
  const sockets = [];
  while (sockets.length < least || (await sessions()).includes(0)) {
    const socket = client("v4", balancer, "/", options);
    await ready(socket);
    assert.equal((await ask(socket, "join", { room: "call" })).ok, true);
    sockets.push(socket);
  }
  return sockets;
}

/** Each in turn says something, which all others hear. */
async function talk(sockets) {
  for (const [n, socket] of sockets.entries()) {
    const heard = sockets.filter((s) => s !== socket).map((s) => once(s, "message", { when: (m) => m.data === n }));
    assert.equal((await ask(socket, "message", { room: "call", data: n })).ok, true);
    await Promise.all(heard);
  }
}

test("with the cookie, clients poll, upgrade, and talk across nodes", async () => {
  await balance("cookie node");
  const polling = await crowd(4, { transports: ["polling"], withCredentials: true });
  await talk(polling);
  const upgrading = client("v4", balancer, "/", { withCredentials: true });
  await ready(upgrading);
  await upgraded(upgrading);
  await ask(upgrading, "join", { room: "call" });
  await talk([...polling, upgrading]);
  assert.ok(polling.every((s) => s.connected && s.io.engine.transport.name === "polling"));
});

test("when a node stops, its polling clients are recovered on the other", async () => {
  await balance("cookie node");
  const sockets = await crowd(4, {
    transports: ["polling"], withCredentials: true, reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 200,
  });
  await talk(sockets); // each has an offset
  const ids = sockets.map((s) => s.id);
  const lost = [];
  for (const socket of sockets) socket.on("disconnect", () => lost.push(socket));
  const [there] = await sessions();
  await nodes[0].end("SIGTERM");
  await eventually(() => sockets.every((s) => s.connected) && lost.length === there, "everybody's return");
  assert.ok(lost.every((s) => s.recovered), "some were not recovered");
  assert.deepEqual(sockets.map((s) => s.id), ids);
  await talk(sockets);
});

test("with websockets alone, nothing need stick", async () => {
  await balance("round_robin");
  const sockets = await crowd(4, { transports: ["websocket"] });
  assert.deepEqual(await sessions(), [2, 2]);
  await talk(sockets);
});
