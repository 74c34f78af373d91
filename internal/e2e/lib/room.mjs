// Signaling rooms in a cluster, and peers who know no more of them than they were told.
import assert from "node:assert/strict";
import { startCaddy } from "./caddy.mjs";
import { ask, client, ready } from "./clients.mjs";
import { eventually, once, within } from "./wait.mjs";

/** A Caddy with the gateway webrtc in the cluster. */
export function roomNode(redis, { adapter = "streams", url = redis.url, grace = "1s", capacity = 4, extra = [] } = {}) {
  return startCaddy({
    extra: [`cluster redis ${url} {\n adapter ${adapter}\n timeout 1s\n}`, ...extra],
    namespaces: [`namespace / {\n gateway webrtc {\n  room_capacity ${capacity}\n  departure_grace ${grace}\n  empty_timeout 1s\n }\n}`],
  });
}

/** The rooms that are in Redis. */
export async function roomsIn(redis) {
  const keys = await redis.command("KEYS", "*:webrtc/room/*");
  return keys.map((key) => key.slice(key.indexOf("/room/") + 6)).sort();
}

/**
 * A socket that is to be in one room. It keeps the picture of the room that a client
 * makes from its join and what it hears then, and notes in `odd` what does not fit
 * into that.
 */
export class Member {
  heard = []; // the names of the room's events
  said = []; // the data of messages
  odd = [];

  static async enter(server, room, more) {
    const member = new Member(server, room);
    await ready(member.socket);
    member.joined = await member.does("join", more);
    return member;
  }

  constructor(server, room) {
    this.room = room;
    this.socket = client("v4", server, "/", { transports: ["websocket"] });
    for (const [event, take] of Object.entries(TOLD)) {
      this.socket.on(event, (payload) => {
        this.heard.push(event);
        if (!this.self) this.odd.push([event, payload, "outside of the room"]);
        else if (take(this, payload) === false) this.odd.push([event, payload]);
      });
    }
    this.socket.on("message", ({ data }) => this.said.push(data));
  }

  /** Asks, and notes what the answer says before anything that comes behind it. */
  ask(event, more = {}) {
    const answer = new Promise((resolve) => this.socket.emit(event, { room: this.room, ...more }, (got) => {
      if (got.ok) ANSWERED[event]?.(this, got);
      else if (got.error.code === "unavailable") this.unsure = true; // it may have been done all the same
      resolve(got);
    }));
    return within(answer, `the ack of ${event}`);
  }

  /** Asks for what must be done. */
  async does(event, more) {
    const answer = await this.ask(event, more);
    assert.equal(answer.ok, true, `${event}: ${JSON.stringify(answer)}`);
    return answer;
  }

  /** Asks for what must be refused with the code. */
  async cannot(code, event, more) {
    const answer = await this.ask(event, more);
    assert.equal(answer.error?.code, code, `${event}: ${JSON.stringify(answer)}`);
    return answer.error;
  }

  /** The next event of that name. */
  hears(event, when) {
    return once(this.socket, event, { when });
  }

  /** Loses the connection, as if the network had. */
  lose() {
    this.socket.io.engine.close();
    this.self = null;
  }

  /** Ends the socket, as a client that is done does. */
  end() {
    this.socket.disconnect();
    this.self = null;
  }

  enters({ self, peers, metadata, revision, locks }) {
    this.self = self.id;
    this.others = new Map(peers.map((p) => [p.id, Boolean(p.away)]));
    this.metadata = metadata;
    this.revision = revision;
    this.locks = new Map(locks.map((l) => [l.name, l.owner]));
  }

  get picture() {
    return picture([[this.self, false], ...this.others], this.metadata, this.revision, this.locks);
  }

  /** The room as the server sees it. */
  async asked() {
    const answer = await ask(this.socket, "join", { room: this.room }); // which must not mend the picture
    if (!answer.ok) return JSON.stringify(answer.error);
    const { self, peers, metadata, revision, locks } = answer;
    return picture([self, ...peers].map((p) => [p.id, Boolean(p.away)]), metadata, revision, locks.map((l) => [l.name, l.owner]));
  }
}

function picture(peers, metadata, revision, locks) {
  return JSON.stringify({ peers: [...peers].sort(), metadata: Object.entries(metadata).sort(), revision, locks: [...locks].sort() });
}

const ANSWERED = {
  join: (m, answer) => m.enters(answer),
  leave: (m) => (m.self = null),
  metadata: (m, { metadata, revision }) => Object.assign(m, { metadata, revision }),
  lock: (m, { lock }) => m.locks.set(lock.name, lock.owner),
};

// False for what cannot be after what was told before.
const TOLD = {
  "peer-joined": (m, { peer }) => !m.others.has(peer.id) && peer.id !== m.self && Boolean(m.others.set(peer.id, false)),
  "peer-left": (m, { id, reason }) => {
    if (id !== m.self) return m.others.delete(id);
    m.self = null;
    m.ended = reason;
  },
  "peer-away": (m, { id }) => m.others.get(id) === false && Boolean(m.others.set(id, true)),
  "peer-back": (m, { id }) => m.others.get(id) === true && Boolean(m.others.set(id, false)),
  lock: (m, { name, owner }) => (owner ? Boolean(m.locks.set(name, owner)) : m.locks.delete(name) || Boolean(m.unsure)),
  metadata: (m, { set, remove, revision }) => {
    const next = m.unsure || revision === m.revision + 1;
    m.revision = revision;
    Object.assign(m.metadata, set);
    for (const key of remove) delete m.metadata[key];
    return next;
  },
};

/** Waits until all who believe to be in the room have one picture of it, which is that of the servers. */
export async function agree(...members) {
  const inside = members.filter((m) => m.self);
  let pictures;
  const agreed = async () => {
    pictures = [...inside.map((m) => m.picture), ...await Promise.all(inside.map((m) => m.asked()))];
    return new Set(pictures).size === 1;
  };
  await eventually(agreed, "one picture of the room").catch((error) => assert.fail(`${error.message}: ${pictures.join("\n")}`));
  const { peers } = JSON.parse(pictures[0]);
  const ids = inside.map((m) => m.self);
  assert.deepEqual(peers.filter(([, away]) => !away).map(([id]) => id), ids.sort(), "who is here");
  for (const m of members) assert.deepEqual(m.odd, []);
}
