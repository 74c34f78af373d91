// The sites and snippets of the README, and the example.
import { after, afterEach, test } from "node:test";
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ask, client, connected, endClients } from "../../lib/clients.mjs";
import { startCaddy } from "../../lib/caddy.mjs";
import { http, Polling } from "../../lib/polling.mjs";
import { block, execute, topLevel } from "../../lib/readme.mjs";
import { once, within } from "../../lib/wait.mjs";
import { WEB } from "../../lib/web.mjs";

const app = mkdtempSync(join(tmpdir(), "app-e2e-"));
writeFileSync(join(app, "index.html"), "the app");

let server;
afterEach(async () => {
  endClients();
  await server.stop();
});
after(() => rmSync(app, { recursive: true }));

/** Serves a Caddyfile on a free port, with folders that are there. */
async function serve(text) {
  const whole = (port) => text
    .replaceAll("http://localhost:3000", `http://127.0.0.1:${port}`)
    .replaceAll("app.example.com", `http://127.0.0.1:${port}`)
    .replace("root web", `root ${WEB}`)
    .replace("root /srv/app", `root ${app}`);
  server = await startCaddy({ whole });
}

/** The client's io, for a page of the site. */
const io = (url, options) => client("v4", server, "/", typeof url === "object" ? url : options);

test("the first site serves the page, and the client snippet gets its pong", async () => {
  await serve(block("caddyfile", "http://localhost:3000"));
  assert.match((await http(`${server.url}/`)).body, /<title>/);
  const printed = new Promise((resolve) => execute(block("js", 'from "socket.io-client"'), { io, console: { log: resolve } }));
  assert.equal(await within(printed, "what the snippet prints"), "pong from server");
});

test("a message by curl, as operators send it", async () => {
  await serve(block("caddyfile", "http://localhost:3000"));
  const socket = await connected("v4", server);
  const notice = once(socket, "notice");
  const [, path, body] = block("sh", "curl").match(/localhost:2019(\S+) -d '(.*)'/);
  assert.equal((await server.admin("POST", path, body)).status, 204);
  assert.equal(await notice, "back in five minutes");
});

test("what replaces Agora RTM: a message to a room", async () => {
  await serve(block("caddyfile", "http://localhost:3000"));
  const listener = await connected("v4", server);
  const { self } = await ask(listener, "join", { room: "lobby" });
  const heard = once(listener, "message");
  await execute(block("js", "// here"), { io, token: "none", show: () => {} });
  const { from, data } = await heard;
  assert.equal(data, "hello");
  assert.notEqual(from, self.id);
});

test("a single-page app: its routes are its page, and clients get through", async () => {
  await serve(block("caddyfile", "try_files"));
  for (const path of ["/", "/deep/route", "/socket.io/deeper"]) {
    assert.equal((await http(server.url + path)).body, "the app", path);
  }
  for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
    const socket = await connected("v4", server, "/", { transports });
    assert.equal((await ask(socket, "ping")).data, "pong from server");
  }
});

test("the log's filter: no line has a secret", async () => {
  const site = block("caddyfile", "http://localhost:3000").replace("{", "{\n log");
  await serve(`${block("caddyfile", "format filter")}\n${site}`);
  const headers = { Cookie: "session=cookie-secret", Authorization: "Bearer header-secret", Referer: "http://a/?token=page-secret" };
  const polling = await Polling.open(server, { query: { token: "query-secret" }, headers });
  await polling.connect();
  await server.program.line((l) => l.request?.method === "POST" && /sid=REDACTED/.test(l.request.uri), "the POST in the access log");
  for (const secret of [polling.sid, "cookie-secret", "query-secret", "header-secret", "page-secret"]) {
    assert.ok(!server.program.tail(1000).includes(secret), `the log has ${secret}`);
  }
});

test("the example: the page, both namespaces, the React page's origin, and a log without secrets", async () => {
  await serve(topLevel("Caddyfile.example"));
  assert.match((await http(`${server.url}/`)).body, /<title>/);
  const extraHeaders = { Origin: "http://localhost:5173", Cookie: "session=cookie-secret" };
  for (const namespace of ["/", "/webrtc"]) {
    const socket = await connected("v4", server, namespace, { extraHeaders });
    assert.equal((await ask(socket, "ping")).data, "pong from server");
  }
  const query = { token: "query-secret" };
  const polling = await Polling.open(server, { query, headers: { ...extraHeaders, Authorization: "Bearer header-secret" } });
  assert.equal(polling.answer.headers["access-control-allow-credentials"], "true");
  await polling.connect();
  await server.program.line((l) => /POST/.test(l) && /sid=REDACTED/.test(l) && /token=REDACTED/.test(l), "the POST in the access log");
  for (const secret of [polling.sid, "cookie-secret", "query-secret", "header-secret"]) {
    assert.ok(!server.program.tail(1000).includes(secret), `the log has ${secret}`);
  }
});
