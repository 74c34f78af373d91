// The webrtc gateway with stock clients: the payloads, answers and errors that
// its users see.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { ask, connected, endClients } from "../../lib/clients.mjs";
import { startCaddy } from "../../lib/caddy.mjs";
import { once } from "../../lib/wait.mjs";

let server;
before(async () => {
  const small = "namespace /small {\n gateway webrtc {\n  room_capacity 2\n  max_message 1KB\n }\n}";
  server = await startCaddy({ settings: { allowEIO3: true }, namespaces: [small, "namespace /"] });
});
after(async () => {
  endClients();
  await server.stop();
});

let rooms = 0;

/** Two clients in a room of their own: their sockets and peer ids. */
async function pair(namespace = "/") {
  const room = `room ${++rooms}`;
  const [a, b] = await Promise.all([connected("v4", server, namespace), connected("v3", server, namespace)]);
  const first = await ask(a, "join", { room });
  const joined = once(a, "peer-joined");
  const second = await ask(b, "join", { room });
  return { room, a, b, first, second, joined: await joined, idA: first.self.id, idB: second.self.id };
}

const code = async (answer) => (await answer).error?.code;

test("ping is answered by pong, and by the ack when one is asked for", async () => {
  const socket = await connected("v4", server);
  const pong = once(socket, "pong");
  socket.emit("ping");
  assert.equal(await pong, "pong from server");
  assert.deepEqual(await ask(socket, "ping", { any: "thing" }), { ok: true, data: "pong from server" });
});

test("join answers with a snapshot", async () => {
  const socket = await connected("v4", server);
  const answer = await ask(socket, "join", { room: "alone", state: { mic: true } });
  const { resume, self, ...rest } = answer;
  assert.equal(typeof resume, "string");
  assert.notEqual(self.id, socket.id);
  assert.equal(typeof self.joinedAt, "number");
  assert.deepEqual({ role: self.role, state: self.state }, { role: "member", state: { mic: true } });
  assert.deepEqual(rest, {
    ok: true, room: "alone", resumed: false, peers: [], count: 1, locked: false,
    metadata: {}, revision: 0, locks: [], iceServers: [],
  });
});

test("a newcomer is told to the others, who are told to it, with complementary roles", async () => {
  const { room, first, second, joined, idA, idB } = await pair();
  assert.deepEqual(joined, { room, peer: second.self, polite: false });
  assert.equal(second.count, 2);
  assert.deepEqual(second.peers, [{ ...first.self, polite: true }]);
  assert.ok(second.self.order > first.self.order);
  assert.notEqual(idA, idB);
});

test("joining again gives the snapshot and the same peer", async () => {
  const { room, a, idA, idB } = await pair();
  const again = await ask(a, "join", { room });
  assert.equal(again.self.id, idA);
  assert.deepEqual(again.peers.map((p) => [p.id, p.polite]), [[idB, false]]);
});

for (const [event, field, value] of [
  ["offer", "description", { type: "offer", sdp: "v=0\r\n" }],
  ["answer", "description", { type: "answer", sdp: "v=0\r\n" }],
  ["candidate", "candidate", { candidate: "candidate:1", sdpMid: "0", sdpMLineIndex: 0 }],
  ["candidate", "candidate", null],
]) {
  test(`${event} of ${JSON.stringify(value)} is relayed as it is`, async () => {
    const { room, a, b, idA, idB } = await pair();
    const got = once(b, event);
    assert.deepEqual(await ask(a, event, { room, to: idB, [field]: value }), { ok: true });
    assert.deepEqual(await got, { room, from: idA, [field]: value });
  });
}

test("events from one peer to another keep their order, whatever their kind", async () => {
  const { room, a, b, idB } = await pair();
  const got = [];
  const all = new Promise((resolve) => b.onAny((event) => got.push(event) === 60 && resolve()));
  const kinds = ["offer", "candidate", "message"];
  for (let i = 0; i < 60; i++) a.emit(kinds[i % 3], { room, to: idB, description: {}, candidate: null, data: i });
  await all;
  assert.deepEqual(got, Array.from({ length: 60 }, (_, i) => kinds[i % 3]));
});

test("a message to the room reaches all but the sender", async () => {
  const { room, a, b, idA } = await pair();
  const c = await connected("v4", server);
  await ask(c, "join", { room });
  const both = Promise.all([once(b, "message"), once(c, "message")]);
  assert.deepEqual(await ask(a, "message", { room, data: { text: "ä" } }), { ok: true, delivered: 2 });
  const wanted = { room, from: idA, data: { text: "ä" } };
  assert.deepEqual(await both, [wanted, wanted]);
});

test("a message to one peer reaches that one", async () => {
  const { room, a, b, idA, idB } = await pair();
  const got = once(b, "message");
  assert.deepEqual(await ask(a, "message", { room, to: idB, data: 1 }), { ok: true, delivered: 1 });
  assert.deepEqual(await got, { room, from: idA, data: 1 });
});

test("leave, and a client that disconnects, are told at once", async () => {
  const { room, a, b, idA, idB } = await pair();
  const left = once(b, "peer-left");
  assert.deepEqual(await ask(a, "leave", { room }), { ok: true });
  assert.deepEqual(await left, { room, id: idA, reason: "left" });
  assert.equal(await code(ask(a, "leave", { room })), "not-in-room");
  const { self } = await ask(a, "join", { room });
  const gone = once(a, "peer-left");
  b.disconnect();
  assert.deepEqual(await gone, { room, id: idB, reason: "left" });
  assert.notEqual(self.id, idA);
});

test("only room-mates are reachable", async () => {
  const { room, a } = await pair();
  const other = await pair();
  const description = {};
  assert.equal(await code(ask(a, "offer", { room, to: other.idA, description })), "peer-unavailable");
  assert.equal(await code(ask(a, "offer", { room, to: "nobody", description })), "peer-unavailable");
  assert.equal(await code(ask(a, "offer", { room: other.room, to: other.idA, description })), "not-in-room");
  assert.equal(await code(ask(a, "message", { room: "no such room", data: 1 })), "not-in-room");
});

for (const [name, event, payload, word] of [
  ["no payload", "join", undefined, ""],
  ["a payload that is no object", "join", "room", ""],
  ["a room that is no string", "join", { room: 7 }, "room"],
  ["an empty room", "join", { room: "" }, "room"],
  ["a room of 129 bytes", "join", { room: "x".repeat(129) }, "room"],
  ["a room with a control character", "join", { room: "a\nb" }, "room"],
  ["an offer without description", "offer", { room: "x", to: "y" }, "description"],
  ["an offer without addressee", "offer", { room: "x", description: {} }, "to"],
]) {
  test(`${name} is invalid-payload`, async () => {
    const socket = await connected("v4", server);
    const answer = await ask(socket, event, ...(payload === undefined ? [] : [payload]));
    assert.equal(answer.error?.code, "invalid-payload");
    assert.match(answer.error.message, new RegExp(word));
  });
}

test("an error without an ack is the event exception, naming the event", async () => {
  const socket = await connected("v4", server);
  const exception = once(socket, "exception");
  socket.emit("leave", { room: "elsewhere" });
  const { message, ...rest } = await exception;
  assert.equal(typeof message, "string");
  assert.deepEqual(rest, { status: "error", code: "not-in-room", event: "leave" });
});

test("success without an ack is silent", async () => {
  const socket = await connected("v4", server);
  const got = [];
  socket.onAny((event) => got.push(event));
  socket.emit("join", { room: "silent" });
  await ask(socket, "ping");
  assert.deepEqual(got, []);
});

test("an unknown event is told", async () => {
  const socket = await connected("v4", server);
  assert.equal(await code(ask(socket, "nonsense", {})), "unknown-event");
});

test("room_capacity and max_message hold", async () => {
  const { room, a } = await pair("/small");
  const third = await connected("v4", server, "/small");
  assert.equal(await code(ask(third, "join", { room })), "room-full");
  assert.equal(await code(ask(a, "message", { room, data: "x".repeat(1001) })), "too-large");
  assert.deepEqual(await ask(a, "message", { room, data: "x".repeat(900) }), { ok: true, delivered: 1 });
});

test("twenty joins at once let in exactly as many as there is room for", async () => {
  const sockets = await Promise.all(Array.from({ length: 20 }, () => connected("v4", server, "/small")));
  const answers = await Promise.all(sockets.map((s) => ask(s, "join", { room: "crowded" })));
  assert.equal(answers.filter((a) => a.ok).length, 2);
  assert.ok(answers.every((a) => a.ok || a.error.code === "room-full"));
});

test("a client of Socket.IO v2 joins and talks", async () => {
  const socket = await connected("v2", server);
  const { a, room } = await pair();
  assert.equal((await ask(socket, "join", { room })).count, 3);
  const got = once(socket, "message");
  await ask(a, "message", { room, data: "hello" });
  assert.equal((await got).data, "hello");
});
