// Many raw clients that count: each event they send comes back once, and each
// event to their room reaches each of them once, in order.
import assert from "node:assert/strict";
import { Polling } from "./polling.mjs";
import { Socket } from "./socket.mjs";

/** A session in namespace, in the room "crowd", over either transport. */
class Member {
  sent = 0;
  echoed = 0;
  heard = 0;

  constructor(session, namespace) {
    this.session = session;
    this.prefix = namespace === "/" ? "" : `${namespace},`;
  }

  static async enter(server, transport, namespace, agent) {
    const session = await (transport === "polling" ? Polling : Socket).open(server, { agent });
    const member = new this(session, namespace);
    await session.connect(namespace);
    await session.send(`42${member.prefix}0["join","crowd"]`);
    assert.equal(await session.receive(), `43${member.prefix}0[["crowd"]]`);
    return member;
  }

  /** Sends an event that comes back. */
  say() {
    return this.session.send(`42${this.prefix}["message",${++this.sent}]`);
  }

  /** Sends an event to everybody else in the room. */
  announce(n) {
    const address = JSON.stringify(["to", { rooms: ["crowd"], event: "news", arg: n }]);
    return this.session.send(`42${this.prefix}${address}`);
  }

  /** Takes what is due: own events that come back and n-th announcement. */
  async settle(announcements) {
    while (this.echoed < this.sent || this.heard < announcements) {
      const packet = await this.session.receive();
      if (packet === "6") continue;
      const [event, n] = JSON.parse(packet.slice(2 + this.prefix.length));
      if (event === "message-back") assert.equal(n, ++this.echoed, "an own event is missing, doubled or out of order");
      else assert.deepEqual([event, n], ["news", ++this.heard], "an announcement is missing, doubled or out of order");
    }
  }
}

/** A member in the middle of its upgrade, until it climbs: a websocket is open, and maybe probed. */
class Climber extends Member {
  async prepare(probe) {
    this.polling = this.session;
    this.websocket = await Socket.upgrade(this.polling);
    if (probe) await this.probe();
    return this;
  }

  async probe() {
    this.websocket.send("2probe");
    assert.equal(await this.websocket.receive(), "3probe");
    this.probed = true;
  }

  async climb() {
    if (!this.probed) await this.probe();
    this.websocket.send("5");
    this.session = this.websocket;
  }
}

/** A member whose event is being handled, or waits for its own client's ack, while others talk. */
class Holder extends Member {
  static async enter(server, transport, namespace) {
    const session = await (transport === "polling" ? Polling : Socket).open(server);
    await session.connect(namespace);
    return new this(session, namespace);
  }

  async expect(packet) {
    let got = await this.session.receive();
    while (got === "6") got = await this.session.receive();
    assert.match(got, packet);
    return got.match(packet)[1];
  }

  event(id, ...args) {
    return this.session.send(`42${this.prefix}${id}${JSON.stringify(args)}`);
  }

  async hold() {
    await this.event(8, "ask", { event: "question" });
    this.question = await this.expect(/^42(?:\/[\w-]+,)?(\d+)\["question",null\]$/);
  }

  async release() {
    await this.session.send(`43${this.prefix}${this.question}["here"]`);
    await this.expect(/^43(?:\/[\w-]+,)?8\[{"answer":\["here"\]}\]$/);
  }
}

/** Clients in the given proportion of transports and namespaces. */
export class Crowd {
  announced = 0;

  static async gather(server, { size, pollers = size / 10, climbers = 0, holders = 0, namespaces = ["/"], agent }) {
    const crowd = new Crowd();
    crowd.speakers = await Promise.all(namespaces.map((ns) => Member.enter(server, "websocket", ns)));
    crowd.members = [];
    for (let i = 0; i < size; i += 50) {
      const batch = Array.from({ length: Math.min(50, size - i) }, (_, k) => i + k);
      crowd.members.push(...await Promise.all(batch.map((k) =>
        Member.enter(server, k < pollers ? "polling" : "websocket", namespaces[k % namespaces.length], agent))));
    }
    const several = (n, enter) => Promise.all(Array.from({ length: n }, (_, k) => enter(k, namespaces[k % namespaces.length])));
    crowd.climbers = await several(climbers, async (k, ns) => (await Climber.enter(server, "polling", ns)).prepare(k % 2 === 0));
    crowd.members.push(...crowd.climbers);
    crowd.holders = await several(holders, (k, ns) => Holder.enter(server, k % 2 ? "polling" : "websocket", ns));
    return crowd;
  }

  /** Some of those in the middle of their upgrade finish it. */
  climb(n) {
    return Promise.all(this.climbers.splice(0, n).map((c) => c.climb()));
  }

  hold() {
    return Promise.all(this.holders.map((h) => h.hold()));
  }

  release() {
    return Promise.all(this.holders.map((h) => h.release()));
  }

  /** Everybody is in the room that was joined in the beginning. */
  async roomsKept() {
    for (const m of this.members) {
      await m.session.send(`42${m.prefix}9["rooms"]`);
      let packet = await m.session.receive();
      while (packet === "6") packet = await m.session.receive();
      assert.equal(packet, `43${m.prefix}9[["crowd"]]`);
    }
  }

  /** Everybody sends, while each namespace's speaker announces. */
  async talk() {
    this.announced++;
    await Promise.all([
      ...this.members.map((m) => m.say()),
      ...this.speakers.map((s) => s.announce(this.announced)),
    ]);
  }

  /** Everybody has got everything. */
  settle() {
    return Promise.all(this.members.map((m) => m.settle(this.announced)));
  }

  /** The sessions over websocket, the speakers' among them. */
  get websockets() {
    return [...this.speakers, ...this.members].map((m) => m.session).filter((s) => s instanceof Socket);
  }

  /** The sessions over polling. */
  get pollings() {
    return this.members.map((m) => m.session).filter((s) => s instanceof Polling);
  }

  leave() {
    for (const socket of this.websockets) socket.close();
    for (const { websocket } of this.climbers) websocket.close();
    for (const { session } of this.holders) session.close?.();
  }
}
