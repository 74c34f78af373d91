// signaling.js through coturn: the gateway's time-limited credentials, and their renewal.
import { after, afterEach, before, test } from "node:test";
import assert from "node:assert/strict";
import { TurnServer } from "../../lib/turn.mjs";
import { eventually } from "../../lib/wait.mjs";
import { Stage, flowing, idOf, settled } from "./peers.mjs";

const SECRET = "north wind";
const TTL = 60; // seconds, the least that the gateway allows

let turn, stage, stranger;
const gateway = (secret) => [`turn ${turn.url} {\n secret "${secret}"\n ttl ${TTL}s\n}`];
before(async () => {
  turn = await TurnServer.start(SECRET);
  stage = await Stage.start({ options: gateway(SECRET) });
});
after(async () => {
  await stage?.stop();
  await turn?.stop();
});
afterEach(() => Promise.all([stage, stranger].map((one) => one?.clear())));

const relay = { rtc: { iceTransportPolicy: "relay" } };

/** The candidates of the path in use, once one is: a better one may just be taking over. */
async function path(page) {
  let ends;
  await eventually(async () => (ends = await page.evaluate(candidates)), "a path in use");
  return ends;
}

/** Runs in the page: the types of both ends' candidates, or null. */
async function candidates() {
  const [{ pc }] = window.room.peers.values();
  const stats = await pc.getStats();
  const transport = [...stats.values()].find(({ type }) => type === "transport");
  const pair = stats.get(transport?.selectedCandidatePairId);
  const ends = [stats.get(pair?.localCandidateId), stats.get(pair?.remoteCandidateId)];
  return ends.every(Boolean) ? ends.map(({ candidateType }) => candidateType) : null;
}

/** The TURN username that a new path would be looked for with. */
const username = (page) => page.evaluate(() => [...window.room.peers.values()][0].pc.getConfiguration().iceServers[0].username);

/** How often coturn gave an address to a user. */
const allocations = (user) => turn.linesOf(user).filter((line) => /ALLOCATE processed, success/.test(line)).length;

test("media flows through coturn with each peer's own credentials", async () => {
  const pages = [await stage.peer("relayed", relay), await stage.peer("relayed", relay)];
  await Promise.all(pages.map((page) => flowing(page, 1)));
  for (const page of pages) {
    assert.deepEqual(await path(page), ["relay", "relay"]);
    const [expiry, id] = (await username(page)).split(":");
    assert.equal(id, await idOf(page));
    const left = Number(expiry) - Date.now() / 1000;
    assert.ok(left > 0 && left <= TTL, `${left} s left`);
    assert.ok(allocations(`${expiry}:${id}`) >= 1, "coturn knows the credentials");
  }
});

test("without the right secret coturn relays nothing", async (t) => {
  stranger = await Stage.start({ options: gateway("another") });
  t.after(() => stranger.stop());
  const pages = [await stranger.peer("refused", relay), await stranger.peer("refused", relay)];
  const codes = await pages[1].evaluate(() => new Promise((resolve) => {
    const [{ pc }] = window.room.peers.values();
    pc.addEventListener("icecandidateerror", ({ errorCode }) => resolve(errorCode));
    pc.restartIce();
  }));
  assert.equal(codes, 401);
  assert.equal(await pages[0].evaluate(() => [...window.room.peers.values()][0].pc.connectionState), "new");
});

test("ICE servers are renewed before they expire, and the call goes on", async () => {
  // To these clocks the credentials always expire within two seconds: each second they are renewed.
  const pages = [];
  for (let i = 0; i < 2; i++) pages.push(await stage.peer("renewed", { ...relay, ahead: (TTL - 2) * 1000 }));
  await Promise.all(pages.map((page) => flowing(page, 1)));
  const start = await Promise.all(pages.map(username));
  const ids = await Promise.all(pages.map(idOf));
  const connections = (page) => page.evaluate(() =>
    window.heard.filter(({ type, state }) => type === "connection" && state === "connected").length);
  await Promise.all(pages.map((page) => page.waitForFunction(() => // frames may come before the state that tells of them
    window.heard.some(({ type, state }) => type === "connection" && state === "connected"))));
  const connected = await Promise.all(pages.map(connections));
  const newer = ([old, by]) => {
    const { username } = [...window.room.peers.values()][0].pc.getConfiguration().iceServers[0];
    return parseInt(username, 10) >= parseInt(old, 10) + by;
  };
  await Promise.all(pages.map((page, i) => page.waitForFunction(newer, [start[i], 3], { polling: 200 })));
  await Promise.all(pages.map((page) => flowing(page, 1)));
  assert.deepEqual(await Promise.all(pages.map(idOf)), ids);
  assert.deepEqual(await Promise.all(pages.map(connections)), connected, "the connection was not made anew");
  for (const page of pages) {
    const bad = () => window.heard.filter(({ type }) => ["error", "offline", "gone", "left"].includes(type));
    assert.deepEqual(await page.evaluate(bad), []);
  }
  // The new ones serve the next path.
  const from = turn.program.lines.length;
  await pages[0].evaluate(() => [...window.room.peers.values()][0].restart());
  const whose = (line) => ids.indexOf(/user <\d+:([^>]+)>/.exec(line)?.[1]);
  const renewed = (line) => turn.program.lines.indexOf(line) >= from && /ALLOCATE processed, success/.test(line) && whose(line) >= 0;
  const line = await turn.program.line(renewed, "an allocation with renewed credentials");
  assert.ok(parseInt(/user <(\d+):/.exec(line)[1], 10) >= parseInt(start[whose(line)], 10) + 3, `${line}, at first ${start}`);
  await Promise.all(pages.map((page) => settled(page, 1)));
  await Promise.all(pages.map((page) => flowing(page, 1)));
  for (const page of pages) assert.deepEqual(await path(page), ["relay", "relay"]);
});
