// Connection state recovery across reloads and restarts.
import { afterEach, test } from "node:test";
import assert from "node:assert/strict";
import { ask, client, connected, endClients, ready } from "../../lib/clients.mjs";
import { startCaddy } from "../../lib/caddy.mjs";
import { directive } from "../../lib/caddyfile.mjs";
import { once, within } from "../../lib/wait.mjs";

let server;
afterEach(async () => {
  endClients();
  await server.stop();
});

const settings = { recovery: 120_000 };

async function member(options) {
  const socket = client("v4", server, "/", { transports: ["websocket"], ...options });
  socket.heard = [];
  socket.on("news", (n) => socket.heard.push(n));
  await ready(socket);
  await ask(socket, "join", "room");
  return socket;
}

// Caddy closes idle connections as it reloads, and does not answer requests that
// come just then: a client that polls takes that for a lost connection.
test("stock clients that poll lose nothing across reloads, however many have to reconnect", async (t) => {
  const site = (n) => directive({ settings, extra: ["limits {\n exempt 127.0.0.0/8\n}", `drain ${n + 1}s`] });
  server = await startCaddy({ site: site(0) });
  const speaker = await connected("v4", server, "/", { transports: ["websocket"] });
  const [clients, reloads] = [30, 10];
  // What a client sends in a request that fails, it repeats only with `retries`.
  const options = { transports: ["polling"], reconnection: true, reconnectionDelay: 10, reconnectionDelayMax: 100, retries: 100, ackTimeout: 10_000 };
  const members = await Promise.all(Array.from({ length: clients }, () => member(options)));
  const ids = members.map((m) => m.id);
  let lost = 0;
  for (const m of members) m.on("disconnect", () => lost++);
  let said = 0;
  const round = async () => {
    const n = ++said;
    const all = members.map((m) => new Promise((resolve, reject) => m.emit("message-with-ack", n, (err, got) => (err ? reject(err) : resolve(got)))));
    assert.equal(await ask(speaker, "to", { rooms: ["room"], event: "news", arg: n }), "sent");
    return all;
  };
  const calls = [];
  for (let n = 1; n <= reloads; n++) {
    const reloaded = server.load({ site: site(n) });
    calls.push(...await round());
    await reloaded;
    calls.push(...await round());
  }
  const answers = await within(Promise.all(calls), "the answers to all events");
  const end = Promise.all(members.map((m) => once(m, "news", { when: (n) => n === said })));
  await round();
  await end;
  t.diagnostic(`${clients} clients that poll reconnected ${lost} times in ${reloads} reloads`);
  const sent = Array.from({ length: said }, (_, i) => i + 1);
  assert.deepEqual(answers, sent.slice(0, -1).flatMap((n) => members.map(() => n)));
  for (const m of members) assert.deepEqual(m.heard, sent, "lost, doubled or out of order");
  assert.deepEqual(members.map((m) => m.id), ids, "recovered as the same sockets");
});

test("a reload between loss and return loses nothing", async () => {
  server = await startCaddy({ settings });
  const [socket, speaker] = [await member(), await connected("v4", server)];
  await ask(speaker, "join", "observers");
  const say = (arg) => ask(speaker, "to", { rooms: ["room"], event: "news", arg });
  await say(1);
  const { id } = socket;
  const noticed = once(speaker, "departed");
  socket.io.engine.close();
  await noticed;
  await say(2);
  await server.reload({ site: directive({ settings, extra: ["drain 3s"] }) });
  await say(3);
  const back = once(socket, "connect");
  socket.connect();
  await back;
  assert.deepEqual([socket.recovered, socket.id], [true, id]);
  await say(4);
  await ask(socket, "count-args");
  assert.deepEqual(socket.heard, [1, 2, 3, 4]);
});

test("a restart is an ordinary reconnect", async () => {
  server = await startCaddy({ settings });
  const socket = await member();
  const { id } = socket;
  const lost = once(socket, "disconnect");
  await server.end("SIGTERM");
  await lost;
  await server.start();
  const back = once(socket, "connect");
  socket.connect();
  await back;
  assert.equal(socket.recovered, false);
  assert.notEqual(socket.id, id);
  assert.deepEqual(await ask(socket, "rooms"), []);
});
