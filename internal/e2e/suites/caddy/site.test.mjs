// The directive among the other handlers of a site.
import { after, afterEach, test } from "node:test";
import assert from "node:assert/strict";
import { ask, connected, endClients } from "../../lib/clients.mjs";
import { endpoint, http, Polling } from "../../lib/polling.mjs";
import { refusal, Socket } from "../../lib/socket.mjs";
import { startCaddy } from "../../lib/caddy.mjs";
import { directive } from "../../lib/caddyfile.mjs";
import { once } from "../../lib/wait.mjs";

let server;
afterEach(async () => {
  endClients();
  await server.stop();
});
after(endClients);

/** Both transports carry an event there and back. */
async function works(options) {
  for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
    const socket = await connected("v4", server, "/", { transports, ...options });
    assert.deepEqual(await ask(socket, "message-with-ack", "x".repeat(2000)), "x".repeat(2000));
  }
}

for (const [name, before] of [
  ["alone", ""],
  ["with access logs", "log"],
  ["behind encode", "encode gzip zstd"],
  ["behind tracing", "tracing"],
  ["behind templates", "templates"],
  ["behind request_body", "request_body {\n max_size 2MB\n}"],
  ["behind all of them", "log\nencode gzip\ntracing\ntemplates\nrequest_body {\n max_size 2MB\n}"],
]) {
  test(`${name}, in Caddy's order`, async () => {
    server = await startCaddy({ site: `${before}\n${directive()}` });
    await works();
  });

  test(`${name}, in the order written`, async () => {
    const inside = before.split("\n").includes("log") ? before.replace("log\n", "").replace(/^log$/, "") : before;
    server = await startCaddy({ site: `log\nroute {\n${inside}\n${directive()}\n}` });
    await works();
  });
}

for (const order of ["", "route"]) {
  test(`what a client relays is never a template (${order || "Caddy's order"})`, async () => {
    const body = `templates\n${directive()}`;
    const template = "respond /template <<TEXT\n{{env `SECRET`}}\nTEXT";
    server = await startCaddy({ site: `${order ? `route {\n${body}\n}` : body}\nheader /template Content-Type text/html\n${template}`, env: { SECRET: "leaked" } });
    const polling = await Polling.open(server);
    await polling.connect();
    // In backquotes, which JSON leaves as they are: these would run.
    for (const hostile of ['{{env "SECRET"}}', "{{env `SECRET`}}", "{{`a` | env}}{{ 7 }}"]) {
      await polling.send(`42${JSON.stringify(["message", hostile])}`);
      assert.deepEqual(JSON.parse((await polling.receive()).slice(2)), ["message-back", hostile]);
    }
    assert.equal((await http(`${server.url}/template`)).body, "leaked", "the same template runs where it is one");
  });
}

for (const order of ["", "route"]) {
  test(`a body over request_body's limit is an error and ends the session (${order || "Caddy's order"})`, async () => {
    const body = `request_body {\n max_size 1KB\n}\n${directive()}`;
    server = await startCaddy({ site: order ? `route {\n${body}\n}` : body });
    const polling = await Polling.open(server);
    await polling.connect();
    await polling.send(`42${JSON.stringify(["message", "x".repeat(900)])}`);
    assert.match(await polling.receive(), /^42\["message-back","x{900}"\]$/);
    // Of an announced length the server hears nothing: Caddy refuses the request.
    const large = `42${JSON.stringify(["message", "x".repeat(1000)])}`;
    assert.equal((await polling.post(large)).status, 413);
    await polling.send('42["message","on"]');
    assert.equal(await polling.receive(), '42["message-back","on"]');
    // Of another it reads until there.
    assert.equal((await polling.post(large, { headers: { "transfer-encoding": "chunked" } })).status, 413);
    assert.equal((await polling.get()).status, 400, "the session is over");
    // A stock client gives up by itself.
    const stock = await connected("v4", server, "/", { transports: ["polling"] });
    const { id } = stock;
    const over = once(stock, "disconnect");
    stock.emit("message", "x".repeat(1000));
    assert.equal([await over].flat()[0], "transport error");
    await server.program.line((l) => l.msg === "client disconnected" && l.socket === id, "the end of its session");
    // A websocket's messages are no request bodies.
    const socket = await connected("v4", server, "/", { transports: ["websocket"] });
    assert.equal(await ask(socket, "message-with-ack", "x".repeat(2000)), "x".repeat(2000));
  });
}

test("requests outside the path go to the next handler", async () => {
  server = await startCaddy({ site: `${directive()}\nrespond "next"` });
  for (const path of ["/", "/socket.io.html", "/socket.iox/", "/socket.io/other", "/a/socket.io/"]) {
    assert.equal((await http(server.url + path)).body, "next", path);
  }
  assert.equal((await http(`${server.url}/socket.io/`)).status, 400);
});

test("another path, a prefix stripped by handle_path, and two servers in one site", async () => {
  const own = directive({ extra: ["name own", "path /rt/"], namespaces: ["namespace / {\n gateway e2e own\n}"] });
  const app = directive({ extra: ["name app"], namespaces: ["namespace / {\n gateway e2e app\n}"] });
  server = await startCaddy({ site: `${own}\nhandle_path /app/* {\n${app}\n}` });
  for (const [path, label] of [["/rt/", "own"], ["/app/socket.io/", "app"]]) {
    const socket = await connected("v4", server, "/", { path });
    assert.equal(await ask(socket, "label"), label);
    assert.equal((await ask(socket, "whoami")).server, label);
  }
});

test("a single transport may be all there is", async () => {
  server = await startCaddy({ settings: { transports: ["websocket"] } });
  const answer = await http(endpoint(server, { transport: "polling" }));
  assert.equal(answer.status, 400);
  assert.deepEqual(JSON.parse(answer.body), { code: 0, message: "Transport unknown" });
  const socket = await Socket.open(server);
  await socket.connect();
  socket.close();
  await server.reload({ site: directive({ settings: { transports: ["polling"] } }) });
  const polling = await Polling.open(server);
  assert.deepEqual(polling.handshake.upgrades, []);
  assert.equal((await refusal(server)).status, 400);
});
