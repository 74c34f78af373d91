// The test page, by clicks.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Browser, shows } from "../../lib/browser.mjs";
import { startCaddy } from "../../lib/caddy.mjs";
import { directive } from "../../lib/caddyfile.mjs";
import { Inbox } from "../../lib/wait.mjs";
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

// The page changes its transport once it has the answer to its probe and no poll is
// under way. In between it is left here.
test("a connection that is left on its way to websocket says no more", async () => {
  const page = await browser.context.newPage();
  const probed = new Inbox();
  const polled = new Inbox();
  const closed = new Inbox();
  let upgrading = true;
  let entered = false; // with a probe before that, the poll that is ended is not the last
  await page.routeWebSocket(/transport=websocket/, (ws) => {
    const server = ws.connectToServer();
    server.onMessage((message) => (message === "3probe" ? probed.push(() => ws.send(message)) : ws.send(message)));
    ws.onClose(() => closed.push(server.close()));
  });
  await page.route(/transport=polling&.*sid=/, async (route) => {
    const response = await route.fetch();
    const hold = upgrading && entered && route.request().method() === "GET";
    entered ||= (await response.text()).includes("40{");
    if (hold) polled.push(() => route.fulfill({ response }));
    else await route.fulfill({ response });
  });
  await page.goto(server.url);
  await online(page);
  const [answerProbe, endPoll] = [await probed.take("the answer to the probe"), await polled.take("the end of a poll")];
  upgrading = false; // what follows is the second connection's
  answerProbe();
  await page.selectOption("#transport", "polling");
  await page.click("#connect");
  await online(page);
  await endPoll();
  await closed.take("the end of the first connection");
  await pings(page);
  assert.equal(await page.textContent("#transport-in-use"), "polling");
  await page.unrouteAll({ behavior: "ignoreErrors" }); // a poll is always under way
  await page.close();
});

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
