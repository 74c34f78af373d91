// A node that is killed while thousands of rooms have a peer on it.
import { after, test } from "node:test";
import assert from "node:assert/strict";
import { ask, client, endClients, ready } from "../../lib/clients.mjs";
import { Redis } from "../../lib/redis.mjs";
import { roomNode, roomsIn } from "../../lib/room.mjs";
import { eventually } from "../../lib/wait.mjs";

const ROOMS = 2000;
const EACH = 100; // rooms of a socket

const limits = `limits {\n rooms_per_socket ${EACH}\n events_per_socket off\n}`;
let redis;
const nodes = [];

after(async () => {
  endClients();
  await Promise.all(nodes.map((node) => node.stop()));
  await redis?.stop();
});

/** Sockets of a node in rooms of the numbers, and what they hear by room. */
async function enter(node, from, to) {
  const heard = new Map();
  const sockets = [];
  for (let n = from; n < to; n += EACH) {
    const socket = client("v4", node, "/", { transports: ["websocket"] });
    await ready(socket);
    for (const event of ["peer-joined", "peer-away", "peer-left", "peer-back"]) {
      socket.on(event, ({ room, id, reason, peer }) => heard.get(room).events.push({ event, id: id ?? peer.id, reason, at: Date.now() }));
    }
    sockets.push(socket);
  }
  await Promise.all(sockets.map(async (socket, i) => {
    const names = Array.from({ length: EACH }, (_, k) => `r${from + i * EACH + k}`);
    for (const room of names) heard.set(room, { socket, events: [] });
    await Promise.all(names.map(async (room) => {
      const answer = await ask(socket, "join", { room });
      assert.equal(answer.ok, true, JSON.stringify(answer));
      heard.get(room).id = answer.self.id;
    }));
  }));
  return heard;
}

test(`a node with a peer in each of ${ROOMS} rooms is killed`, async (t) => {
  redis = await Redis.start();
  nodes.push(...await Promise.all([1, 2, 3].map(() => roomNode(redis, { grace: "2s", extra: [limits] }))));
  const left = new Map([...await enter(nodes[1], 0, ROOMS / 2), ...await enter(nodes[2], ROOMS / 2, ROOMS)]);
  const dead = await enter(nodes[0], 0, ROOMS);
  const all = [...left.values()];
  const heard = (n) => eventually(() => all.every(({ events }) => events.length >= n), `the event ${n} in each room`);
  await heard(1);

  const killed = Date.now();
  await nodes[0].end("SIGKILL");
  await heard(2);
  const took = (n) => Math.max(...all.map(({ events }) => events[n].at)) - killed;
  t.diagnostic(`away within ${took(1)} ms of the kill`);
  await heard(3);
  t.diagnostic(`gone within ${took(2)} ms of it`);

  for (const [room, { events }] of left) {
    const { id } = dead.get(room);
    assert.deepEqual(events.map(({ event, id, reason }) => [event, id, reason]),
      [["peer-joined", id, undefined], ["peer-away", id, undefined], ["peer-left", id, "timeout"]], room);
  }
  // Every room goes on, and has the place again.
  const counts = await Promise.all(all.map(({ socket }, i) => ask(socket, "peers", { room: [...left.keys()][i] })));
  assert.ok(counts.every(({ count }) => count === 1));
  assert.equal((await roomsIn(redis)).length, ROOMS);
});
