// Each row of the README's table: what a changed setting does to those who are
// connected, and to those who come.
import { afterEach, test } from "node:test";
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { ask, client, connected, endClients, refused } from "../../lib/clients.mjs";
import { startCaddy } from "../../lib/caddy.mjs";
import { directive } from "../../lib/caddyfile.mjs";
import { endpoint, http, Polling } from "../../lib/polling.mjs";
import { refusal, Socket } from "../../lib/socket.mjs";
import { once, within } from "../../lib/wait.mjs";

const DIST = fileURLToPath(new URL("../../node_modules/socket.io-client/dist/", import.meta.url));

let server;
afterEach(async () => {
  endClients();
  await server.stop();
});

const E2E = ["namespace / {\n gateway e2e\n}"];
const site = (extra = [], settings = {}) => directive({ extra, settings, namespaces: E2E });
const start = async (extra, settings) => (server = await startCaddy({ site: site(extra, settings) }));
const reload = (extra, settings) => server.reload({ site: site(extra, settings) });
const limits = (...lines) => [`limits {\n ${lines.join("\n ")}\n}`];

/** A socket in "/" over either transport. */
async function inside(Kind) {
  const session = await Kind.open(server);
  await session.connect();
  return session;
}

/** The session is served as before. */
async function lives(session) {
  await session.send('421["message-with-ack","alive"]');
  let packet = await session.receive();
  while (packet === "2" || packet === "6") packet = await session.receive();
  assert.equal(packet, '431["alive"]');
}

/** The answer to a handshake over polling. */
const handshake = async () => (await http(endpoint(server, { transport: "polling" }))).status;

test("limits of events and rooms: at once", async () => {
  await start();
  const socket = await connected("v4", server);
  await reload(limits("rooms_per_socket 1", "events_per_socket 1/s 4"));
  assert.deepEqual(await ask(socket, "join", "a"), ["a"]);
  assert.equal((await ask(socket, "join", "b")).error.code, "too-many-rooms");
  const answers = await Promise.all(Array.from({ length: 8 }, () => ask(socket, "count-args", 1)));
  assert.ok(answers.some((a) => a.error?.code === "rate-limited"), JSON.stringify(answers));
});

for (const limit of ["connections 2", "connections_per_ip 2"]) {
  test(`${limit}: new sessions`, async () => {
    await start();
    const [websocket, polling] = [await inside(Socket), await inside(Polling)];
    await reload(limits(limit));
    assert.equal(await handshake(), 429);
    await lives(websocket);
    await lives(polling);
    await reload();
    assert.equal(await handshake(), 200);
  });
}

for (const limit of ["unauthenticated 2", "unauthenticated_per_ip 2"]) {
  test(`${limit}: new sessions`, async () => {
    await start();
    const [websocket, polling] = [await Socket.open(server), await Polling.open(server)];
    await reload(limits(limit));
    assert.equal(await handshake(), 429);
    await Promise.all([websocket.connect(), polling.connect()]);
    assert.equal(await handshake(), 200);
  });
}

test("handshakes_per_ip: new sessions", async () => {
  await start();
  const before = await inside(Polling);
  await reload(limits("handshakes_per_ip 1/h 1"));
  assert.deepEqual([await handshake(), await handshake()], [200, 429]);
  await lives(before);
  await reload(limits("handshakes_per_ip 1/h 2"));
  assert.deepEqual([await handshake(), await handshake(), await handshake()], [200, 200, 429]);
});

test("bytes_per_socket: at once", async () => {
  await start();
  const socket = await connected("v4", server);
  const large = "x".repeat(2000);
  await reload(limits("bytes_per_socket 1KB/h 1KB"));
  assert.equal(await ask(socket, "count-args", large), 1); // may be larger than the burst
  assert.equal((await ask(socket, "count-args", 1)).error.code, "rate-limited");
  await reload();
  assert.equal(await ask(socket, "count-args", large), 1);
});

test("send_buffer: at once", async () => {
  await start(["max_payload 1KB", ...limits("send_buffer 1MB")]);
  const polling = await inside(Polling);
  await reload(["max_payload 1KB", ...limits("send_buffer 5KB")]);
  await polling.post('42["flood",{"count":20,"size":1000}]');
  // The handler runs on its own: a poll that came earlier would take some of it.
  await server.program.line((l) => l.msg === "client disconnected", "the end of the client");
  assert.equal((await polling.get()).status, 400);
});

test("max_payload: new sessions", async () => {
  await start();
  const before = await inside(Polling);
  await reload([], { maxHttpBufferSize: 1000 });
  const large = `42["count-args","${"x".repeat(5000)}"]`;
  assert.equal((await before.post(large)).status, 200);
  const after = await inside(Polling);
  assert.equal(after.handshake.maxPayload, 1000);
  assert.equal((await after.post(large)).status, 413);
});

test("connect_timeout: new sessions", async () => {
  await start();
  const before = await Socket.open(server);
  await reload([], { connectTimeout: 300 });
  await (await Socket.open(server)).closed();
  await before.connect();
});

test("ping_timeout: new sessions", async () => {
  const pingInterval = 100;
  await start([], { pingInterval, pingTimeout: 100_000 });
  const before = await inside(Socket); // which answers no ping, as the next one
  await reload([], { pingInterval, pingTimeout: 200 });
  const after = await Socket.open(server);
  assert.deepEqual([before, after].map((s) => s.handshake.pingTimeout), [100_000, 200]);
  await after.closed();
  await lives(before);
});

test("upgrade_timeout: new upgrades", async () => {
  await start();
  const polling = await inside(Polling);
  await reload([], { upgradeTimeout: 300 });
  await (await Socket.upgrade(polling)).closed();
  await lives(polling);
});

test("transports: new sessions", async () => {
  await start();
  const [websocket, polling] = [await inside(Socket), await inside(Polling)];
  await reload([], { transports: ["websocket"] });
  assert.equal((await http(endpoint(server, { transport: "polling" }))).status, 400);
  await lives(polling);
  await reload([], { transports: ["polling"] });
  assert.equal((await refusal(server)).status, 400);
  await lives(websocket);
  await lives(polling);
});

test("compression: at once", async () => {
  await start();
  const polling = await inside(Polling);
  const headers = { "accept-encoding": "gzip" };
  const echo = async () => {
    await polling.send(`42["message","${"x".repeat(3000)}"]`);
    return (await polling.get({ headers })).headers["content-encoding"];
  };
  assert.equal(await echo(), "gzip");
  await reload(["compression off"]);
  assert.equal(await echo(), undefined);
});

test("serve_client: at once", async () => {
  await start();
  const polling = await inside(Polling);
  const type = async () => (await http(`${server.url}/socket.io/socket.io.js`)).headers["content-type"];
  assert.equal(await type(), undefined);
  await reload([`serve_client ${DIST}`]);
  assert.match(await type(), /^text\/javascript/);
  await reload();
  assert.equal(await type(), undefined);
  await lives(polling);
});

test("permessage_deflate: new websockets", async () => {
  await start();
  const before = await inside(Socket);
  await reload(["permessage_deflate 1KB"]);
  const after = await inside(Socket);
  assert.deepEqual([before, after].map((s) => /permessage-deflate/.test(s.ws.extensions)), [false, true]);
  await lives(before);
});

test("allow_eio3 and session_cookie: new sessions", async () => {
  await start();
  const before = await inside(Polling);
  const old = () => http(endpoint(server, { EIO: 3, transport: "polling" }));
  assert.equal((await old()).status, 400);
  await reload(["allow_eio3", "session_cookie io"]);
  assert.equal((await old()).status, 200);
  assert.match((await Polling.open(server)).answer.headers["set-cookie"][0], /^io=/);
  await lives(before);
});

test("recovery: sockets that enter from then on", async () => {
  await start();
  const before = await Socket.open(server);
  assert.equal((await before.connect()).pid, undefined);
  await reload(["recovery 2m"]);
  const after = await Socket.open(server);
  assert.equal(typeof (await after.connect()).pid, "string");
  await lives(before);
  await reload();
  await lives(after);
});

test("auth: sockets that enter from then on", async () => {
  await start();
  const before = await inside(Socket);
  await reload([`auth jwt {\n secret ${"s".repeat(32)}\n}`]);
  assert.equal((await refused(client("v4", server))).message, "unauthorized");
  await lives(before);
});

test("options of a gateway: at once", async () => {
  const webrtc = (options) => directive({ namespaces: [`namespace / {\n gateway webrtc {\n  ${options}\n }\n}`] });
  server = await startCaddy({ site: webrtc("room_capacity 5") });
  const [a, b] = [await connected("v4", server), await connected("v4", server)];
  assert.equal((await ask(a, "join", { room: "r" })).ok, true);
  await server.reload({ site: webrtc("room_capacity 1") });
  assert.equal((await ask(b, "join", { room: "r" })).error.code, "room-full");
});

test("drain: the next stop", async () => {
  await start(["drain 5m"]);
  const socket = await inside(Socket);
  await socket.send('421["join","observers"]', '42["wait","never opened"]');
  await socket.receive();
  assert.equal(await socket.receive(), '42["waiting","never opened"]');
  await reload(["drain 1s"]);
  server.program.child.kill("SIGTERM");
  assert.equal((await socket.closed()).code, 1001);
  assert.equal((await within(server.program.exited, "the exit")).code, 0);
});

test("path: at once, and both while one server stands at both", async () => {
  await start(["name moved"]);
  const [polling, websocket] = [await inside(Polling), await inside(Socket)];
  const at = (path) => site(["name moved", `path ${path}`]);
  await server.reload({ site: `route {\n${at("/new/")}\n${at("/socket.io/")}\n}` });
  const moved = () => http(`${server.url}/new/?EIO=4&transport=polling`);
  assert.equal((await moved()).status, 200);
  await lives(polling);
  await server.reload({ site: `${at("/new/")}\nrespond next` });
  assert.equal((await polling.get()).body, "next");
  assert.equal((await moved()).status, 200);
  await lives(websocket);
});

test("name: another server, and the old one says goodbye", async () => {
  await start(["name old"]);
  const socket = await connected("v4", server, "/", { transports: ["websocket"] });
  const told = once(socket, "disconnect");
  await reload(["name new"]);
  assert.equal([await told].flat()[0], "io server disconnect");
  await inside(Socket);
});
