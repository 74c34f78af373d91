// signaling.js in a large room: changes come in batches and the list of peers in pages. The others are stock clients
// without media.
import { after, afterEach, before, test } from "node:test";
import assert from "node:assert/strict";
import { ask, connected, endClients, ready } from "../../lib/clients.mjs";
import { once } from "../../lib/wait.mjs";
import { Stage, cut, heard, idOf, mend } from "./peers.mjs";

const options = ["presence_interval 2 1s", "departure_grace 60s", "empty_timeout 100ms"];

let stage;
before(async () => (stage = await Stage.start({ options })));
after(() => stage?.stop());
afterEach(async () => {
  endClients();
  await stage.clear();
});

/** A member of the room that says nothing by itself: `self` and `resume` are of its join. */
async function member(room, state = {}) {
  const socket = await connected("v4", stage.server);
  return Object.assign(socket, await ask(socket, "join", { room, state }));
}

const members = async (n, ...entry) => Promise.all(Array.from({ length: n }, () => member(...entry)));
const ids = (page) => page.evaluate(() => [...window.room.peers.keys()].sort());

test("joins, states, away, back and leaves arrive by batches", async () => {
  const page = await stage.peer("batches", { media: false });
  await members(2, "batches");
  await page.waitForFunction(() => window.room.peers.size === 2);
  const singles = () => {
    window.single = 0;
    for (const event of ["peer-joined", "peer-left", "peer-state", "peer-away", "peer-back"]) {
      window.room.socket.on(event, () => window.single++);
    }
  };
  await page.evaluate(singles);
  const comes = await member("batches", { name: "Eve" });
  const { id } = comes.self;
  await page.waitForFunction((of) => window.room.peers.get(of)?.state.name === "Eve", id);
  comes.emit("state", { room: "batches", state: { name: "Kay" } });
  await page.waitForFunction((of) => window.room.peers.get(of).state.name === "Kay", id);
  const lost = once(comes, "disconnect");
  comes.io.engine.close();
  await lost;
  await heard(page, { type: "peer", id, away: true });
  const back = ready(comes);
  comes.connect();
  await back;
  const { self, resumed } = await ask(comes, "join", { room: "batches", resume: comes.resume });
  assert.deepEqual([self.id, resumed], [id, true]);
  await page.waitForFunction((of) => window.room.peers.get(of).away === false, id);
  comes.emit("leave", { room: "batches" });
  await heard(page, { type: "gone", id, reason: "left" });
  assert.equal(await page.evaluate(() => window.single), 0);
});

test("one who sent an offer and left before any batch told of it is gone", async () => {
  const page = await stage.peer("ghost", { media: false });
  await members(2, "ghost");
  const sdp = await page.evaluate(async () => {
    const pc = new RTCPeerConnection();
    pc.createDataChannel("any");
    await pc.setLocalDescription();
    const { sdp } = pc.localDescription;
    pc.close();
    return sdp;
  });
  const to = await idOf(page);
  const ghost = await member("ghost");
  ghost.emit("offer", { room: "ghost", to, description: { type: "offer", sdp } });
  ghost.emit("leave", { room: "ghost" });
  await heard(page, { type: "gone", id: ghost.self.id, reason: "left" });
  await page.waitForFunction(() => window.room.peers.size === 2);
});

test("the pages of a long list are read, and a rejoin drops those who left meanwhile", async () => {
  const room = "pages";
  const here = await members(11, room, { filling: "x".repeat(30_000) }); // nine of them fill a page
  const page = await stage.peer(room, { media: false });
  const known = (list) => list.map(({ self }) => self.id).sort();
  await page.waitForFunction(() => window.room.peers.size === 11);
  assert.deepEqual(await ids(page), known(here));
  await cut(page);
  const leaving = [here[0], here[10]]; // one of the first page, one of the last
  await Promise.all(leaving.map((socket) => ask(socket, "leave", { room })));
  const comes = await member(room);
  await mend(page);
  await heard(page, { type: "joined", resumed: true });
  for (const { self } of leaving) await heard(page, { type: "gone", id: self.id, reason: "left" });
  await page.waitForFunction(() => window.room.peers.size === 10);
  assert.deepEqual(await ids(page), known([...here.slice(1, 10), comes]));
});
