// Signaling across nodes: two Caddys, whose rooms are one.
import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { startCaddy } from "../../lib/caddy.mjs";
import { ask, client, endClients, ready } from "../../lib/clients.mjs";
import { Redis } from "../../lib/redis.mjs";
import { eventually, once } from "../../lib/wait.mjs";

const GRACE = 2;

function node(redis, adapter, recovery, { auth = [], host = "first" } = {}) {
  return startCaddy({
    settings: { pingInterval: 1000, pingTimeout: 1000, ...(recovery && { recovery }) },
    extra: [`cluster redis ${redis.url} {\n adapter ${adapter}\n timeout 1s\n}`, ...auth],
    namespaces: [`namespace / {\n gateway webrtc {\n  room_capacity 4\n  departure_grace ${GRACE}s\n  host ${host}\n }\n}`],
  });
}

const enter = async (server, more = {}) => {
  const socket = client("v4", server, "/", { transports: ["websocket"], ...more });
  await ready(socket);
  return socket;
};

for (const adapter of ["streams", "pubsub"]) {
  describe(adapter, () => {
    let redis;
    let first;
    let second;

    /** Joins and remembers who it is. */
    const join = async (socket, room, more = {}) => {
      const answer = await ask(socket, "join", { room, ...more });
      assert.equal(answer.ok, true, JSON.stringify(answer));
      return answer;
    };

    before(async () => {
      redis = await Redis.start();
      first = await node(redis, adapter);
      second = await node(redis, adapter);
    });

    after(async () => {
      endClients();
      await first?.stop();
      await second?.stop();
      await redis?.stop();
    });

    test("peers of two nodes find each other and relay in order", async () => {
      const [a, b] = [await enter(first), await enter(second)];
      const ada = await join(a, "call");
      const joined = once(a, "peer-joined");
      const bob = await join(b, "call", { state: { name: "Bob" } });
      assert.deepEqual(bob.peers.map((p) => [p.id, p.polite]), [[ada.self.id, true]]);
      assert.deepEqual((await joined).peer, bob.self);

      const heard = [];
      for (const event of ["peer-state", "offer", "candidate", "message"]) b.on(event, () => heard.push(event));
      const last = once(b, "message");
      a.emit("state", { room: "call", state: { n: 1 } });
      a.emit("offer", { room: "call", to: bob.self.id, description: { type: "offer", sdp: "x" } });
      for (let n = 0; n < 20; n++) a.emit("candidate", { room: "call", to: bob.self.id, candidate: { n } });
      a.emit("message", { room: "call", data: "done" });
      assert.deepEqual(await last, { room: "call", from: ada.self.id, data: "done" });
      assert.deepEqual(heard, ["peer-state", "offer", ...Array(20).fill("candidate"), "message"]);

      const back = once(a, "answer");
      await ask(b, "answer", { room: "call", to: ada.self.id, description: { type: "answer", sdp: "y" } });
      assert.equal((await back).from, bob.self.id);

      // The host is on the one node, who is put out on the other.
      const out = once(b, "peer-left");
      assert.equal((await ask(a, "moderate", { room: "call", action: "kick", peer: bob.self.id })).ok, true);
      assert.deepEqual(await out, { room: "call", id: bob.self.id, reason: "kicked" });
      const refused = await ask(b, "message", { room: "call", data: 1 });
      assert.equal(refused.error.code, "not-in-room");
    });

    test("a room of four lets in exactly four of twenty", async () => {
      const sockets = await Promise.all(Array.from({ length: 20 }, (_, i) => enter(i % 2 ? first : second)));
      const answers = await Promise.all(sockets.map((s) => ask(s, "join", { room: "small" })));
      const inside = answers.filter((a) => a.ok);
      assert.equal(inside.length, 4);
      assert.deepEqual(inside.map((a) => a.self.order).sort(), [1, 2, 3, 4]);
      assert.ok(answers.every((a) => a.ok || a.error.code === "room-full"));
    });

    test("locks and revisions are one for all nodes", async () => {
      const [a, b] = [await enter(first), await enter(second)];
      const { self } = await join(a, "shared");
      await join(b, "shared");
      await ask(a, "lock", { room: "shared", name: "screen" });
      const held = await ask(b, "lock", { room: "shared", name: "screen" });
      assert.deepEqual([held.error.code, held.error.owner], ["lock-held", self.id]);
      const changes = await Promise.all([a, b, a, b].map((s, i) => ask(s, "metadata", { room: "shared", set: { [i]: 1 }, revision: 0 })));
      assert.deepEqual(changes.map((c) => c.error?.code ?? "").sort(), ["", "conflict", "conflict", "conflict"]);
    });

    test("a peer resumes on another node, and gets what was sent to it", async () => {
      const [a, b] = [await enter(first), await enter(second)];
      const ada = await join(a, "resume");
      await join(b, "resume");
      const away = once(b, "peer-away");
      a.io.engine.close();
      assert.equal((await away).id, ada.self.id);
      await ask(b, "message", { room: "resume", to: ada.self.id, data: "kept" });
      const again = await enter(second);
      const [kept, back] = [once(again, "message"), once(b, "peer-back")];
      const resumed = await join(again, "resume", { resume: ada.resume });
      assert.deepEqual([resumed.resumed, resumed.self.id, resumed.self.order], [true, ada.self.id, ada.self.order]);
      assert.equal((await kept).data, "kept");
      await back;
    });

    test("without Redis the peers of a node reach each other, and changes tell why not", async () => {
      const [a, b] = [await enter(first), await enter(first)];
      await join(a, "local");
      const bob = await join(b, "local");
      redis.signal("SIGSTOP");
      try {
        const refused = await ask(a, "metadata", { room: "local", set: { x: 1 } });
        assert.equal(refused.error.code, "unavailable");
        const offer = once(b, "offer");
        assert.deepEqual(await ask(a, "offer", { room: "local", to: bob.self.id, description: {} }), { ok: true });
        await offer;
      } finally {
        redis.signal("SIGCONT");
      }
    });

    test("a killed node's peers are away within 5 s and gone after the grace time, with their locks", async () => {
      const third = await node(redis, adapter);
      const [a, b] = [await enter(third), await enter(second)];
      const ada = await join(a, "death");
      await join(b, "death");
      await ask(a, "lock", { room: "death", name: "screen", ttl: 300_000 });
      const heard = [];
      for (const event of ["peer-away", "peer-left"]) b.on(event, () => heard.push(event));
      b.on("lock", ({ owner }) => owner ?? heard.push("free"));
      const away = once(b, "peer-away", { ms: 5000 });
      await third.stop();
      assert.equal((await away).id, ada.self.id);
      const free = once(b, "lock", { when: (l) => l.owner === null });
      const left = await once(b, "peer-left");
      assert.deepEqual([left.id, left.reason], [ada.self.id, "timeout"]);
      await free;
      assert.equal((await ask(b, "message", { room: "death", data: 1 })).ok, true);
      assert.deepEqual(heard, ["peer-away", "peer-left", "free"]);
    });
  });
}

test("with recovery a peer comes back on another node by itself, after the first was killed too", async () => {
  const redis = await Redis.start();
  const nodes = [await node(redis, "streams", 60_000), await node(redis, "streams", 60_000)];
  try {
    const [a, b] = await Promise.all(nodes.map((n) => enter(n)));
    const { self } = await ask(a, "join", { room: "call" });
    await ask(b, "join", { room: "call" });
    const heard = [];
    a.on("message", ({ data }) => heard.push(data));
    await ask(b, "message", { room: "call", data: 1 });
    await eventually(() => heard.length === 1, "the first message");
    const { id } = a;
    const away = once(b, "peer-away");
    a.io.engine.close();
    assert.equal((await away)[0].id, self.id); // behind it is the offset
    for (const to of [undefined, self.id]) assert.equal((await ask(b, "message", { room: "call", to, data: to ? 3 : 2 })).ok, true);
    // The node that had it is gone; what it kept is in Redis.
    await nodes[0].end("SIGKILL");
    const back = once(b, "peer-back");
    a.io.uri = nodes[1].url;
    const connected = once(a, "connect");
    a.connect();
    await connected;
    assert.deepEqual([a.recovered, a.id], [true, id]);
    assert.equal((await back)[0].id, self.id);
    assert.equal((await ask(a, "message", { room: "call", data: 4 })).ok, true);
    await ask(b, "message", { room: "call", to: self.id, data: 5 });
    await eventually(() => heard.includes(5), "what is sent to it again");
    assert.deepEqual(heard, [1, 2, 3, 5]);
  } finally {
    endClients();
    for (const n of nodes) await n.stop();
    await redis.stop();
  }
});

/** A token of a user with further claims. */
function token(sub, secret, claims = {}) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const text = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub, ...claims })}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

test("a role that a renewed token gives is told on every node", async () => {
  const secret = "a secret of thirty-two bytes long";
  const redis = await Redis.start();
  const rules = { auth: [`auth jwt {\n secret "${secret}"\n}`], host: "claim role host" };
  const nodes = await Promise.all([0, 1].map(() => node(redis, "streams", 0, rules)));
  try {
    const [a, b] = await Promise.all(nodes.map((n, i) => enter(n, { auth: { token: token(["ada", "bob"][i], secret) } })));
    const { self } = await ask(a, "join", { room: "call" });
    const joined = await ask(b, "join", { room: "call" });
    assert.equal(joined.peers[0].role, "member");
    const news = Promise.all([a, b].map((socket) => once(socket, "moderation")));
    assert.equal((await ask(a, "renew", { token: token("ada", secret, { role: "host" }) })).ok, true);
    const promoted = { room: "call", action: "promote", by: null, peer: self.id };
    assert.deepEqual(await news, [promoted, promoted]);
    assert.equal((await ask(b, "peers", { room: "call" })).peers[0].role, "host");
    assert.equal((await ask(a, "moderate", { room: "call", action: "kick", peer: joined.self.id })).ok, true);
  } finally {
    endClients();
    for (const n of nodes) await n.stop();
    await redis.stop();
  }
});
