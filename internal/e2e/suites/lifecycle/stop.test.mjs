// A stop lets work finish, says goodbye, and is over soon.
import { afterEach, test } from "node:test";
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { connect as connectHTTP2 } from "node:http2";
import { connect as connectTCP } from "node:net";
import { Sender } from "ws";
import { ask, client, connected, endClients, ready } from "../../lib/clients.mjs";
import { startCaddy } from "../../lib/caddy.mjs";
import { directive } from "../../lib/caddyfile.mjs";
import { Crowd } from "../../lib/crowd.mjs";
import { endpoint, http, Polling } from "../../lib/polling.mjs";
import { refusal, Socket } from "../../lib/socket.mjs";
import { Program } from "../../lib/process.mjs";
import { eventually, Inbox, once, within } from "../../lib/wait.mjs";

let server;
afterEach(async () => {
  endClients();
  await server.stop();
});

const start = (extra = ["drain 2s"], more) => startCaddy({ extra: [...extra, "limits {\n exempt 127.0.0.0/8\n}"], settings: { pingInterval: 300_000 }, ...more });

// In seconds: net/http looks twice in one whether requests have ended, and the machine may be busy.
const SLACK = 2;

/** Waits for the exit, which by Caddy's own log comes within the drain's seconds. */
async function gone(drain) {
  assert.equal((await within(server.program.exited, "the exit")).code, 0);
  const at = (text) => server.logs.find((l) => l.msg?.startsWith(text))?.ts;
  const end = await eventually(() => at("shutdown complete"), "the last line"); // it may be on its way to us
  const took = end - at("shutting down apps");
  assert.ok(took <= drain + SLACK, `the stop took ${took} s, with a drain of ${drain} s`);
}

const STOPS = {
  SIGTERM: () => server.program.child.kill("SIGTERM"),
  SIGINT: () => server.program.child.kill("SIGINT"),
  "POST /stop": () => server.admin("POST", "/stop"),
  "caddy stop": () => {
    const args = ["stop", "--address", `unix/${server.config.admin}`];
    return new Program(process.env.CADDY_BIN, args, { env: server.env }).exited;
  },
};

for (const [name, stop] of Object.entries(STOPS)) {
  test(`${name}: websockets get 1001, waiting polls the close packet, nobody a DISCONNECT`, async () => {
    server = await start(["drain 5s"]);
    const crowd = await Crowd.gather(server, { size: 50, namespaces: ["/", "/custom"] });
    const polls = await Promise.all(crowd.pollings.map((p) => p.waitingGet()));
    await stop();
    for (const socket of crowd.websockets) {
      assert.equal((await socket.closed()).code, 1001);
      assert.deepEqual(socket.inbox.waiting.filter((packet) => packet !== "1"), []);
    }
    for (const { status, body } of await Promise.all(polls.map((p) => p.answer))) assert.deepEqual([status, body], [200, "1"]);
    const { code } = await within(server.program.exited, "the exit");
    assert.equal(code, 0);
  });
}

test("with the eternal grace period and a poll that waits, the exit still comes", async () => {
  server = await start();
  const polling = await Polling.open(server);
  await polling.connect();
  const { answer } = await polling.waitingGet();
  server.program.child.kill("SIGTERM");
  assert.equal((await answer).body, "1");
  await gone(2);
});

test("a running handler finishes, while newcomers are sent away", async () => {
  server = await start(["drain 10s"]);
  const [waiter, opener] = await Promise.all([Socket.open(server), Socket.open(server)]);
  await Promise.all([waiter.connect(), opener.connect()]);
  opener.send('421["join","observers"]');
  assert.equal(await opener.receive(), '431[["observers"]]');
  waiter.send('421["wait","gate"]');
  assert.equal(await opener.receive(), '42["waiting","gate"]');
  server.program.child.kill("SIGTERM");
  // A connection that the closing listener resets says nothing: ask again.
  const asked = (answer) => eventually(async () => {
    const told = await answer();
    return told.status !== 200 && told.status !== "ECONNRESET" && told;
  }, "the refusal of newcomers");
  const away = await asked(() => http(endpoint(server, { transport: "polling" })).catch((error) => ({ status: error.code })));
  // The listener may be gone by then, which is as good.
  if (away.status === 503) assert.match(away.headers["retry-after"], /^\d+$/);
  else assert.equal(away.status, "ECONNREFUSED");
  const { status } = await asked(async () => {
    const told = await refusal(server);
    return { status: told.status ?? told.error?.code };
  });
  assert.ok(status === 503 || status === "ECONNREFUSED", status);
  opener.send('422["open","gate"]');
  assert.equal(await waiter.receive(), '431["passed"]');
  assert.equal((await waiter.closed()).code, 1001);
  assert.equal((await opener.closed()).code, 1001);
  assert.equal((await within(server.program.exited, "the exit")).code, 0);
});

test("a handler that never ends does not hold the exit", async () => {
  server = await start(["drain 1s"]);
  const socket = await Socket.open(server);
  await socket.connect();
  socket.send('421["join","observers"]', '422["wait","never opened"]');
  assert.equal(await socket.receive(), '431[["observers"]]');
  assert.equal(await socket.receive(), '42["waiting","never opened"]');
  server.program.child.kill("SIGTERM");
  assert.equal((await socket.closed()).code, 1001);
  await gone(1);
});

/** The bytes that wait for clients. */
async function queued() {
  const { body } = await server.admin("GET", "/metrics");
  return Number(/^caddy_socketio_queued_bytes\{.*\} (\S+)$/m.exec(body)[1]);
}

const STALLED = {
  async "a websocket inside HTTP/2 that is not read"() {
    const session = connectHTTP2(server.url);
    session.on("error", () => {});
    await once(session, "remoteSettings", { when: (s) => s.enableConnectProtocol });
    const stream = session.request({ ":method": "CONNECT", ":protocol": "websocket", ":path": "/socket.io/?EIO=4&transport=websocket", "sec-websocket-version": 13 });
    stream.on("error", () => {});
    assert.equal((await once(stream, "response"))[0][":status"], 200); // nobody reads what follows
    for (const packet of ["40", ...Array(3).fill(`42["message","${"x".repeat(300_000)}"]`)]) {
      for (const part of Sender.frame(Buffer.from(packet), { fin: true, opcode: 1, mask: true, readOnly: false })) stream.write(part);
    }
    await eventually(async () => (await queued()) > 800_000, "the answers, which the flow control holds");
    return session;
  },
  async "a poll that is not read"() {
    const polling = await Polling.open(server);
    await polling.connect();
    for (let i = 0; i < 2; i++) await polling.send(`42["message","${"x".repeat(8_000_000)}"]`);
    await eventually(async () => (await queued()) > 16_000_000, "the answers");
    const socket = connectTCP(server.port, "127.0.0.1").pause();
    socket.on("error", () => {});
    socket.write(`GET ${polling.url.slice(server.url.length)} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await eventually(async () => (await queued()) === 0, "the poll that takes them");
    return socket;
  },
  async "a POST whose body does not come"() {
    const polling = await Polling.open(server);
    await polling.connect();
    const socket = connectTCP(server.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write(`POST ${polling.url.slice(server.url.length)} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n42["mes`);
    // A second one beside it is refused.
    await eventually(async () => (await polling.post("3")).status === 400, "the POST that is being read");
    return socket;
  },
};

for (const [name, stall] of Object.entries(STALLED)) {
  test(`${name} does not hold the exit`, async () => {
    const globals = ["metrics", "servers {\n protocols h1 h2c\n}"];
    const options = ["drain 2s", "limits {\n send_buffer 40MB\n bytes_per_socket 40MB/s 40MB\n}", "max_payload 20MB"];
    server = await startCaddy({ extra: options, settings: { pingInterval: 300_000 }, globals, env: { GODEBUG: "http2xconnect=1" } });
    const stalled = await stall();
    server.program.child.kill("SIGTERM");
    await gone(2);
    stalled.destroy();
  });
}

for (const transports of [["websocket"], ["polling"]]) {
  test(`stock clients by ${transports} come back after a stop and a start`, async () => {
    server = await start();
    const options = { transports, reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 200 };
    const sockets = Array.from({ length: 10 }, (_, i) => client("v4", server, i % 2 ? "/" : "/custom", options));
    await Promise.all(sockets.map(ready));
    const lost = Promise.all(sockets.map((s) => once(s, "disconnect")));
    await server.end("SIGTERM");
    for (const reason of await lost) assert.match([reason].flat()[0], /^transport (close|error)$/);
    const back = Promise.all(sockets.map((s) => once(s, "connect")));
    await server.start();
    await back;
    assert.deepEqual(await Promise.all(sockets.map((s) => ask(s, "count-args", 1))), sockets.map(() => 1));
  });
}

test("from the first moment of draining on health is 503", async () => {
  server = await start(["drain 10s"]);
  assert.equal((await server.admin("GET", "/socketio/health")).status, 200);
  const [waiter, opener] = await Promise.all([Socket.open(server), Socket.open(server)]);
  await Promise.all([waiter.connect(), opener.connect()]);
  opener.send('421["join","observers"]');
  assert.equal(await opener.receive(), '431[["observers"]]');
  waiter.send('421["wait","gate"]');
  assert.equal(await opener.receive(), '42["waiting","gate"]');
  server.program.child.kill("SIGTERM");
  await eventually(async () => (await server.admin("GET", "/socketio/health")).status === 503, "health to be 503");
  await eventually(async () => (await server.admin("GET", "/socketio/")).body.servers[0].draining, "draining");
  opener.send('422["open","gate"]');
  assert.equal(await waiter.receive(), '431["passed"]');
  await waiter.closed();
  assert.equal((await within(server.program.exited, "the exit")).code, 0);
});

test("in one moment of the drain health is 503 everywhere, and newcomers get 503 with Retry-After", async () => {
  // The listener closes as the drain begins. What has come through it before is
  // kept waiting in front of the server, by an authority that is slow to answer.
  const asked = new Inbox();
  const authority = createServer((req, res) => asked.push(res)).listen(0, "127.0.0.1");
  await once(authority, "listening");
  const slow = `@slow header X-Slow *\nforward_auth @slow 127.0.0.1:${authority.address().port} {\n uri /\n}`;
  server = await startCaddy({ site: `${slow}\n${directive({ extra: ["drain 1m"] })}\nsocketio_health /health` });
  const held = await Socket.open(server);
  await held.connect();
  held.send('421["join","observers"]', '422["wait","never opened"]');
  assert.equal(await held.receive(), '431[["observers"]]');
  assert.equal(await held.receive(), '42["waiting","never opened"]');
  const headers = { "X-Slow": "1" };
  const requests = [
    http(endpoint(server, { transport: "polling" }), { headers }),
    refusal(server, { headers }),
    http(`${server.url}/health`, { headers }),
  ];
  const answers = await asked.takeAll(requests.length);
  server.program.child.kill("SIGTERM");
  await eventually(async () => (await server.admin("GET", "/socketio/")).body.servers[0].draining, "draining");
  for (const res of answers) res.end();
  const [polling, websocket, health] = await Promise.all(requests);
  assert.deepEqual([polling.status, websocket.status, health.status], [503, 503, 503]);
  for (const { headers: told } of [polling, websocket.error]) assert.match(told["retry-after"], /^[1-9]\d*$/);
  assert.equal(health.body, '{"status":"draining"}');
  const admin = await server.admin("GET", "/socketio/health");
  assert.deepEqual([admin.status, admin.body], [503, { status: "draining" }]);
  assert.equal(held.ws.readyState, 1, "the drain is still under way");
  authority.close();
});

test("with shutdown_delay health is 503 at once, and the server works on until the delay is over", async () => {
  const site = `${directive({ extra: ["drain 1s"] })}\nsocketio_health /health`;
  server = await startCaddy({ site, globals: ["shutdown_delay 2s"] });
  const health = async () => (await http(`${server.url}/health`)).status;
  assert.equal(await health(), 200);
  const socket = await connected("v4", server, "/", { transports: ["websocket"] });
  server.program.child.kill("SIGTERM");
  await server.program.line((l) => /shutdown.*delay|delay.*shutdown/i.test(`${l.msg}`), "the delay's log line");
  assert.equal(await health(), 503);
  assert.equal((await server.admin("GET", "/socketio/health")).status, 503);
  assert.equal(await ask(socket, "count-args", 1), 1);
  assert.match([await once(socket, "disconnect")].flat()[0], /^transport (close|error)$/);
  assert.equal((await within(server.program.exited, "the exit")).code, 0);
});
