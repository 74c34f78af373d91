// What peers of signaling rooms see while Redis is in trouble, and that afterwards
// there is one picture of each room again: nobody doubled, nobody left who is not there.
import { afterEach, beforeEach, test } from "node:test";
import assert from "node:assert/strict";
import { endClients } from "../../lib/clients.mjs";
import { Redis, Way } from "../../lib/redis.mjs";
import { Member, agree, roomNode, roomsIn } from "../../lib/room.mjs";
import { eventually } from "../../lib/wait.mjs";

const ADAPTERS = ["streams", "pubsub"];

let redis;
let nodes;
let ways;

beforeEach(async () => {
  redis = await Redis.start();
  nodes = [];
  ways = [];
});

afterEach(async () => {
  endClients();
  await Promise.all(nodes.map((node) => node.stop()));
  for (const way of ways) way.close();
  await redis.stop();
});

/** Starts nodes with the options of each. */
async function start(...options) {
  nodes.push(...await Promise.all(options.map((o) => roomNode(redis, o))));
  return nodes;
}

/** Asks until it is not refused for want of Redis. */
function again(member, event, more) {
  return eventually(async () => {
    const answer = await member.ask(event, more);
    assert.ok(answer.ok || answer.error.code === "unavailable", JSON.stringify(answer));
    return answer.ok && answer;
  }, `${event} to be done`);
}

/** A peer relays to another of its node, without Redis. */
async function reaches(from, to) {
  const offer = to.hears("offer", (o) => o.from === from.self);
  await from.does("offer", { to: to.self, description: { type: "offer" } });
  await offer;
}

/** Everybody leaves, and no room stays. */
async function nothingStays(...members) {
  for (const m of members) if (m.self) await m.does("leave");
  await eventually(async () => (await roomsIn(redis)).length === 0, "the end of all rooms");
}

const LOSSES = {
  "is restarted at once, with nothing left in it": async () => {
    await redis.end();
    await redis.run();
  },
  "forgets everything, and is there all the time": () => redis.command("FLUSHALL"),
};

for (const [adapter, how] of ADAPTERS.flatMap((one) => Object.keys(LOSSES).map((how) => [one, how]))) {
  test(`${adapter}: Redis ${how}`, async () => {
    const options = { adapter, grace: "60s", capacity: 3 };
    const [first, second, third] = await start(options, options, options);
    const [a, b] = [await Member.enter(first, "call"), await Member.enter(second, "call")];
    await a.does("lock", { name: "screen", ttl: 300_000 });
    await b.does("metadata", { set: { x: 1 } });
    const [c, d] = [await Member.enter(second, "other"), await Member.enter(first, "other")];
    const away = c.hears("peer-away");
    d.lose();
    await away;
    await agree(a, b);
    await agree(c); // its node has read of the other's change
    const heard = () => [a, b, c].map((m) => m.heard.join());
    const before = heard();

    await LOSSES[how]();
    // The nodes bring back what they know, without being asked for anything.
    await eventually(async () => (await roomsIn(redis)).join() === "call,other", "the rooms in Redis");
    await agree(a, b);
    await agree(c);
    assert.deepEqual(heard(), before, "somebody has noticed");

    // A node that had nobody in the rooms finds them as they were.
    const [e, back] = [await Member.enter(third, "call"), await Member.enter(third, "other", { resume: d.joined.resume })];
    await e.cannot("lock-held", "lock", { name: "screen" });
    assert.equal(back.joined.resumed, true);
    await agree(a, b, e);
    await agree(c, back);
    const f = new Member(third, "call");
    await f.cannot("room-full", "join");
    await nothingStays(a, b, c, e, back);
  });
}

for (const adapter of ADAPTERS) {
  test(`${adapter}: Redis is away, and comes back with nothing in it`, async () => {
    const options = { adapter, capacity: 4 };
    const [first, second] = await start(options, options);
    const [a, b, near] = [await Member.enter(first, "call"), await Member.enter(second, "call"), await Member.enter(first, "call")];
    await b.does("metadata", { set: { x: 1 } });
    await agree(a, b, near);
    await redis.end();
    await a.cannot("unavailable", "metadata", { set: { x: 2 } });
    await b.cannot("unavailable", "lock", { name: "screen" });
    const late = new Member(second, "call");
    await late.cannot("unavailable", "join");
    await reaches(a, near);
    const gone = [a, b].map((m) => m.hears("peer-left"));
    near.end();
    await redis.run();
    await Promise.all(gone);
    late.joined = await again(late, "join");
    await again(a, "metadata", { set: { x: 2 } });
    await again(b, "lock", { name: "screen" });
    await agree(a, b, late);
    assert.equal(a.revision, 2);
    const last = await Member.enter(first, "call");
    const full = new Member(second, "call");
    await full.cannot("room-full", "join");
    await nothingStays(a, b, late, last);
  });
}

// There is no telling that the room was another one: whoever comes first makes it anew.
test("Redis loses everything, and a newcomer is faster than the nodes with peers", async () => {
  const options = { capacity: 2 };
  const [first, second, third] = await start(options, options, options);
  const [a, b] = [await Member.enter(first, "call"), await Member.enter(second, "call")];
  await a.does("metadata", { set: { x: 1 } });
  await agree(a, b);
  const newcomer = new Member(third, "call");
  for (const node of [first, second]) node.signal("SIGSTOP");
  await redis.end();
  await redis.run();
  const joined = await again(newcomer, "join");
  assert.deepEqual([joined.count, joined.revision], [1, 0]);
  const told = [a, b].map((m) => m.hears("peer-left", ({ id }) => id === m.joined.self.id));
  for (const node of [first, second]) node.signal("SIGCONT");
  for (const { reason } of await Promise.all(told)) assert.equal(reason, "timeout");
  await agree(newcomer);
  assert.equal((await a.does("join", { resume: a.joined.resume })).resumed, false);
  await b.cannot("room-full", "join", { resume: b.joined.resume });
  await agree(newcomer, a, b);
  await nothingStays(newcomer, a);
});

for (const adapter of ADAPTERS) {
  test(`${adapter}: Redis is full`, async () => {
    const options = { adapter };
    const [first, second] = await start(options, options);
    const [a, near, b] = [await Member.enter(first, "call"), await Member.enter(first, "call"), await Member.enter(second, "call")];
    await agree(a, b, near);
    await redis.command("CONFIG", "SET", "maxmemory", 1);
    const late = new Member(second, "call");
    await Promise.all([
      a.cannot("unavailable", "metadata", { set: { x: 1 } }),
      b.cannot("unavailable", "lock", { name: "screen" }),
      late.cannot("unavailable", "join"),
    ]);
    await near.cannot("unavailable", "leave");
    for (const [from, to] of [[a, near], [near, a]]) await reaches(from, to);
    // What is for another node waits for the memory, or, with pub/sub, needs none.
    const said = Array.from({ length: 20 }, (_, n) => n);
    for (const data of said) await a.does("message", { data });
    await eventually(() => near.said.length === said.length, "the messages on the own node");
    const ended = [a, b].map((m) => m.hears("peer-left"));
    near.end();

    await redis.command("CONFIG", "SET", "maxmemory", 0);
    await Promise.all(ended);
    await eventually(() => b.said.length === said.length, "the messages on the other node");
    assert.deepEqual([b.said, near.said], [said, said]);
    await again(a, "metadata", { set: { x: 1 } });
    await again(b, "lock", { name: "screen" });
    await again(late, "join");
    await agree(a, b, late);
    assert.deepEqual([b.revision, b.locks.get("screen")], [1, b.self]);
    await nothingStays(a, b, late);
  });

  test(`${adapter}: a node is cut off from Redis until its peers have left for the others`, async () => {
    ways.push(await Way.to(redis));
    const options = { adapter, capacity: 3 };
    const [first, second] = await start({ ...options, url: ways[0].url }, options);
    const [a, near, b] = [await Member.enter(first, "call"), await Member.enter(first, "call"), await Member.enter(second, "call")];
    await a.does("lock", { name: "screen", ttl: 300_000 });
    await agree(a, b, near);
    const ids = [a.self, near.self];
    const free = b.hears("lock", ({ owner }) => owner === null);
    ways[0].dropping = true;
    await free;
    await eventually(() => b.others.size === 0, "the end of the others");
    assert.deepEqual(b.heard.filter((event) => event.startsWith("peer-")), ["peer-away", "peer-away", "peer-left", "peer-left"]);
    await b.does("lock", { name: "screen", ttl: 300_000 });
    const c = await Member.enter(second, "call");
    assert.equal(c.joined.count, 2);
    // Meanwhile its own peers reach each other, and learn that nothing can be changed.
    await reaches(a, near);
    await a.cannot("unavailable", "lock", { name: "screen" });

    const told = [a, near].map((m) => m.hears("peer-left", ({ id }) => id === m.joined.self.id));
    ways[0].dropping = false;
    for (const { reason } of await Promise.all(told)) assert.equal(reason, "timeout");
    await a.cannot("not-in-room", "message", { data: 1 });
    const { resumed, self } = await again(a, "join", { resume: a.joined.resume });
    assert.deepEqual([resumed, ids.includes(self.id)], [false, false]);
    await a.cannot("lock-held", "lock", { name: "screen" });
    await near.cannot("room-full", "join");
    await agree(a, b, c, near);
    await nothingStays(a, b, c);
  });

  test(`${adapter}: a node is cut off from Redis, and back before its peers have left`, async () => {
    ways.push(await Way.to(redis));
    const options = { adapter, grace: "60s" };
    const [first, second] = await start({ ...options, url: ways[0].url }, options);
    const [a, b] = [await Member.enter(first, "call"), await Member.enter(second, "call")];
    await a.does("lock", { name: "screen", ttl: 300_000 });
    await agree(a, b);
    const away = b.hears("peer-away");
    ways[0].dropping = true;
    await away;
    await b.does("message", { to: a.self, data: "kept" });
    await b.cannot("lock-held", "lock", { name: "screen" });
    const back = b.hears("peer-back");
    ways[0].dropping = false;
    await back;
    await agree(a, b);
    if (adapter === "streams") await eventually(() => a.said.join() === "kept", "what was sent meanwhile");
    await again(a, "lock", { name: "screen" });
    await agree(a, b);
    await nothingStays(a, b);
  });

  test(`${adapter}: Redis stands still while rooms change on two nodes`, async () => {
    const options = { adapter, capacity: 8 };
    const [first, second] = await start(options, options);
    const members = [];
    for (const node of [first, second, first, second]) members.push(await Member.enter(node, "call"));
    await agree(...members);
    const late = [first, second, first, second].map((node) => new Member(node, "call"));
    let key = 0;
    const done = [];
    const change = async (m) => {
      const name = `k${++key}`;
      if ((await m.ask("metadata", { set: { [name]: 1 } })).ok) done.push(name);
    };
    // Some are on their way when it stops, some come later.
    const asked = members.map(change);
    redis.signal("SIGSTOP");
    asked.push(...members.map(change), ...late.map((m) => m.ask("join")), members[0].ask("lock", { name: "screen", ttl: 300_000 }));
    await Promise.all(asked);
    asked.push(...members.map(change));
    await Promise.all(asked);
    redis.signal("SIGCONT");
    for (const m of members) await again(m, "metadata", { set: { [`last${m.self}`]: 1 } });
    await again(members[0], "lock", { name: "screen", ttl: 300_000 });
    await agree(...members, ...late);
    const [{ metadata, revision }] = members;
    for (const name of done) assert.equal(metadata[name], 1, `${name} was answered for`);
    assert.equal(Object.keys(metadata).length, revision, "something was done twice");
    await nothingStays(...members, ...late);
  });
}
