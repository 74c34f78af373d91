// The session cookie, and cookies of the client.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { ask, connected, endClients } from "../../lib/clients.mjs";
import { Polling } from "../../lib/polling.mjs";
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

test("without credentials a client sends no cookie back", async () => {
  const socket = await connected("v4", server, "/", { transports: ["polling"] });
  assert.deepEqual((await ask(socket, "whoami")).cookies, {});
});

test("with withCredentials it sends cookies back, on polling and with the upgrade", async () => {
  const polling = await connected("v4", server, "/", { withCredentials: true, transports: ["polling", "websocket"] });
  assert.equal(await ask(polling, "count-args"), 0);
  const jar = polling.io.engine._cookieJar.cookies;
  assert.equal([...jar].map(([name]) => name).join(), "io");
});

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
