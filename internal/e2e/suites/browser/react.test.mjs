// The React page on another origin: cookies and CORS as browsers do them.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Browser, bareWebSocket, shows } from "../../lib/browser.mjs";
import { ask, connected, endClients } from "../../lib/clients.mjs";
import { startCaddy } from "../../lib/caddy.mjs";
import { once } from "../../lib/wait.mjs";
import { startVite } from "../../lib/web.mjs";

const ORIGIN = "http://localhost:5173";
const ELSEWHERE = "http://localhost:5174";

let server, url, browser, observer;
const vites = [];
before(async () => {
  server = await startCaddy({ extra: [`cors {\n origins ${ORIGIN}\n credentials\n}`] });
  url = server.url.replace("127.0.0.1", "localhost");
  for (const origin of [ORIGIN, ELSEWHERE]) vites.push(await startVite(url, new URL(origin).port));
  browser = await Browser.start();
  await browser.context.addCookies([{ name: "session", value: "of-alice", domain: "localhost", path: "/", sameSite: "Lax", httpOnly: true }]);
  observer = await connected("v4", server);
  await ask(observer, "join", "observers");
});
after(async () => {
  await browser?.stop();
  await Promise.all(vites.map((vite) => vite.end()));
  endClients();
  await server.stop();
});

test("from the listed origin it connects, the server sees the cookie, ping and pong work", async () => {
  const arrived = once(observer, "arrived", { when: (who) => who.headers.Origin === ORIGIN });
  const page = await browser.open(ORIGIN);
  await shows(page, "#status", "Connected");
  const who = await arrived;
  assert.equal(who.cookies.session, "of-alice");
  assert.ok(await page.isEnabled("#ping"));
  await page.click("#ping");
  await shows(page, "#messages", "pong: pong from server");
  assert.deepEqual(page.complaints, []);
  await page.close();
});

test("the button is disabled while the server is away", async () => {
  const page = await browser.open(ORIGIN);
  await shows(page, "#status", "Connected");
  await server.end("SIGTERM");
  await shows(page, "#status", "Reconnecting");
  assert.ok(await page.isDisabled("#ping"));
  await server.start();
  await shows(page, "#status", "Connected");
  assert.ok(await page.isEnabled("#ping"));
  await page.close();
});

test("from another origin both transports are refused", async () => {
  const page = await browser.open(ELSEWHERE);
  await shows(page, "#messages", "could not connect: xhr poll error");
  const handshake = `${url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`;
  assert.equal(await bareWebSocket(page, handshake), "refused");
  await page.close();
  const listed = await browser.open(ORIGIN);
  assert.equal(await bareWebSocket(listed, handshake), "open");
  await listed.close();
});
