// What a changed configuration does to those who are connected.
import { afterEach, test } from "node:test";
import assert from "node:assert/strict";
import { ask, client, connected, endClients, refused } from "../../lib/clients.mjs";
import { startCaddy } from "../../lib/caddy.mjs";
import { directive } from "../../lib/caddyfile.mjs";
import { endpoint, http, Polling } from "../../lib/polling.mjs";
import { once } from "../../lib/wait.mjs";

let server;
afterEach(async () => {
  endClients();
  await server.stop();
});

const E2E = (name) => `namespace ${name} {\n gateway e2e\n}`;
const both = directive({ namespaces: [E2E("/"), E2E("/custom")] });

test("a removed namespace disconnects exactly its sockets", async () => {
  server = await startCaddy({ site: both });
  const kept = await connected("v4", server, "/");
  const removed = kept.io.socket("/custom");
  await once(removed, "connect");
  const told = once(removed, "disconnect");
  await server.reload({ site: directive({ namespaces: [E2E("/")] }) });
  assert.equal([await told].flat()[0], "io server disconnect");
  await server.program.line((l) => l.msg === "client disconnected" && l.namespace === "/custom", "the log of the disconnect");
  const gone = server.logs.filter((l) => l.msg === "client disconnected").map((l) => [l.namespace, l.reason]);
  assert.deepEqual(gone, [["/custom", "server namespace disconnect"]]);
  assert.equal(await ask(kept, "count-args", 1), 1);
  assert.equal((await refused(client("v4", server, "/custom"))).message, "Invalid namespace");
});

test("a removed directive disconnects all its clients", async () => {
  server = await startCaddy({ site: both });
  const sockets = await Promise.all(["/", "/custom"].map((ns) => connected("v4", server, ns)));
  const told = Promise.all(sockets.map((s) => once(s, "disconnect")));
  await server.reload({ site: "respond next" });
  await told;
  assert.equal((await http(endpoint(server, { transport: "polling" }))).body, "next");
});

test("an added namespace can be entered by those who are connected", async () => {
  server = await startCaddy({ site: directive({ namespaces: [E2E("/")] }) });
  const socket = await connected("v4", server, "/");
  await server.reload({ site: both });
  const added = socket.io.socket("/custom");
  await once(added, "connect");
  assert.equal((await ask(added, "whoami")).namespace, "/custom");
});

test("new origins apply at once, also to requests of live sessions", async () => {
  const cors = (origin) => directive({ extra: [`cors {\n origins ${origin}\n}`], namespaces: [E2E("/")] });
  server = await startCaddy({ site: cors("https://old.test") });
  const old = { headers: { origin: "https://old.test" } };
  const polling = await Polling.open(server, old);
  await server.reload({ site: cors("https://new.test") });
  assert.equal((await http(endpoint(server, { transport: "polling" }), old)).status, 403);
  assert.equal((await polling.post("40", old)).headers["access-control-allow-origin"], undefined);
  await Polling.open(server, { headers: { origin: "https://new.test" } });
});

test("new timings are for new sessions", async () => {
  server = await startCaddy({ settings: { pingInterval: 100_000 } });
  const before = await connected("v4", server);
  await server.reload({ site: directive({ settings: { pingInterval: 200_000 } }) });
  assert.equal((await Polling.open(server)).handshake.pingInterval, 200_000);
  assert.equal(await ask(before, "count-args", 1), 1);
});

for (const [name, site] of Object.entries({
  "does not parse": "socketio {\n no_such_option\n}",
  "cannot be provisioned": directive({ namespaces: ["namespace /(/ {\n gateway e2e\n}"] }),
  "fails elsewhere": `${directive({ namespaces: [E2E("/other")] })}\nhandle {\n reverse_proxy {\n  dynamic nonsense\n }\n}`,
})) {
  test(`a configuration that ${name} leaves the running one untouched`, async () => {
    server = await startCaddy({ site: both });
    const socket = await connected("v4", server, "/custom");
    const { id } = socket;
    await assert.rejects(server.reload({ site }), /caddy reload/);
    assert.equal((await ask(socket, "whoami")).id, id);
    assert.equal((await ask(await connected("v4", server, "/custom"), "whoami")).namespace, "/custom");
  });
}

test("a configuration whose listener cannot start leaves the running one untouched", async () => {
  server = await startCaddy({ site: both });
  const socket = await connected("v4", server, "/custom");
  const { id } = socket;
  const { address } = server.config;
  // 192.0.2.1 is for documentation: nobody has it, so nobody can listen there.
  const changes = { site: `bind 192.0.2.1\n${directive({ namespaces: [E2E("/")] })}`, address };
  await assert.rejects(server.reload(changes), /caddy reload/);
  assert.equal((await ask(socket, "whoami")).id, id);
  assert.equal((await ask(await connected("v4", server, "/custom"), "whoami")).namespace, "/custom");
});
