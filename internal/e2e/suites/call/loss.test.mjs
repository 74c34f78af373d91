// signaling.js: lost connections, within and after the grace time, and the end of a call.
import { after, afterEach, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { eventually } from "../../lib/wait.mjs";
import { Line } from "../../lib/line.mjs";
import { Stage, cut, flowing, heard, idOf, mend, settled } from "./peers.mjs";

let stage;
// A silent loss is noticed soon, but a page that a busy machine keeps waiting is not taken for lost.
const extra = ["ping_interval 500ms", "ping_timeout 3s"];

/** Tests with a grace time of their own: one that no busy machine outlasts, or one that is waited for. */
function within(grace, tests) {
  describe(`a grace time of ${grace}`, () => {
    before(async () => (stage = await Stage.start({ options: [`departure_grace ${grace}`, "empty_timeout 100ms"], extra })));
    after(() => stage?.stop());
    afterEach(() => stage.clear());
    tests();
  });
}

async function pair(room) {
  const pages = [await stage.peer(room), await stage.peer(room)];
  await Promise.all(pages.map((page) => flowing(page, 1)));
  return pages;
}

/** Two in a call, of whom the second reaches the server over a line; `reasons` there are those of its disconnects. */
async function pairOverLine(t, room) {
  const line = await Line.open(stage.server);
  t.after(() => line.close());
  const pages = [await stage.peer(room), await stage.peer(room, { origin: line.url })];
  await pages[1].evaluate(() => {
    window.reasons = [];
    window.room.socket.on("disconnect", (reason) => window.reasons.push(reason));
  });
  await Promise.all(pages.map((page) => flowing(page, 1)));
  return [line, ...pages];
}

/** Joins a second room over the page's socket, and resolves with the peer's id there. */
const joinToo = (page, name) => page.evaluate(async (name) => {
  const { Room } = await import("/signaling.js");
  const room = new Room(window.room.socket, name);
  await room.join();
  return room.self.id;
}, name);

/** What the server holds of all calls, as its admin API says. */
async function held() {
  const { body } = await stage.server.admin("GET", "/socketio/default/namespaces");
  return body.namespaces.find(({ name }) => name === "/").gateways.webrtc;
}

within("60s", () => {
  test("within the grace time the peer is the same and media goes on", async () => {
    const [stays, drops] = await pair("within");
    const id = await idOf(drops);
    await cut(drops);
    await heard(stays, { type: "peer", id, away: true });
    await flowing(stays, 1);
    await mend(drops);
    await heard(drops, { type: "joined", resumed: true });
    await stays.waitForFunction((known) => window.room.peers.get(known)?.away === false, id);
    assert.equal(await idOf(drops), id);
    await Promise.all([flowing(stays, 1), flowing(drops, 1)]);
  });

  test("what is negotiated meanwhile is caught up with", async () => {
    const [stays, drops] = await pair("meanwhile");
    await cut(drops);
    await heard(stays, { type: "peer", id: await idOf(drops), away: true });
    await stays.evaluate(() => {
      const canvas = document.body.appendChild(document.createElement("canvas"));
      canvas.getContext("2d").fillRect(0, 0, 9, 9);
      const stream = canvas.captureStream(5);
      window.room.addTrack(stream.getVideoTracks()[0], stream);
    });
    await drops.evaluate(() => window.room.setState({ said: "while offline" }));
    await mend(drops);
    await drops.waitForFunction(() => [...window.room.peers.values()].every(({ streams }) => streams.size === 2));
    await stays.waitForFunction(() => [...window.room.peers.values()].every(({ state }) => state.said === "while offline"));
    await Promise.all([settled(stays, 1), settled(drops, 1)]);
  });

  test("a server that cannot let anybody in at the moment is asked again", async () => {
    const [stays, drops] = await pair("passing");
    await cut(drops);
    await drops.evaluate(() => {
      const { socket } = window.room;
      const emit = socket.emit;
      socket.emit = (event, ...rest) => {
        if (event !== "join") return emit.call(socket, event, ...rest);
        socket.emit = emit; // refused once, as by a node that cannot reach its cluster
        return rest.at(-1)(null, { ok: false, error: { code: "unavailable", message: "try again" } });
      };
    });
    await mend(drops);
    await drops.waitForFunction(() => window.heard.filter(({ type }) => type === "joined").length === 2);
    assert.deepEqual(await drops.evaluate(() => window.heard.filter(({ type }) => type === "left")), []);
    await Promise.all([flowing(stays, 1), flowing(drops, 1)]);
  });

  test("a network that loses everything without a word: the peer is the same within the grace time", async (t) => {
    const [line, stays, drops] = await pairOverLine(t, "silent");
    const id = await idOf(drops);
    line.hold();
    await Promise.all([heard(stays, { type: "peer", id, away: true }), heard(drops, { type: "offline" })]);
    await flowing(stays, 1); // media takes another way
    line.release();
    await heard(drops, { type: "joined", resumed: true });
    assert.equal(await idOf(drops), id);
    assert.deepEqual(await drops.evaluate(() => window.reasons), ["ping timeout"]);
    await stays.waitForFunction((known) => window.room.peers.get(known)?.away === false, id);
    await Promise.all([flowing(stays, 1), flowing(drops, 1)]);
  });
});

within("2s", () => {
  test("after the grace time it is a new peer, and media flows again", async () => {
    const [stays, drops] = await pair("after");
    const id = await idOf(drops);
    await cut(drops);
    await heard(stays, { type: "gone", id, reason: "timeout" });
    await mend(drops);
    await drops.waitForFunction((former) => window.room.self.id !== former, id);
    await Promise.all([flowing(stays, 1), flowing(drops, 1)]);
  });

  test("a network that loses everything for longer: it is a new peer, and media flows again", async (t) => {
    const [line, stays, drops] = await pairOverLine(t, "silence");
    const id = await idOf(drops);
    line.hold();
    await heard(stays, { type: "gone", id, reason: "timeout" });
    line.release();
    await drops.waitForFunction((former) => window.room.self.id !== former, id);
    assert.deepEqual(await drops.evaluate(() => window.reasons), ["ping timeout"]);
    await Promise.all([flowing(stays, 1), flowing(drops, 1)]);
  });

  for (const transports of [["websocket"], ["polling"]]) {
    test(`a page that is left frees its places at once, by ${transports}`, async () => {
      const stays = [await stage.peer("left", { media: false }), await stage.peer("left too", { media: false })];
      for (const leave of [...Array(10).fill("reload"), "close"]) {
        const goes = await stage.peer("left", { media: false, transports });
        const ids = [await idOf(goes), await joinToo(goes, "left too")];
        await goes[leave]();
        for (const [page, id] of stays.map((page, n) => [page, ids[n]])) {
          assert.equal((await heard(page, { type: "gone", id })).reason, "left", leave);
          const away = (known) => window.heard.some(({ type, id, away }) => type === "peer" && id === known && away);
          assert.equal(await page.evaluate(away, id), false);
        }
        await goes.context().close();
      }
    });
  }

  test("a call that has ended leaves no peer, room or timer", async () => {
    const nothing = { sockets: 0, rooms: 0, peers: 0, away: 0, timers: 0 };
    await eventually(async () => isDeepStrictEqual(await held(), nothing), "the end of what other tests left");
    const [one, other] = await pair("end");
    await one.evaluate(async () => {
      await window.room.changeMetadata({ set: { topic: "tea" } });
      await window.room.lock("screen", 300_000);
    });
    assert.deepEqual(await held(), { sockets: 2, rooms: 1, peers: 2, away: 0, timers: 1 });
    await one.evaluate(() => window.room.leave());
    await heard(other, { type: "gone", reason: "left" });
    assert.deepEqual(await held(), { sockets: 2, rooms: 1, peers: 1, away: 0, timers: 0 });
    await cut(other); // and never mended: the grace time ends the peer
    await eventually(async () => (await held()).away === 1, "an away peer");
    await eventually(async () => isDeepStrictEqual(await held(), { ...nothing, sockets: 1 }), "the end of the room");
  });
});
