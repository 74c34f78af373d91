// Handlers that go wrong: exactly one answer, and never a detail of the server.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { ask, client, connected, endClients, refused } from "../../lib/clients.mjs";
import { startCaddy } from "../../lib/caddy.mjs";
import { once } from "../../lib/wait.mjs";

let server;
before(async () => (server = await startCaddy()));
after(async () => {
  endClients();
  await server.stop();
});

const connect = () => connected("v4", server);
const INTERNAL = { ok: false, error: { code: "internal" } };

/** The answer's error without its wording, which is for people. */
function coded({ ok, error: { message, ...error } }) {
  assert.equal(typeof message, "string");
  assert.doesNotMatch(message, /secret|nil |chan/);
  return { ok, error };
}

for (const event of ["fail", "panic", "unencodable-answer"]) {
  test(`${event}: the ack is "internal" without detail`, async () => {
    const socket = await connect();
    assert.deepEqual(coded(await ask(socket, event)), INTERNAL);
    assert.equal(await ask(socket, "count-args", 1), 1);
  });

  // Nobody reads the value that a handler returns without an ack.
  if (event !== "unencodable-answer") test(`${event}: without an ack it is the event "exception"`, async () => {
    const socket = await connect();
    const exception = once(socket, "exception");
    socket.emit(event);
    const { message, ...rest } = await exception;
    assert.doesNotMatch(message, /secret|nil |chan/);
    assert.deepEqual(rest, { status: "error", code: "internal", event });
  });
}

test("a panic is one line of the log, with its stack", async () => {
  const socket = await connect();
  await ask(socket, "panic");
  const about = (l) => l.socket === socket.id && /panic/.test(l.error ?? "");
  const line = await server.program.line(about, "the log line of the panic");
  assert.equal(line.level, "error");
  assert.match(line.stack, /testgateway/);
  assert.equal(server.logs.filter(about).length, 1);
});

test("an error with a code reaches the client with its data", async () => {
  const socket = await connect();
  const wanted = { code: "conflict", message: "stale revision", revision: 7 };
  assert.deepEqual(await ask(socket, "fail-coded"), { ok: false, error: wanted });
  const exception = once(socket, "exception");
  socket.emit("fail-coded");
  assert.deepEqual(await exception, { status: "error", ...wanted, event: "fail-coded" });
});

test("an unknown event is answered, with and without an ack", async () => {
  const socket = await connect();
  assert.deepEqual(coded(await ask(socket, "nonsense", 1)), { ok: false, error: { code: "unknown-event" } });
  const exception = once(socket, "exception");
  socket.emit("nonsense");
  assert.equal((await exception).code, "unknown-event");
});

test("an event whose payload does not fit names the field", async () => {
  const socket = await connect();
  const wanted = { code: "invalid-payload", message: "count must not be string" };
  assert.deepEqual(await ask(socket, "typed", { room: "r", count: "x" }), { ok: false, error: wanted });
  assert.deepEqual(await ask(socket, "typed", { room: "r", count: 2 }), { room: "r", count: 2 });
});

test("what JSON cannot encode is refused when it is emitted", async () => {
  const socket = await connect();
  assert.deepEqual(await ask(socket, "unencodable"), { refused: true });
  assert.deepEqual(await ask(socket, "reserved"), { refused: true });
});

test("a handler for all events gets those without one of their own", async () => {
  const socket = await connect();
  assert.equal(await ask(socket, "handle-any"), "installed");
  assert.equal(await ask(socket, "nonsense"), "any:nonsense");
  assert.equal(await ask(socket, "error"), "any:error");
  assert.equal(await ask(socket, "count-args", 1), 1);
});

test("a named reply is an event, and the ack when one is asked for", async () => {
  const socket = await connect();
  const replied = once(socket, "replied");
  socket.emit("reply", { a: 1 });
  assert.deepEqual(await replied, { a: 1 });
  assert.equal(await ask(socket, "reply", 1), "seen");
});

test("a gateway that refuses with an ordinary error tells nothing of it", async () => {
  const error = await refused(client("v4", server, "/", { auth: { refuse: "plain" } }));
  assert.equal(error.message, "internal");
  assert.doesNotMatch(JSON.stringify(error.data ?? null), /secret/);
});

test("DISCONNECT and CONNECT in one breath give a new socket", async () => {
  const socket = await connect();
  const first = socket.id;
  const other = socket.io.socket("/custom");
  await once(other, "connect");
  const again = once(socket, "connect");
  socket.disconnect().connect();
  await again;
  assert.notEqual(socket.id, first);
  assert.equal(await ask(socket, "count-args", 1), 1);
  assert.equal(await ask(other, "count-args", 1), 1);
});
