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

// The passwords are "hiccup". Each request costs a comparison, of the cheapest kind.
const HASH = "$2a$04$iEE1FmHkPSsyyWBRgPvdPuItiOOXKTHqXw9swywFBjX1rYIWZcFOO";
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

// What an authentication handler may tell of a user beside the id.
const FACTS = { name: "Bob B.", username: "bobby", email: "bob@example.com", role: "host", roles: "host guest", groups: "g", realm: "r", sub: "1" };
const factsSite = (extra) => {
  const names = [...Object.keys(FACTS), "unknown"];
  const map = `map {http.auth.user.id} ${names.map((name) => `{http.auth.user.${name}}`).join(" ")} {\n bob ${[...Object.values(FACTS), "x"].map((v) => `"${v}"`).join(" ")}\n}`;
  return `${map}\nbasic_auth {\n bob ${HASH}\n}\n${directive({ extra })}`;
};

for (const [name, extra] of [["auth caddy", ["auth caddy"]], ["no auth", []]]) {
  for (const transports of [["polling"], ["websocket"]]) {
    test(`${name} by ${transports}: the gateway gets name, role and claims of Caddy's user`, async () => {
      server = await startCaddy({ site: factsSite(extra) });
      const socket = await connected("v4", server, "/", { transports, extraHeaders: basic("bob") });
      const { ID, Name, Role, Claims } = (await ask(socket, "whoami")).identity;
      assert.deepEqual({ ID, Name, Role, Claims }, { ID: "bob", Name: "Bob B.", Role: "host", Claims: FACTS });
    });
  }
}

test("without auth and without a user there is no identity, and nobody is refused", async () => {
  server = await startCaddy({ site: directive() });
  const socket = await connected("v4", server, "/", { extraHeaders: { "Remote-User": "forged" } });
  assert.equal((await ask(socket, "whoami")).identity, null);
});

test("a session cannot be taken over by another user", async () => {
  server = await startCaddy({ site: basicSite() });
  const polling = await Polling.open(server, { headers: basic("bob") });
  const stranger = await polling.get({ headers: basic("eve") });
  assert.equal(stranger.status, 403);
  assert.equal((await refusal(server, { query: { sid: polling.sid }, headers: basic("eve") })).status, 403);
  assert.equal((await polling.post("40", { headers: basic("bob") })).status, 200);
});
