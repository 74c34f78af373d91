// Rooms and broadcasts between stock clients of all versions.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { ask, connected, endClients } from "../../lib/clients.mjs";
import { startServer } from "../../lib/server.mjs";
import { once } from "../../lib/wait.mjs";

let server;
before(async () => (server = await startServer({ allowEIO3: true })));
after(async () => {
  endClients();
  await server.stop();
});

/** Three clients of different versions and transports, in a namespace of their own. */
async function trio(namespace) {
  const [a, b, c] = await Promise.all([
    connected("v4", server, namespace, { transports: ["websocket"] }),
    connected("v3", server, namespace, { transports: ["polling"] }),
    connected("v2", server, namespace, { transports: ["websocket"] }),
  ]);
  const got = { a: [], b: [], c: [] };
  a.on("news", (n) => got.a.push(n));
  b.on("news", (n) => got.b.push(n));
  c.on("news", (n) => got.c.push(n));
  /** What each has got once an event that all get, sent last, has come. */
  const settled = async () => {
    const ends = [a, b, c].map((s) => once(s, "end"));
    await ask(a, "namespace-to", { event: "end" });
    await Promise.all(ends);
    return got;
  };
  return { a, b, c, settled };
}

test("a broadcast reaches everybody but the sender", async () => {
  const { a, settled } = await trio("/dyn-100");
  assert.equal(await ask(a, "broadcast", { event: "news", arg: 1 }), "sent");
  assert.deepEqual(await settled(), { a: [], b: [1], c: [1] });
});

test("an event to a room reaches its other members, once each", async () => {
  const { a, b, c, settled } = await trio("/dyn-101");
  await Promise.all([ask(a, "join", "r"), ask(b, "join", "r"), ask(b, "join", "s"), ask(c, "rooms")]);
  await ask(a, "to", { rooms: ["r", "s"], event: "news", arg: 1 });
  assert.deepEqual(await settled(), { a: [], b: [1], c: [] });
});

test("the namespace addresses a room with its sender", async () => {
  const { a, b, settled } = await trio("/dyn-102");
  await Promise.all([ask(a, "join", "r"), ask(b, "join", "r")]);
  await ask(a, "namespace-to", { rooms: ["r"], event: "news", arg: 1 });
  assert.deepEqual(await settled(), { a: [1], b: [1], c: [] });
});

test("except leaves out a room", async () => {
  const { a, b, settled } = await trio("/dyn-103");
  await ask(b, "join", "quiet");
  await ask(a, "broadcast", { except: ["quiet"], event: "news", arg: 1 });
  assert.deepEqual(await settled(), { a: [], b: [], c: [1] });
});

test("a socket's id is its private room", async () => {
  const { a, b, settled } = await trio("/dyn-104");
  await ask(a, "to", { rooms: [b.id], event: "news", arg: 1 });
  assert.deepEqual(await settled(), { a: [], b: [1], c: [] });
});

test("join, leave and the list of members", async () => {
  const { a, b } = await trio("/dyn-105");
  assert.deepEqual(await ask(a, "join", "r"), ["r"]);
  assert.deepEqual(await ask(a, "join", "q"), ["q", "r"]);
  await ask(b, "join", "r");
  assert.deepEqual(await ask(a, "sockets", "r"), [a.id, b.id].sort());
  assert.deepEqual(await ask(a, "leave", "r"), ["q"]);
  assert.deepEqual(await ask(a, "sockets", "r"), [b.id]);
});

test("a client that goes leaves its rooms", async () => {
  const { a, b } = await trio("/dyn-106");
  await Promise.all([ask(a, "join", "observers"), ask(b, "join", "r")]);
  const departed = once(a, "departed");
  const id = b.id;
  b.disconnect();
  assert.deepEqual(await departed, { id, reason: "client namespace disconnect", rooms: ["r"] });
  assert.deepEqual(await ask(a, "sockets", "r"), []);
});

test("binary broadcasts reach all versions over all transports", async () => {
  const { a, b, c } = await trio("/dyn-107");
  const data = Buffer.from([1, 2, 3]);
  await Promise.all([ask(b, "join", "r"), ask(c, "join", "r")]);
  const both = Promise.all([once(b, "blob"), once(c, "blob")]);
  a.emit("to-binary", "r", "blob", data);
  assert.deepEqual(await both, [data, data]);
});
