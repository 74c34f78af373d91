// What access logs and traces tell operators of sessions, and what they do not.
import { afterEach, test } from "node:test";
import assert from "node:assert/strict";
import { ask, client, connected, endClients } from "../../lib/clients.mjs";
import { startCaddy } from "../../lib/caddy.mjs";
import { directive } from "../../lib/caddyfile.mjs";
import { Polling } from "../../lib/polling.mjs";
import { Socket } from "../../lib/socket.mjs";
import { once } from "../../lib/wait.mjs";

let server;
afterEach(async () => {
  endClients();
  await server.stop();
});

const access = (l) => /http\.log\.access/.test(l.logger ?? "");

test("all requests of a session carry its label, and its end the bytes", async () => {
  server = await startCaddy({ site: `log\n${directive()}` });
  const polling = await Polling.open(server);
  await polling.connect();
  const socket = await Socket.upgrade(polling);
  const opened = await server.program.line((l) => access(l) && l.status === 101, "the access log of the websocket");
  assert.equal(opened.socketio_transport, "websocket");
  assert.match(opened.socketio_session, /^[0-9a-f]{12}$/);
  assert.equal(typeof opened.duration, "number");
  const polls = server.logs.filter((l) => access(l) && l.socketio_transport === "polling");
  assert.deepEqual(new Set(polls.map((l) => l.socketio_session)), new Set([opened.socketio_session]));
  assert.deepEqual(polls.map((l) => [l.status, l.size > 0]), polls.map(() => [200, true]));
  assert.ok(polls.length >= 3, "the handshake, the POST and the poll");
  socket.send("2probe");
  await socket.receive();
  socket.send("5", '421["message-with-ack","0123456789"]');
  await socket.receive();
  socket.close();
  const end = await server.program.line((l) => l.msg === "client disconnected", "the end of the client");
  assert.equal(end.session, opened.socketio_session);
  assert.ok(end.bytes_in > 30 && end.bytes_out > 40 && end.duration > 0, JSON.stringify(end));
});

test("a websocket's own handshake has status 101 and the label of its session", async () => {
  server = await startCaddy({ site: `log\n${directive()}` });
  const socket = await connected("v4", server, "/", { transports: ["websocket"] });
  const came = await server.program.line((l) => l.msg === "client connected", "client connected");
  const line = await server.program.line(access, "the access log");
  assert.deepEqual([line.status, line.socketio_transport, line.socketio_session], [101, "websocket", came.session]);
  assert.notEqual(came.session, socket.io.engine.id);
});

test("Caddy's tracing has the handshake and the events, of known names only", async () => {
  const env = { OTEL_TRACES_EXPORTER: "console", OTEL_BSP_SCHEDULE_DELAY: "50" };
  server = await startCaddy({ env, site: `tracing\n${directive()}` });
  const socket = await connected("v4", server, "/", { transports: ["websocket"] });
  await ask(socket, "count-args", 1);
  await ask(socket, "made-up-name");
  const span = (l) => l.SpanContext !== undefined;
  const text = (part) => server.program.line((l) => span(l) && JSON.stringify(l).includes(part), part);
  await text('"socketio handshake"');
  await text('"socketio event"');
  await text('"count-args"');
  await text('"other"');
  assert.ok(!server.logs.some((l) => span(l) && JSON.stringify(l).includes("made-up-name")));
});

test("Caddy events tell of clients and of the drain", async () => {
  server = await startCaddy({ extra: ["drain 2s"], globals: ["debug"] });
  const socket = client("v4", server, "/", { transports: ["websocket"] });
  await once(socket, "connect");
  const told = (name) => server.program.line((l) => l.logger === "events" && l.name === name, name);
  const { data } = await told("socketio.connect");
  assert.deepEqual([data.namespace, data.transport, data.socket], ["/", "websocket", socket.id]);
  socket.disconnect();
  assert.equal((await told("socketio.disconnect")).data.reason, "client namespace disconnect");
  server.program.child.kill("SIGTERM");
  assert.equal(typeof (await told("socketio.drain")).data.sessions, "number");
});
