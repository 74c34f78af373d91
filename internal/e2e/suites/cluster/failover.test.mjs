// What clients see when a Redis dies and its copy takes its place: they stay connected,
// and with streams nothing is lost that had been copied, or was said meanwhile.
import { afterEach, test } from "node:test";
import assert from "node:assert/strict";
import { startCaddy } from "../../lib/caddy.mjs";
import { directive } from "../../lib/caddyfile.mjs";
import { ask, client, endClients, ready } from "../../lib/clients.mjs";
import { startRedisCluster, startSentinels } from "../../lib/failover.mjs";
import { gathered } from "../../lib/redis.mjs";
import { eventually, once } from "../../lib/wait.mjs";

let redis;
const nodes = [];

afterEach(async () => {
  endClients();
  for (const node of nodes.splice(0)) await node.stop();
  await redis?.stop();
  redis = undefined;
});

// Both run in each node, around the same master.
const WAYS = [
  { adapter: "streams", path: "/socket.io/", prefix: "app", settings: { recovery: 60_000 } },
  { adapter: "pubsub", path: "/classic/", prefix: "{app}classic" },
];

function startNode(url) {
  const server = ({ adapter, path, prefix, settings }) => directive({
    settings,
    extra: [`name ${adapter}`, `path ${path}`, `cluster redis ${url} {\n adapter ${adapter}\n prefix ${prefix}\n}`],
    namespaces: ["namespace / {\n gateway e2e\n}", "namespace /call {\n gateway webrtc {\n  room_capacity 3\n }\n}"],
  });
  return startCaddy({ site: WAYS.map(server).join("\n") });
}

// What a peer hears of others' connections, and of what they send.
const PEERS = ["peer-joined", "peer-left", "peer-away", "peer-back", "message"];

/** The clients of one way: two that talk and, with recovery, two that move; and two in a call. */
class Party {
  lost = []; // connections that were not ended by the test
  said = { a: [], b: [] };

  constructor(way) {
    this.way = way;
  }

  async enter(node, namespace = "/") {
    const socket = client("v4", node, namespace, { transports: ["websocket"], path: this.way.path });
    socket.heard = [];
    socket.on("news", (n) => socket.heard.push(n));
    for (const event of PEERS) socket.on(event, () => socket.heard.push(event));
    socket.on("disconnect", (reason) => this.lost.push(reason));
    await ready(socket);
    return socket;
  }

  say(who, arg) {
    this.said[who].push(arg);
    return ask(this[who], "across", { do: "emit", rooms: ["room"], event: "news", arg });
  }

  hear(list, sockets) {
    return Promise.all(sockets.map((s) => eventually(() => list.every((n) => s.heard.includes(n)), `news ${list}`, 30_000)));
  }

  /** All that is said before the master dies, the end of which one client misses. */
  async before() {
    const [one, other] = nodes;
    [this.a, this.b] = [await this.enter(one), await this.enter(other)];
    this.movers = this.way.settings ? [await this.enter(one), await this.enter(one)] : [];
    const all = [this.a, this.b, ...this.movers];
    for (const socket of all) await ask(socket, "join", "room");
    await gathered([this.a, this.b], 2);
    await this.say("a", 1);
    await this.hear([1], all);
    if (this.movers.length) await this.leave(all.splice(2, 1)[0]);
    await this.say("b", 2);
    await this.hear([2], all);

    [this.p, this.q] = [await this.enter(one, "/call"), await this.enter(other, "/call")];
    this.peers = [];
    for (const socket of [this.p, this.q]) this.peers.push((await ask(socket, "join", { room: "call" })).self.id);
    assert.equal((await ask(this.p, "lock", { room: "call", name: "screen", ttl: 300_000 })).ok, true);
    await this.relay("before");
  }

  /** Each node goes on by itself. */
  async meanwhile() {
    await Promise.all([this.say("a", 3), this.say("b", 4)]);
    await Promise.all([this.hear([3], [this.a]), this.hear([4], [this.b])]);
  }

  /** All is as before. Gives the time at which broadcasts had crossed again. */
  async after() {
    const { a, b, movers } = this;
    if (this.way.settings) {
      await Promise.all([this.hear([4], [a]), this.hear([3], [b])]);
      this.backAt = Date.now();
      await this.comeBack(movers[0]);
    }
    await gathered([a, b], 2);
    await Promise.all([this.say("a", 5), this.say("b", 6)]);
    await this.hear([5, 6], [a, b, ...movers]);
    this.backAt ??= Date.now();
    if (movers.length) {
      await this.leave(movers[1]);
      await this.say("b", 7);
      await this.comeBack(movers[1]);
      await this.hear([7], [a, b, ...movers]);
    }
    for (const [name, socket] of Object.entries({ a, b, ...movers })) {
      for (const [who, said] of Object.entries(this.said)) {
        const heard = socket.heard.filter((n) => said.includes(n));
        const lossy = !this.way.settings && who !== name;
        assert.deepEqual(heard, lossy ? said.filter((n) => heard.includes(n)) : said, `${this.way.adapter}: what ${who} said to ${name}`);
      }
    }
    await this.call();
    assert.deepEqual(this.lost, []);
    return this.backAt;
  }

  /** The room is still one: its peers, its lock and its size. */
  async call() {
    await this.relay("after");
    const held = await ask(this.q, "lock", { room: "call", name: "screen" });
    assert.deepEqual([held.error?.code, held.error?.owner], ["lock-held", this.peers[0]]);
    const [third, fourth] = [await this.enter(nodes[0], "/call"), await this.enter(nodes[1], "/call")];
    const joined = [this.p, this.q].map((s) => once(s, "peer-joined"));
    const answer = await ask(third, "join", { room: "call" });
    assert.deepEqual(answer.peers?.map((p) => p.id).sort(), [...this.peers].sort(), JSON.stringify(answer));
    assert.equal((await ask(fourth, "join", { room: "call" })).error?.code, "room-full");
    await Promise.all(joined);
    assert.deepEqual(this.p.heard, ["peer-joined", "message", "message", "peer-joined"]);
    assert.deepEqual(this.q.heard, ["message", "message", "peer-joined"]);
  }

  /** The peers of both nodes send to each other. */
  async relay(data) {
    const heard = [this.p, this.q].map((s) => once(s, "message"));
    for (const [socket, to] of [[this.p, 1], [this.q, 0]]) {
      assert.equal((await ask(socket, "message", { room: "call", to: this.peers[to], data })).ok, true);
    }
    for (const message of heard) assert.equal([await message].flat()[0].data, data); // behind it may be an offset
  }

  /** Loses the connection; the session is kept. */
  async leave(socket) {
    const kept = async () => (await Promise.all(redis.masters.map((m) => m.command("KEYS", "sio:session:*")))).flat().length === 1;
    socket.before = socket.id;
    const gone = once(socket, "disconnect");
    socket.io.engine.close();
    await gone;
    this.lost.pop();
    await eventually(kept, "the kept session");
  }

  /** Comes back to the other node. */
  async comeBack(socket) {
    socket.io.uri = nodes[1].url;
    const back = once(socket, "connect");
    socket.connect();
    await back;
    assert.deepEqual([socket.recovered, socket.id], [true, socket.before]);
  }
}

for (const [name, start] of Object.entries({ Sentinel: startSentinels, "Redis Cluster": startRedisCluster })) {
  test(`${name}: a master dies, and its copy takes its place`, async (t) => {
    redis = await start("app");
    for (let i = 0; i < 2; i++) nodes.push(await startNode(redis.url));
    const parties = WAYS.map((way) => new Party(way));
    for (const party of parties) await party.before();
    await redis.copied();
    const began = Date.now();
    await redis.kill();
    await Promise.all(parties.map((party) => party.meanwhile()));
    await redis.replaced();
    const replaced = Date.now() - began;
    const back = await Promise.all(parties.map((party) => party.after()));
    const times = back.map((at, i) => `${at - began} ms (${WAYS[i].adapter})`);
    t.diagnostic(`replaced after ${replaced} ms, broadcasts cross again after ${times.join(", ")}`);
  });
}
