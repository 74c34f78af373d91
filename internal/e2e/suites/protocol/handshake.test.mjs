// Engine.IO v4: opening a session, and requests that cannot open one.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { endpoint, http, Polling } from "../../lib/polling.mjs";
import { refusal, Socket } from "../../lib/socket.mjs";
import { deviation, startServer } from "../../lib/server.mjs";

let server;
before(async () => (server = await startServer()));
after(() => server.stop());

const KEYS = ["maxPayload", "pingInterval", "pingTimeout", "sid", "upgrades"];

test("polling: the open packet tells sid, upgrades and timings", async () => {
  const { answer, handshake } = await Polling.open(server);
  assert.deepEqual(Object.keys(handshake).sort(), KEYS);
  assert.equal(typeof handshake.sid, "string");
  assert.deepEqual(handshake.upgrades, ["websocket"]);
  assert.equal(handshake.pingInterval, 25_000);
  assert.equal(handshake.pingTimeout, 20_000);
  assert.equal(handshake.maxPayload, 1_000_000);
  const because = "Caddy's templates handler takes text/plain for a template";
  const type = deviation(/^text\/x-engine.io; ?charset=utf-8$/i, { reference: /^text\/plain; ?charset=utf-8$/i, because });
  assert.match(answer.headers["content-type"], type);
});

test("websocket: the open packet offers no upgrade", async () => {
  const socket = await Socket.open(server);
  assert.deepEqual(Object.keys(socket.handshake).sort(), KEYS);
  assert.deepEqual(socket.handshake.upgrades, []);
  assert.equal(socket.handshake.maxPayload, 1_000_000);
  socket.close();
});

test("session ids are long and never repeated", async () => {
  const sessions = await Promise.all(Array.from({ length: 50 }, () => Polling.open(server)));
  const sids = sessions.map((s) => s.sid);
  assert.equal(new Set(sids).size, 50);
  for (const sid of sids) assert.match(sid, /^[\w-]{20,}$/);
});

test("the path works without its last slash", async () => {
  const url = endpoint(server, { transport: "polling" }).replace("/socket.io/?", "/socket.io?");
  const { status } = await http(url);
  assert.equal(status, deviation(200, { reference: 404, because: "it only answers below the slash when strict" }));
});

test("an unknown query parameter is no error", async () => {
  const { handshake } = await Polling.open(server, { query: { t: "abc", b64: 1, x: "ü &=" } });
  assert.ok(handshake.sid);
});

const REFUSED = [
  ["a missing EIO", { query: { EIO: undefined } }, 400, 5, "Unsupported protocol version"],
  ["EIO=abc", { query: { EIO: "abc" } }, 400, 5, "Unsupported protocol version"],
  ["EIO=5", { query: { EIO: 5 } }, 400, 5, "Unsupported protocol version"],
  ["EIO=3, which is off by default", { query: { EIO: 3 } }, 400, 5, "Unsupported protocol version"],
  ["a missing transport", { query: { transport: undefined } }, 400, 0, "Transport unknown"],
  ["an unknown transport", { query: { transport: "abc" } }, 400, 0, "Transport unknown"],
  ["the transport __proto__", { query: { transport: "__proto__" } }, 400, 0, "Transport unknown"],
  ["an unknown sid", { query: { sid: "abc" } }, 400, 1, "Session ID unknown"],
  ["an unknown sid on POST", { query: { sid: "abc" }, method: "POST", body: "4x" }, 400, 1, "Session ID unknown"],
  ["the sid __proto__", { query: { sid: "__proto__" } }, 400, 1, "Session ID unknown"],
  ["POST without sid", { method: "POST" }, 400, 2, "Bad handshake method"],
  ["PUT without sid", { method: "PUT" }, 400, 2, "Bad handshake method"],
  ["DELETE without sid", { method: "DELETE" }, 400, 2, "Bad handshake method"],
  ["a websocket transport without an upgrade", { query: { transport: "websocket" } }, 400, 3, "Bad request"],
];

for (const [name, { query, ...options }, status, code, message] of REFUSED) {
  test(`polling refuses ${name}`, async () => {
    const answer = await http(endpoint(server, { transport: "polling", ...query }), options);
    assert.equal(answer.status, status);
    assert.deepEqual(JSON.parse(answer.body), { code, message });
    assert.match(answer.headers["content-type"], /^application\/json/);
  });
}

for (const [name, query] of [
  ["a missing EIO", { EIO: undefined }],
  ["EIO=abc", { EIO: "abc" }],
  ["EIO=3, which is off by default", { EIO: 3 }],
  ["a missing transport", { transport: undefined }],
  ["an unknown transport", { transport: "abc" }],
  ["an unknown sid", { sid: "abc" }],
]) {
  test(`websocket refuses ${name}`, async () => {
    const { status } = await refusal(server, { query });
    const late = { reference: undefined, because: "it answers 101, then cuts the connection" };
    assert.equal(status, "EIO" in query ? deviation(400, late) : 400);
  });
}

test("two sessions of one client are independent", async () => {
  const [a, b] = await Promise.all([Polling.open(server), Socket.open(server)]);
  await a.connect();
  await b.connect();
  await a.send("1");
  b.send('420["count-args",1,2]');
  assert.equal(await b.receive(), "430[2]");
  b.close();
});
