// signaling.js: what two peers negotiate, above all when both do at once.
import { after, afterEach, before, test } from "node:test";
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { eventually } from "../../lib/wait.mjs";
import { Stage, flowing, heard, settled } from "./peers.mjs";

let stage;
before(async () => (stage = await Stage.start({ options: ["empty_timeout 100ms"] })));
after(() => stage?.stop());
afterEach(() => stage.clear());

const errors = (page) => page.evaluate(() => window.heard.filter(({ type }) => type === "error"));
const both = (pages, f, argument) => Promise.all(pages.map((page) => page.evaluate(f, argument)));

async function pair(room) {
  const pages = [await stage.peer(room), await stage.peer(room)];
  await Promise.all(pages.map((page) => settled(page, 1)));
  await Promise.all(pages.map((page) => flowing(page, 1)));
  return pages;
}

test("the two sides have opposite roles, and the newcomer is polite", async () => {
  const roles = await both(await pair("roles"), () => [...window.room.peers.values()].map(({ polite }) => polite));
  assert.deepEqual(roles, [[false], [true]]);
});

test("four in a room: each decodes the pictures of the three others", async () => {
  const pages = [];
  for (let i = 0; i < 4; i++) pages.push(await stage.peer("four"));
  await Promise.all(pages.map((page) => flowing(page, 3)));
  for (const page of pages) assert.deepEqual(await errors(page), []);
});

test("glare, forced twenty times, ends with media flowing", async () => {
  const pages = await pair("glare");
  await both(pages, () => {
    window.takenBack = 0;
    for (const { pc } of window.room.peers.values()) {
      const set = pc.setRemoteDescription.bind(pc);
      pc.setRemoteDescription = (description) => {
        if (description.type === "offer" && pc.signalingState === "have-local-offer") window.takenBack++;
        return set(description);
      };
    }
  });
  for (let i = 0; i < 20; i++) {
    await both(pages, () => window.room.peers.forEach((peer) => peer.restart()));
    await Promise.all(pages.map((page) => settled(page, 1)));
  }
  await Promise.all(pages.map((page) => flowing(page, 1)));
  assert.deepEqual(await both(pages, () => window.heard.filter(({ type }) => type === "error")), [[], []]);
  const [impolite, polite] = await both(pages, () => window.takenBack);
  assert.ok(polite > 0, "offers collided");
  assert.equal(impolite, 0, "the impolite side takes no offer back");
});

test("another track takes the place of one without negotiation", async () => {
  const [one, other] = await pair("replaced");
  const offers = () => {
    window.offers = 0;
    window.room.socket.on("offer", () => window.offers++);
  };
  await other.evaluate(offers);
  await one.evaluate(async () => {
    const canvas = document.body.appendChild(Object.assign(document.createElement("canvas"), { width: 64, height: 48 }));
    const context = canvas.getContext("2d");
    setInterval(() => context.fillRect(0, 0, 9, 9), 100); // a canvas gives a frame when it is drawn on
    const [track] = canvas.captureStream(10).getVideoTracks();
    const old = [...window.room.tracks.keys()].find(({ kind }) => kind === "video");
    const stream = window.room.tracks.get(old);
    await window.room.replaceTrack(old, track);
    if (window.room.tracks.get(track) !== stream || window.room.tracks.has(old)) throw new Error("the room knows the old track");
    old.stop();
  });
  const sizes = () => other.evaluate(async () => {
    const [{ pc }] = window.room.peers.values();
    const video = [...(await pc.getStats()).values()].find(({ type, kind }) => type === "inbound-rtp" && kind === "video");
    return [video.frameWidth, video.frameHeight];
  });
  await eventually(async () => isDeepStrictEqual(await sizes(), [64, 48]), "pictures of the new track");
  assert.equal(await other.evaluate(() => window.offers), 0);
  // Who comes later gets the new one.
  const late = await stage.peer("replaced");
  await flowing(late, 2);
});

test("one at a time: a lock is held until it is released", async () => {
  const [one, other] = await Promise.all(["", ""].map(() => stage.peer("locks", { media: false })));
  const id = await one.evaluate(() => window.room.self.id);
  const { lock } = await one.evaluate(() => window.room.lock("screen", 60_000));
  assert.deepEqual([lock.name, lock.owner], ["screen", id]);
  await heard(other, { type: "lock", name: "screen", owner: id });
  const attempt = () => window.room.lock("screen").then(() => null, ({ code, owner, expires }) => ({ code, owner, expires }));
  assert.deepEqual(await other.evaluate(attempt), { code: "lock-held", owner: id, expires: lock.expires });
  const release = () => window.room.unlock("screen").then(() => null, ({ code }) => code);
  assert.equal(await other.evaluate(release), "forbidden");
  assert.equal(await one.evaluate(release), null);
  await heard(other, { type: "lock", name: "screen", owner: null });
  assert.deepEqual(await both([one, other], () => window.room.locks.size), [0, 0]);
  assert.equal(await other.evaluate(attempt), null);
  await one.waitForFunction(() => window.room.locks.get("screen")?.owner !== window.room.self.id);
});

test("a change of metadata that builds on an old revision is a conflict", async () => {
  const [one, other] = await Promise.all(["", ""].map(() => stage.peer("metadata", { media: false })));
  const change = (topic) => window.room
    .changeMetadata({ set: { topic }, revision: window.room.revision })
    .then(({ revision }) => revision, ({ code, revision }) => [code, revision]);
  assert.equal(await one.evaluate(change, "tea"), 1);
  await heard(other, { type: "metadata", revision: 1 });
  assert.deepEqual(await other.evaluate(() => window.room.metadata), { topic: "tea" });
  await other.evaluate(() => (window.room.revision = 0)); // as if the news were still on its way
  assert.deepEqual(await other.evaluate(change, "coffee"), ["conflict", 1]);
  await other.evaluate(() => window.room.changeMetadata()); // reads
  assert.equal(await other.evaluate(change, "coffee"), 2);
  await heard(one, { type: "metadata", revision: 2 });
  const now = () => [window.room.metadata, window.room.revision];
  assert.deepEqual(await both([one, other], now), [[{ topic: "coffee" }, 2], [{ topic: "coffee" }, 2]]);
});

test("both sides add a track at once, and both arrive", async () => {
  const pages = await pair("tracks");
  await both(pages, () => {
    const canvas = document.body.appendChild(document.createElement("canvas"));
    canvas.getContext("2d").fillRect(0, 0, 9, 9);
    const stream = canvas.captureStream(5);
    window.room.addTrack(stream.getVideoTracks()[0], stream);
  });
  const two = () => [...window.room.peers.values()].every(({ streams }) => streams.size === 2);
  await Promise.all(pages.map((page) => page.waitForFunction(two)));
  await Promise.all(pages.map((page) => settled(page, 1)));
});

test("a track that is removed is gone on the other side", async () => {
  const [one, other] = await pair("removed");
  await one.evaluate(() => [...window.room.tracks.keys()].forEach((track) => window.room.removeTrack(track)));
  await other.waitForFunction(() => [...window.room.peers.values()].every(({ streams }) => streams.size === 0));
});

test("an ICE restart brings new credentials while media goes on", async () => {
  const pages = await pair("restart");
  const fragment = () => [...window.room.peers.values()][0].pc.remoteDescription.sdp.match(/ice-ufrag:(\S+)/)[1];
  const before = await pages[0].evaluate(fragment);
  await pages[1].evaluate(() => window.room.peers.forEach((peer) => peer.restart()));
  const sdp = (old) => ![...window.room.peers.values()][0].pc.remoteDescription.sdp.includes(`ice-ufrag:${old}`);
  await pages[0].waitForFunction(sdp, before);
  await Promise.all(pages.map((page) => settled(page, 1)));
  await Promise.all(pages.map((page) => flowing(page, 1)));
  assert.deepEqual(await errors(pages[0]), []);
});

test("candidates that come before any description are kept", async () => {
  const [one, other] = await pair("early");
  const id = await one.evaluate(() => window.room.self.id);
  const candidate = { candidate: "candidate:1 1 udp 1 192.0.2.1 9 typ host", sdpMid: "0", sdpMLineIndex: 0 };
  await other.evaluate(async ([from, early]) => {
    const peer = window.room.peers.get(from);
    const added = [];
    const fresh = new peer.constructor(window.room, { id: "nobody" }, false);
    fresh.pc.addIceCandidate = async (c) => added.push(c);
    fresh.receive({ candidate: early });
    const caller = new RTCPeerConnection();
    caller.createDataChannel("any");
    await caller.setLocalDescription();
    fresh.receive({ description: caller.localDescription });
    await new Promise((resolve) => (fresh.pc.onsignalingstatechange = () =>
      added.length || fresh.pc.signalingState === "stable" ? resolve() : undefined));
    if (!added.length) throw new Error("the early candidate was lost");
    fresh.close();
    caller.close();
  }, [id, candidate]);
});

test("data goes directly between two peers without media", async () => {
  const pages = [await stage.peer("data", { media: false }), await stage.peer("data", { media: false })];
  await Promise.all(pages.map((page) => heard(page, { type: "channel" })));
  await pages[0].evaluate(() => window.room.sendDirect("directly"));
  await heard(pages[1], { type: "data", data: "directly" });
});
