// The test page, by clicks.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Browser, shows } from "../../lib/browser.mjs";
import { startCaddy } from "../../lib/caddy.mjs";
import { directive } from "../../lib/caddyfile.mjs";
import { withPages } from "../../lib/web.mjs";

const SITE = withPages(directive({ namespaces: ["namespace /", "namespace /webrtc"] }));

let server, browser;
before(async () => {
  server = await startCaddy({ site: SITE });
  browser = await Browser.start();
});
after(async () => {
  await browser?.stop();
  await server.stop();
});

const open = (path = "/") => browser.open(server.url + path);
const online = (page) => shows(page, "#status", "Connected");

/** Clicks on Send Ping and waits for the pong. */
async function pings(page) {
  const before = await page.locator('#log [data-kind="in"]').count();
  await page.click("#ping");
  await page.locator('#log [data-kind="in"]').nth(before).filter({ hasText: "pong: pong from server" }).waitFor();
}

test("it connects, shows its id, and a ping is answered", async () => {
  const page = await open();
  await online(page);
  assert.match(await page.textContent("#socket-id"), /^[\w-]{20,}$/);
  await pings(page);
  await pings(page);
  await shows(page, "#transport-in-use", "websocket");
  assert.deepEqual(page.complaints, []);
  await page.close();
});

for (const transport of ["polling", "websocket"]) {
  test(`by ${transport} only`, async () => {
    const page = await open();
    await online(page);
    await page.selectOption("#transport", transport);
    await page.click("#connect");
    await shows(page, "#transport-in-use", transport);
    await online(page);
    await pings(page);
    assert.equal(await page.textContent("#transport-in-use"), transport);
    assert.deepEqual(page.complaints, []);
    await page.close();
  });
}

test("another namespace, and one that does not exist", async () => {
  const page = await open();
  await online(page);
  await page.fill("#namespace", "/webrtc");
  await page.click("#connect");
  await shows(page, "#log", "connected to /webrtc as");
  await pings(page);
  await page.fill("#namespace", "/nowhere");
  await page.click("#connect");
  await shows(page, "#log", "could not connect: Invalid namespace");
  assert.ok(await page.isDisabled("#ping"));
  await page.close();
});

test("disconnect and connect by click", async () => {
  const page = await open();
  await online(page);
  await page.click("#disconnect");
  await shows(page, "#status", "Offline");
  assert.ok(await page.isDisabled("#ping"));
  await page.click("#connect");
  await online(page);
  await pings(page);
  await page.close();
});

test("on a phone nothing is wider than the screen", async () => {
  const page = await open();
  await page.setViewportSize({ width: 360, height: 740 });
  await online(page);
  await pings(page);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(overflow <= 0, `${overflow} pixels too wide`);
  await page.close();
});

test("the server goes away and comes back", async () => {
  const page = await open();
  await online(page);
  const first = await page.textContent("#socket-id");
  await server.end("SIGTERM");
  await shows(page, "#status", "Reconnecting");
  await shows(page, "#log", "disconnected:");
  await server.start();
  await online(page);
  assert.notEqual(await page.textContent("#socket-id"), first);
  await pings(page);
  await page.close();
});
