// Caddy behind another Caddy: nothing is doubled, and what a trusted proxy says
// of the client counts, while nobody else's word does.
import { after, afterEach, before, test } from "node:test";
import assert from "node:assert/strict";
import { ask, connected, endClients } from "../../lib/clients.mjs";
import { endpoint, http } from "../../lib/polling.mjs";
import { refusal, Socket } from "../../lib/socket.mjs";
import { startCaddy } from "../../lib/caddy.mjs";
import { directive } from "../../lib/caddyfile.mjs";

const APP = "https://app.example.com";
const FORWARDED = {
  "X-Forwarded-For": "203.0.113.7",
  "X-Forwarded-Proto": "https",
  "X-Forwarded-Host": "front.example.com",
};

/** The front passes everything on, and claims what FORWARDED says. */
const front = (back) => {
  const claims = Object.entries(FORWARDED).map(([name, value]) => ` header_up ${name} ${value}`);
  return startCaddy({ site: `reverse_proxy 127.0.0.1:${back.port} {\n${claims.join("\n")}\n}` });
};

let trusting, wary, viaTrusting, viaWary;
before(async () => {
  const site = directive({ extra: [`cors {\n origins ${APP}\n credentials\n exposed_headers X-Request\n}`] });
  trusting = await startCaddy({ site, globals: ["servers {\n trusted_proxies static 127.0.0.1/32\n}"] });
  wary = await startCaddy({ site: `header Access-Control-Allow-Origin ${APP}\nheader Vary Origin\n${site}` });
  viaTrusting = await front(trusting);
  viaWary = await front(wary);
});
afterEach(endClients);
after(() => Promise.all([viaTrusting, viaWary, trusting, wary].map((caddy) => caddy.stop())));

for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
  test(`${transports}: a stock client gets through, with the address that a trusted proxy tells`, async () => {
    const socket = await connected("v4", viaTrusting, "/", { transports });
    const me = await ask(socket, "whoami");
    assert.deepEqual([me.ip, me.secure, me.host], ["203.0.113.7", true, "front.example.com"]);
  });

  test(`${transports}: whom the server does not trust is not believed`, async () => {
    const socket = await connected("v4", viaWary, "/", { transports });
    const me = await ask(socket, "whoami");
    assert.deepEqual([me.ip, me.secure], ["127.0.0.1", false]);
    assert.notEqual(me.host, "front.example.com");
  });
}

test("a client that claims to be a proxy is not believed", async () => {
  const socket = await connected("v4", wary, "/", { extraHeaders: FORWARDED });
  const me = await ask(socket, "whoami");
  assert.deepEqual([me.ip, me.secure, me.host], ["127.0.0.1", false, new URL(wary.url).host]);
});

test("the same origin is that of the trusted proxy's site", async () => {
  const headers = { origin: "https://front.example.com" };
  (await Socket.open(viaTrusting, { headers })).close();
  assert.equal((await refusal(viaTrusting, { headers: { origin: "http://front.example.com" } })).status, 403);
  assert.equal((await refusal(viaWary, { headers })).status, 403);
});

for (const [name, server] of [["directly", () => wary], ["through a proxy", () => viaWary]]) {
  for (const method of ["GET", "OPTIONS"]) {
    test(`${method} ${name}: no header of the answer comes twice, also where the site sets it as well`, async () => {
      const headers = { origin: APP, "access-control-request-method": "POST", "accept-encoding": "gzip" };
      const { status, lines } = await http(endpoint(server(), { transport: "polling" }), { method, headers });
      assert.ok([200, 204].includes(status), `status ${status}`);
      // A list may be in several lines, such as Vary; a line comes once, and a CORS header too.
      const own = lines.map(([header, value]) => (/^access-control/i.test(header) ? header : `${header}: ${value}`).toLowerCase());
      assert.deepEqual(own.filter((line, i) => own.indexOf(line) !== i), []);
      assert.deepEqual(lines.filter(([header]) => /allow-origin/i.test(header)).map(([, value]) => value), [APP]);
    });
  }
}
