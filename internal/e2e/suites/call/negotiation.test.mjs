// signaling.js: what two peers negotiate, above all when both do at once.
import { after, afterEach, before, test } from "node:test";
import assert from "node:assert/strict";
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
  for (let i = 0; i < 20; i++) {
    await both(pages, () => window.room.peers.forEach((peer) => peer.restart()));
    await Promise.all(pages.map((page) => settled(page, 1)));
  }
  await Promise.all(pages.map((page) => flowing(page, 1)));
  assert.deepEqual(await both(pages, () => window.heard.filter(({ type }) => type === "error")), [[], []]);
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
