// Caddy's own authentication in front: its identity reaches the gateway and the log.
import { afterEach, test } from "node:test";
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { ask, connected, endClients } from "../../lib/clients.mjs";
import { endpoint, http, Polling } from "../../lib/polling.mjs";
import { refusal } from "../../lib/socket.mjs";
import { startCaddy } from "../../lib/caddy.mjs";
import { directive } from "../../lib/caddyfile.mjs";
import { once } from "../../lib/wait.mjs";

let server, authority;
afterEach(async () => {
  endClients();
  await server.stop();
  authority?.close();
  authority = undefined;
});

// The passwords are "hiccup".
const HASH = "$2a$14$Zkx19XLiW6VYouLHR5NmfOFU0z2GTNmpkT/5qqR7hx4IjWJPDhjvG";
const basic = (user) => ({ Authorization: `Basic ${Buffer.from(`${user}:hiccup`).toString("base64")}` });
const basicSite = () => `basic_auth {\n bob ${HASH}\n eve ${HASH}\n}\n${directive({ extra: ["auth caddy"] })}`;

/** A site behind forward_auth: who sends the cookie "pass=NAME" is NAME. */
async function forwardSite() {
  authority = createServer((req, res) => {
    const user = /pass=(\w+)/.exec(req.headers.cookie ?? "")?.[1];
    res.writeHead(user ? 200 : 401, user ? { "Remote-User": user, "Remote-Name": `${user} herself` } : {}).end();
  });
  authority.listen(0, "127.0.0.1");
  await once(authority, "listening");
  const forward = `forward_auth 127.0.0.1:${authority.address().port} {\n uri /verify\n copy_headers Remote-User Remote-Name\n}`;
  return `${forward}\n${directive({ extra: ["auth caddy {\n user_header Remote-User\n}"] })}`;
}

for (const [name, site, credentials, user] of [
  ["basic_auth", basicSite, basic("bob"), "bob"],
  ["forward_auth", forwardSite, { Cookie: "pass=alice" }, "alice"],
]) {
  test(`${name}: without credentials neither transport is let in`, async () => {
    server = await startCaddy({ site: await site() });
    assert.equal((await http(endpoint(server, { transport: "polling" }))).status, 401);
    assert.equal((await refusal(server)).status, 401);
  });

  for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
    test(`${name} by ${transports}: the identity reaches the gateway and the log`, async () => {
      server = await startCaddy({ site: await site() });
      const socket = await connected("v4", server, "/", { transports, extraHeaders: { "Remote-User": "forged", ...credentials } });
      assert.equal((await ask(socket, "whoami")).identity.ID, user);
      const line = await server.program.line((l) => l.msg === "client connected" && l.socket === socket.id, "client connected");
      assert.equal(line.user, user);
    });
  }
}

test("a session cannot be taken over by another user", async () => {
  server = await startCaddy({ site: basicSite() });
  const polling = await Polling.open(server, { headers: basic("bob") });
  const stranger = await polling.get({ headers: basic("eve") });
  assert.equal(stranger.status, 403);
  assert.equal((await refusal(server, { query: { sid: polling.sid }, headers: basic("eve") })).status, 403);
  assert.equal((await polling.post("40", { headers: basic("bob") })).status, 200);
});
