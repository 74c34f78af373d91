// Tokens that end in the middle of a call, and other ends that the server makes: renewed, or told so that nobody waits
// for a connection that does not come.
import { after, afterEach, before, test } from "node:test";
import assert from "node:assert/strict";
import { directive } from "../../lib/caddyfile.mjs";
import { withPages } from "../../lib/web.mjs";
import { SECRET, Stage, cut, flowing, heard, idOf, mend, site, token } from "./peers.mjs";

const SHORT = { seconds: 6 };
const config = { extra: [`auth jwt {\n secret "${SECRET}"\n cookie session\n}`], options: ["empty_timeout 100ms"] };

let stage;
before(async () => (stage = await Stage.start(config)));
after(() => stage?.stop());
afterEach(() => stage.clear());

const peer = (room, seconds, more) => stage.peer(room, { auth: { token: token("ada", seconds) }, media: false, ...more });
const count = (page, type) => page.evaluate((wanted) => window.heard.filter((event) => event.type === wanted).length, type);

test("a token is renewed while the call goes on, also for the next connection", async () => {
  const other = await stage.peer("renewed", { auth: { token: token("bob") } });
  const page = await stage.peer("renewed", { auth: { token: token("ada", SHORT) }, renewals: [token("ada")] });
  const witness = await peer("witness", SHORT); // whose token ends later
  await Promise.all([flowing(page, 1), flowing(other, 1)]);
  await heard(witness, { type: "left" });
  const id = await idOf(page);
  await flowing(page, 1);
  assert.deepEqual(await Promise.all(["expiring", "offline", "left", "error"].map((type) => count(page, type))), [0, 0, 0, 0]);
  await cut(page);
  await mend(page);
  await heard(page, { type: "joined", resumed: true });
  assert.equal(await idOf(page), id);
});

test("a token that nobody renews is told before its end, and at its end", async () => {
  const page = await peer("lapses", SHORT);
  const { expires } = await heard(page, { type: "expiring" });
  assert.ok(expires > Date.now() - 6000 && expires < Date.now() + 7000);
  const { error } = await heard(page, { type: "left", reason: "token-expired" });
  assert.match(error, /the token has expired/);
});

test("a renewal that fails is told, and tried again at the end", async () => {
  const page = await peer("late", SHORT, { renewals: ["", token("ada")] });
  assert.match((await heard(page, { type: "expiring" })).error, /nobody is signed in/);
  await heard(page, { type: "offline" });
  await page.waitForFunction(() => window.heard.filter(({ type }) => type === "joined").length === 2);
  assert.equal(await count(page, "left"), 0);
});

test("a token that is over at the next connection is replaced, or ends the call", async () => {
  const pages = await Promise.all([undefined, [token("ada")], [token("ada", { seconds: -60 })], [""]]
    .map((renewals) => peer("reconnects", {}, { renewals })));
  for (const page of pages) {
    await cut(page);
    await page.evaluate((old) => (window.room.socket.auth = { token: old }), token("ada", { seconds: -60 }));
    await mend(page);
  }
  const [plain, renews, stale, fails] = pages;
  for (const page of [plain, stale, fails]) await heard(page, { type: "left", reason: "unauthorized" });
  await heard(renews, { type: "joined", resumed: true });
});

test("a CONNECT that comes too fast is tried again", async () => {
  const page = await peer("fast");
  await cut(page);
  await page.evaluate(() => {
    const { socket } = window.room;
    socket.io.once("open", () => { // the server's words for it, in place of its answer
      const { onpacket } = socket;
      socket.onpacket = (packet) => {
        socket.onpacket = onpacket;
        onpacket.call(socket, { ...packet, type: 4, data: { message: "rate-limited", data: { code: "rate-limited" } } });
      };
    });
  });
  await mend(page);
  await page.waitForFunction(() => window.heard.filter(({ type }) => type === "joined").length === 2);
  assert.equal(await count(page, "left"), 0);
});

const end = (namespace = "/") => stage.server.admin("POST", "/socketio/default/disconnect", JSON.stringify({ namespace }));

test("a disconnect by the administrator ends the call, and it can be joined again", async () => {
  const page = await peer("ended");
  assert.equal((await end()).status, 204);
  await heard(page, { type: "left", reason: "disconnected" });
  await page.evaluate(() => (window.room.socket.connect(), window.room.join()));
  await page.waitForFunction(() => window.heard.filter(({ type }) => type === "joined").length === 2);
});

/** A caller on the call page who is signed in by a cookie for so many seconds. */
async function caller(path, seconds) {
  const page = await stage.open("/blank");
  await sign(page, seconds);
  await page.goto(stage.server.url + path);
  await page.fill("#name", "Ada");
  await page.click("#join");
  await page.locator("#call").waitFor();
  return page;
}

const sign = (page, life) =>
  page.context().addCookies([{ name: "session", value: token("ada", life), url: stage.server.url }]);
const problem = async (page) => [
  await page.locator("#problem").filter({ hasText: /\w/ }).textContent(),
  await page.locator("#join").textContent(),
];

test("the call page: an expired sign-in cannot be missed, and one comes back with a new one", async () => {
  const page = await caller("/call.html#cookie", SHORT);
  await page.locator("#banner", { hasText: "Your sign-in ends at" }).waitFor();
  assert.deepEqual(await problem(page), ["Your sign-in has expired. Please sign in again.", "Join again"]);
  await page.click("#join");
  await page.locator("#problem", { hasText: "Please sign in to join." }).waitFor();
  await sign(page);
  await page.click("#join");
  await page.locator("#call").waitFor();
  assert.deepEqual(page.complaints, []);
});

test("the call page: the administrator's disconnect is told, and one can join again", async () => {
  const page = await caller("/call.html#admin");
  await end();
  assert.deepEqual(await problem(page), ["The server has ended your connection. You can join again.", "Join again"]);
  await page.click("#join");
  await page.locator("#call").waitFor();
  assert.equal(await page.locator("#banner").isVisible(), false);
});

test("the call page: a namespace that is gone is told", async () => {
  const other = directive({ ...config, namespaces: ["namespace / {\n gateway webrtc\n}", "namespace /b {\n gateway webrtc\n}"] });
  await stage.server.reload({ site: `${withPages(other)}\nheader /blank Content-Type text/html\nrespond /blank "blank"` });
  const page = await caller("/call.html?namespace=/b#gone");
  await stage.server.reload({ site: site(config) });
  assert.deepEqual(await problem(page), ["The server has ended your connection. You can join again.", "Join again"]);
  await page.click("#join");
  await page.locator("#problem", { hasText: "does not let you in" }).waitFor();
});
