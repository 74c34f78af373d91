// Who may connect from which web page, on both transports.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { ask, client, connected, endClients, refused } from "../../lib/clients.mjs";
import { endpoint, http } from "../../lib/polling.mjs";
import { refusal, Socket } from "../../lib/socket.mjs";
import { startCaddy } from "../../lib/caddy.mjs";
import { directive } from "../../lib/caddyfile.mjs";

const CORS = `cors {
  origins https://app.example.com https://*.example.org /https:\\/\\/v[0-9]+\\.example\\.net/ {tenant}
  credentials
  max_age 10m
}`;

let open, closed;
before(async () => {
  const tenants = "map {query.tenant} {tenant} {\n blue https://blue.test\n default https://none.test\n}";
  open = await startCaddy({ site: `${tenants}\n${directive({ extra: [CORS] })}` });
  closed = await startCaddy();
});
after(async () => {
  endClients();
  await Promise.all([open.stop(), closed.stop()]);
});

const FORBIDDEN = { code: 4, message: "Forbidden" };

async function accepts(server, headers, query) {
  const answer = await http(endpoint(server, { transport: "polling", ...query }), { headers });
  assert.equal(answer.status, 200, answer.body);
  (await Socket.open(server, { headers, query })).close();
  return answer;
}

async function refuses(server, headers, query) {
  const answer = await http(endpoint(server, { transport: "polling", ...query }), { headers });
  assert.equal(answer.status, 403);
  assert.deepEqual(JSON.parse(answer.body), FORBIDDEN);
  assert.equal(answer.headers["access-control-allow-credentials"], undefined);
  assert.equal((await refusal(server, { headers, query })).status, 403);
}

for (const origin of ["https://app.example.com", "https://a.example.org", "https://a.b.example.org", "https://v12.example.net"]) {
  test(`the listed origin ${origin} is accepted`, async () => {
    const { headers } = await accepts(open, { origin });
    assert.equal(headers["access-control-allow-origin"], origin);
    assert.equal(headers["access-control-allow-credentials"], "true");
    assert.match(headers.vary, /\borigin\b/i);
  });
}

for (const origin of [
  "https://evil.example.com", "http://app.example.com", "https://app.example.com:8443", "https://example.org",
  "https://app.example.com.evil.test", "https://v.example.net", "https://v1.example.net.evil.test", "null", "garbage",
]) {
  test(`the origin ${origin} is refused on both transports`, () => refuses(open, { origin }));
}

test("a placeholder decides for each request", async () => {
  await accepts(open, { origin: "https://blue.test" }, { tenant: "blue" });
  await refuses(open, { origin: "https://blue.test" }, { tenant: "red" });
});

test("without cors the same origin is accepted and every other refused", async () => {
  await accepts(closed, { origin: closed.url });
  await refuses(closed, { origin: "http://127.0.0.1:1" });
  await refuses(closed, { origin: "https://127.0.0.1:1" });
});

test("a request without Origin is accepted, unless it says that it comes from another site", async () => {
  await accepts(closed, {});
  await accepts(closed, { "sec-fetch-site": "same-origin" });
  await refuses(closed, { "sec-fetch-site": "cross-site" });
});

test("a preflight is answered", async () => {
  const headers = {
    origin: "https://app.example.com",
    "access-control-request-method": "POST",
    "access-control-request-headers": "x-request",
  };
  const answer = await http(endpoint(open, { transport: "polling" }), { method: "OPTIONS", headers });
  assert.equal(answer.status, 204);
  assert.equal(answer.headers["access-control-allow-origin"], "https://app.example.com");
  assert.equal(answer.headers["access-control-allow-credentials"], "true");
  assert.match(answer.headers["access-control-allow-methods"], /GET.*POST/);
  assert.match(answer.headers["access-control-allow-headers"], /x-request/i);
  assert.equal(answer.headers["access-control-max-age"], "600");
});

test("a preflight from elsewhere is not encouraged", async () => {
  const headers = { origin: "https://evil.test", "access-control-request-method": "POST" };
  const answer = await http(endpoint(open, { transport: "polling" }), { method: "OPTIONS", headers });
  assert.equal(answer.headers["access-control-allow-origin"], undefined);
});

test("an error is readable for a listed origin", async () => {
  const headers = { origin: "https://app.example.com" };
  const answer = await http(endpoint(open, { transport: "polling", sid: "unknown" }), { headers });
  assert.equal(answer.status, 400);
  assert.equal(answer.headers["access-control-allow-origin"], "https://app.example.com");
});

for (const transports of [["polling"], ["websocket"]]) {
  test(`${transports[0]}: a stock client of a refused origin gets connect_error`, async () => {
    const extraHeaders = { Origin: "https://evil.test" };
    const error = await refused(client("v4", open, "/", { transports, extraHeaders }));
    assert.match(error.message, /xhr poll error|websocket error/);
    assert.match(String(error.description?.message ?? error.description), /403/);
  });

  test(`${transports[0]}: a stock client of a listed origin works`, async () => {
    const extraHeaders = { Origin: "https://app.example.com" };
    const socket = await connected("v4", open, "/", { transports, extraHeaders });
    assert.equal((await ask(socket, "whoami")).headers.Origin, "https://app.example.com");
  });
}
