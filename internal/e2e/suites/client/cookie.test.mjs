// The session cookie, and cookies of the client.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { ask, connected, endClients, upgraded } from "../../lib/clients.mjs";
import { Polling } from "../../lib/polling.mjs";
import { Recorder } from "../../lib/recorder.mjs";
import { startServer } from "../../lib/server.mjs";

let server;
before(async () => (server = await startServer({ cookie: { name: "io" } })));
after(async () => {
  endClients();
  await server.stop();
});

test("the handshake sets the session cookie", async () => {
  const polling = await Polling.open(server);
  const [cookie, ...more] = polling.answer.headers["set-cookie"];
  assert.deepEqual(more, []);
  const [pair, ...attributes] = cookie.split("; ");
  assert.equal(pair, `io=${polling.sid}`);
  assert.deepEqual(attributes.sort(), ["HttpOnly", "Path=/", "SameSite=Lax"]);
});

test("only the handshake sets it", async () => {
  const polling = await Polling.open(server);
  assert.equal((await polling.post("40")).headers["set-cookie"], undefined);
  assert.equal((await polling.get()).headers["set-cookie"], undefined);
});

for (const [name, withCredentials] of [["without credentials a client sends no cookie back", false], ["with withCredentials it does", true]]) {
  test(`${name}, with polls and with the upgrade`, async () => {
    const recorder = await Recorder.before(server);
    after(() => recorder.close());
    const socket = await connected("v4", recorder, "/", { withCredentials, transports: ["polling", "websocket"] });
    await upgraded(socket);
    assert.equal(await ask(socket, "count-args"), 0);
    const [handshake, ...later] = recorder.requests;
    const sid = later[0].query.get("sid");
    assert.equal(handshake.headers.cookie, undefined);
    assert.deepEqual(new Set(later.map(({ headers }) => headers.cookie)), new Set([withCredentials ? `io=${sid}` : undefined]));
    const kinds = new Set(later.map(({ method, query }) => `${method} ${query.get("transport")}`));
    assert.deepEqual([...kinds].sort(), ["GET polling", "GET websocket", "POST polling"]);
  });
}

for (const transports of [["polling"], ["websocket"]]) {
  test(`${transports[0]}: the gateway sees the cookies of the handshake`, async () => {
    const extraHeaders = { Cookie: "user=alice; theme=dark" };
    const socket = await connected("v4", server, "/", { transports, extraHeaders });
    assert.deepEqual((await ask(socket, "whoami")).cookies, { user: "alice", theme: "dark" });
  });

  test(`${transports[0]}: the gateway sees headers, query, address and host`, async () => {
    const options = { transports, extraHeaders: { "X-Request": "42" }, query: { device: "phone" } };
    const me = await ask(await connected("v4", server, "/", options), "whoami");
    assert.equal(me.headers["X-Request"], "42");
    assert.equal(me.query.device, "phone");
    assert.equal(me.query.transport, transports[0]);
    assert.equal(me.ip, "127.0.0.1");
    assert.equal(me.secure, false);
    assert.equal(me.host, new URL(server.url).host);
    assert.ok(Math.abs(me.time - Date.now()) < 60_000);
  });
}
