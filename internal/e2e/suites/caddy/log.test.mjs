// What the log says of clients, and what it must never say.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { ask, client, connected, endClients, refused } from "../../lib/clients.mjs";
import { startCaddy } from "../../lib/caddy.mjs";
import { endpoint, http, Polling } from "../../lib/polling.mjs";
import { refusal, Socket } from "../../lib/socket.mjs";

let server;
before(async () => (server = await startCaddy({ settings: { connectTimeout: 3000, upgradeTimeout: 1000 } })));
after(async () => {
  endClients();
  await server.stop();
});

/** A line has fields of these values. */
const has = (line, fields) => assert.deepEqual(Object.fromEntries(Object.keys(fields).map((key) => [key, line[key]])), fields);

test("the server says that it is ready", () =>
  server.program.line((l) => l.msg === "socketio server ready", "the ready line"));

test("a client's coming and going are logged with their fields", async () => {
  const socket = await connected("v4", server, "/custom", { transports: ["websocket"] });
  const { id } = socket;
  const came = await server.program.line((l) => l.msg === "client connected" && l.socket === id, "client connected");
  const stable = { namespace: "/custom", socket: id, remote_ip: "127.0.0.1", transport: "websocket", user: "" };
  assert.equal(came.level, "info");
  has(came, stable);
  socket.disconnect();
  const went = await server.program.line((l) => l.msg === "client disconnected" && l.socket === id, "client disconnected");
  has(went, stable);
  assert.equal(went.reason, "client namespace disconnect");
  assert.equal(typeof went.duration, "number");
});

test("a refused connection is logged with its reason and with the namespace that was asked for", async () => {
  await refused(client("v4", server, "/random"));
  const line = await server.program.line((l) => l.msg === "connection refused" && l.reason === "invalid namespace", "connection refused");
  has(line, { level: "debug", namespace: "/random", remote_ip: "127.0.0.1", transport: "polling", user: "" });
});

test("one that its gateway refuses likewise, with its socket", async () => {
  await refused(client("v4", server, "/", { auth: { refuse: "no" }, transports: ["websocket"] }));
  const line = await server.program.line((l) => l.msg === "connection refused" && l.reason === "gateway", "connection refused");
  has(line, { namespace: "/", remote_ip: "127.0.0.1", transport: "websocket", user: "" });
  assert.match(line.socket, /^[\w-]{24}$/);
});

test("no session id, cookie, token or payload is in any line", async () => {
  const polling = await Polling.open(server, { headers: { cookie: "session=cookie-secret", authorization: "Bearer header-secret" } });
  await polling.connect("/", { token: "token-secret" });
  await polling.send('42["message","payload-secret"]');
  await polling.receive();
  await polling.post("abc").catch(() => {});
  const socket = await connected("v4", server, "/", { auth: { token: "token-secret", refuse: undefined } });
  await ask(socket, "fail");
  socket.disconnect();
  await server.program.line((l) => l.msg === "client disconnected" && l.socket === socket.id, "the last line").catch(() => {});
  const text = JSON.stringify(server.logs);
  for (const secret of [polling.sid, "cookie-secret", "header-secret", "token-secret", "payload-secret"]) {
    assert.ok(!text.includes(secret), `the log has ${secret}`);
  }
});

test("an event is logged at debug level, by its name and not by its content", async () => {
  const socket = await connected("v4", server);
  await ask(socket, "count-args", "payload-secret");
  const line = await server.program.line((l) => l.msg === "event" && l.socket === socket.id, "the event's line");
  assert.deepEqual([line.level, line.event], ["debug", "count-args"]);
  assert.ok(!JSON.stringify(server.logs).includes("payload-secret"));
});

const polls = (query, options) => () => http(endpoint(server, { transport: "polling", ...query }), options);

/** What a client does wrong in a session over polling. */
const posts = (body, headers) => async () => {
  const session = await Polling.open(server);
  await session.connect();
  await session.post(body, { headers }).catch(() => {});
};

const ENTERED = Symbol("in a namespace");

/** What it does wrong in one over websocket. */
const sends = (...frames) => async () => {
  const session = await Socket.open(server);
  if (frames[0] === ENTERED) await session.connect();
  session.send(...frames.filter((frame) => frame !== ENTERED));
  await session.closed();
};

const FAULTS = {
  "a version that is missing": polls({ EIO: undefined }),
  "an unknown version": polls({ EIO: 9 }),
  "an unknown transport": polls({ transport: "abc" }),
  "an unknown session": polls({ sid: "abc" }),
  "a foreign origin": polls({}, { headers: { origin: "https://evil.test" } }),
  "a handshake by POST": polls({}, { method: "POST", body: "4" }),
  "a handshake by DELETE": polls({}, { method: "DELETE" }),
  "a websocket without an upgrade": polls({ transport: "websocket" }),
  "a foreign origin's websocket": () => refusal(server, { headers: { origin: "https://evil.test" } }),
  "a malformed POST": posts("abc"),
  "an empty POST": posts(""),
  "a binary POST": posts("abc", { "content-type": "application/octet-stream" }),
  "a POST over max_payload": posts("x".repeat(1_000_001)),
  "a POST of malformed JSON": posts('42["x",'),
  "a malformed frame": sends("abc"),
  "a frame over max_payload": sends("x".repeat(1_000_001)),
  "an event before CONNECT": sends('42["message"]'),
  "an event for a namespace not entered": sends(ENTERED, '42/custom,["message"]'),
  "a namespace entered twice": sends(ENTERED, "40"),
  "no namespace entered in time": sends(),
  "an upgrade that is not finished in time": async () => {
    const session = await Polling.open(server);
    await session.connect();
    const socket = await Socket.upgrade(session);
    await socket.closed();
    await session.post("1");
  },
  "an event of malformed JSON": sends(ENTERED, '42["x",'),
  "binary without an event": sends(ENTERED, Buffer.from([1])),
  "faults in a row": sends("abc", "def", "42[", "7"),
};

for (const [name, commit] of Object.entries(FAULTS)) {
  test(`${name} is one line at debug or warn`, async () => {
    const before = server.logs.length;
    await commit();
    // A later request's line tells that the earlier ones have been written.
    const marker = await connected("v4", server);
    await server.program.line((l) => l.msg === "client connected" && l.socket === marker.id, "the marker");
    // A client that had entered a namespace has lines of its coming and going, and
    // limits have lines of theirs.
    const lines = server.logs.slice(before).filter((l) => /socketio/.test(l.logger ?? "") && !/^(client |limit reached)/.test(l.msg));
    assert.equal(lines.length, 1, JSON.stringify(lines));
    assert.match(lines[0].level, /^(debug|warn)$/);
    assert.match(lines[0].msg, /^(connection refused|connection closed|websocket ended)$/);
    assert.ok(lines[0].reason ?? lines[0].error, "it says why");
    assert.equal(lines[0].remote_ip, "127.0.0.1");
    assert.equal(typeof lines[0].transport, "string");
  });
}

// Last, since a number of lines left out follows after a while.
test("a namespace's name cannot break the log, and many cannot fill it", async () => {
  const socket = await Socket.open(server);
  const odd = `/\n{"msg":"forged"}\u0007${"x".repeat(470)}`;
  for (let i = 0; i < 50; i++) {
    socket.send(`40${odd}${i},`);
    assert.match(await socket.receive(), /^44\/\n.*Invalid namespace/s);
  }
  socket.close();
  await server.program.line((l) => l.namespace === `${odd}0`, "the line of the first");
  const lines = server.logs.filter((l) => l.namespace?.startsWith("/\n")).length;
  assert.ok(lines <= 10, `${lines} lines`);
  assert.ok(server.logs.every((l) => l.msg !== "forged"));
});
