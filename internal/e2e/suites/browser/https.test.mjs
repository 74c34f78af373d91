// The test page over https with Caddy's own authority; websockets on HTTP/1.1
// and, where the server offers it, inside HTTP/2.
import { afterEach, before, after, test } from "node:test";
import assert from "node:assert/strict";
import { connect } from "node:tls";
import { Browser, shows } from "../../lib/browser.mjs";
import { ask, connected, endClients } from "../../lib/clients.mjs";
import { startCaddy } from "../../lib/caddy.mjs";
import { directive } from "../../lib/caddyfile.mjs";
import { freePort } from "../../lib/ports.mjs";
import { eventually, once } from "../../lib/wait.mjs";
import { withPages } from "../../lib/web.mjs";

let server, browser;
before(async () => (browser = await Browser.start()));
after(() => browser?.stop());
afterEach(async () => {
  endClients();
  await server.stop();
});

/** Caddy with https for localhost. */
async function start(env) {
  const port = await freePort();
  const site = `tls internal\nlog\n${withPages(directive())}`;
  const config = { port, scheme: "https", host: "localhost", address: `https://localhost:${port}`, site, env };
  server = await startCaddy(config);
  // It is used a moment after Caddy says that it has it.
  await eventually(() => handshakes(port), "a certificate");
}

/** Whether a TLS handshake with the port succeeds. */
function handshakes(port) {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "localhost", servername: "localhost", rejectUnauthorized: false });
    socket.once("secureConnect", () => {
      socket.end();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

for (const [name, env, line] of [
  ["HTTP/1.1", {}, { method: "GET", proto: "HTTP/1.1", status: 101 }],
  ["HTTP/2", { GODEBUG: "http2xconnect=1" }, { method: "CONNECT", proto: "HTTP/2.0", status: 200 }],
]) {
  test(`the page's websocket goes over ${name}`, async () => {
    await start(env);
    const observer = await connected("v4", server, "/", { rejectUnauthorized: false });
    await ask(observer, "join", "observers");
    const arrived = once(observer, "arrived");
    const page = await browser.open(server.url);
    await shows(page, "#status", "Connected");
    await shows(page, "#transport-in-use", "websocket");
    const who = await arrived;
    assert.equal(who.secure, true);
    assert.equal(who.host, new URL(server.url).host);
    await page.click("#ping");
    await shows(page, "#log", "pong: pong from server");
    assert.deepEqual(page.complaints, []);
    await page.close();
    const seen = await server.program.line((l) => {
      const { request } = l;
      return /^http\.log\.access/.test(l.logger ?? "") && request.method === line.method &&
        request.proto === line.proto && request.uri.includes("transport=websocket") &&
        /Chrome/.test(request.headers["User-Agent"]?.[0]);
    }, `a websocket of Chromium over ${name} in the access log`);
    assert.equal(seen.status, line.status);
  });
}
