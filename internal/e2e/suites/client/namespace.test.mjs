// Namespaces, auth payloads and multiplexing with stock clients.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { ask, client, connected, endClients, ready, refused } from "../../lib/clients.mjs";
import { startServer } from "../../lib/server.mjs";
import { once } from "../../lib/wait.mjs";

let server;
before(async () => (server = await startServer({ allowEIO3: true })));
after(async () => {
  endClients();
  await server.stop();
});

for (const version of ["v4", "v3"]) {
  test(`${version}: an unknown namespace is refused`, async () => {
    const error = await refused(client(version, server, "/random"));
    assert.equal(error.message, "Invalid namespace");
  });

  test(`${version}: the auth payload reaches the gateway`, async () => {
    const socket = await connected(version, server, "/", { auth: { token: "abc", deep: { list: [1, null] } } });
    assert.deepEqual((await ask(socket, "whoami")).auth, { token: "abc", deep: { list: [1, null] } });
  });

  test(`${version}: a gateway that refuses tells message and data`, async () => {
    const error = await refused(client(version, server, "/custom", { auth: { refuse: "coded" } }));
    assert.equal(error.message, "You are banned");
    assert.deepEqual(error.data, { code: "banned", until: 5 });
  });

  test(`${version}: what the gateway emits while connecting arrives after connect`, async () => {
    const socket = client(version, server, "/", { auth: { greet: true } });
    const order = [];
    socket.on("connect", () => order.push("connect"));
    const greeting = once(socket, "auth");
    await ready(socket);
    assert.deepEqual(await greeting, { greet: true });
    assert.deepEqual(order, ["connect"]);
  });
}

test("v4: an auth function is asked for each connection", async () => {
  let asked = 0;
  const auth = (give) => give({ count: ++asked });
  const socket = await connected("v4", server, "/", { auth });
  assert.equal((await ask(socket, "whoami")).auth.count, 1);
  socket.disconnect();
  socket.connect();
  await once(socket, "connect");
  assert.equal((await ask(socket, "whoami")).auth.count, 2);
});

test("v2: an unknown namespace is refused", async () => {
  const socket = client("v2", server, "/random");
  assert.deepEqual(await once(socket, "error"), { message: "Invalid namespace" });
});

test("v2: the query of the client reaches the gateway", async () => {
  const socket = await connected("v2", server, "/", { query: { token: "abc" } });
  assert.equal((await ask(socket, "whoami")).query.token, "abc");
});

for (const version of ["v4", "v3", "v2"]) {
  test(`${version}: namespaces of one client share a connection`, async () => {
    const root = await connected(version, server, "/");
    const custom = root.io.socket("/custom");
    await once(custom, "connect");
    assert.equal(root.io.engine, custom.io.engine);
    assert.equal((await ask(root, "whoami")).namespace, "/");
    assert.equal((await ask(custom, "whoami")).namespace, "/custom");
    custom.disconnect();
    assert.equal((await ask(root, "whoami")).namespace, "/");
  });

  test(`${version}: a refused namespace leaves the others alone`, async () => {
    const root = await connected(version, server, "/");
    const random = root.io.socket("/random");
    const refusal = once(random, version === "v2" ? "error" : "connect_error");
    await refusal;
    assert.equal((await ask(root, "whoami")).namespace, "/");
  });

  test(`${version}: many namespaces entered at once`, async () => {
    const root = await connected(version, server, "/");
    const sockets = Array.from({ length: 20 }, (_, i) => root.io.socket(`/dyn-${i}`));
    await Promise.all(sockets.map((s) => once(s, "connect")));
    const names = await Promise.all(sockets.map(async (s) => (await ask(s, "whoami")).namespace));
    assert.deepEqual(names, sockets.map((_, i) => `/dyn-${i}`));
  });
}
