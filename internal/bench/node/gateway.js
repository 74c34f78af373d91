// The signaling gateway in plain socket.io, with the events, checks and answers
// that the benchmark uses. Its state is kept in Maps, peers hold their socket,
// and rooms are socket.io's own, so that a broadcast is encoded once.
//
// In a cluster a node knows its own peers only, as such servers usually do: a peer
// is addressed by its socket's id, and whether it is in the room is not checked.

import { randomUUID } from "node:crypto";
import { Room } from "./room.js";

const MAX_PEERS_LISTED = 100;

export function gateway(io, cluster = false) {
  const rooms = new Map();

  return (socket) => {
    const joined = new Map(); // room name -> peer

    const on = (event, handler) =>
      socket.on(event, (payload, ack) => {
        let answer;
        try {
          answer = { ok: true, ...handler(check(payload)) };
        } catch (error) {
          answer = { ok: false, error: { code: error.code ?? "internal", message: error.message } };
        }
        if (typeof ack === "function") ack(answer);
        else if (!answer.ok) socket.emit("exception", { status: "error", ...answer.error, event });
      });

    const member = ({ room }) => {
      const self = joined.get(room);
      if (!self) throw fault("not-in-room", "you are not in that room");
      return self;
    };

    socket.on("ping", (...args) => {
      const ack = args.at(-1);
      if (typeof ack === "function") ack({ ok: true, data: "pong from server" });
      else socket.emit("pong", "pong from server");
    });

    on("join", ({ room: name, state = {} }) => {
      checkName(name);
      let room = rooms.get(name);
      if (!room) rooms.set(name, (room = new Room(io, name)));
      let self = joined.get(name);
      if (!self) {
        self = { id: cluster ? socket.id : randomUUID(), socket, room, role: "member", state, joinedAt: Date.now(), order: room.nextOrder() };
        joined.set(name, self);
        room.add(self);
      }
      return snapshot(room, self);
    });

    const leave = (self, reason) => {
      joined.delete(self.room.name);
      self.room.remove(self, reason);
      if (self.room.peers.size === 0) rooms.delete(self.room.name);
    };

    on("leave", (payload) => leave(member(payload), "left"));

    for (const [event, field] of [["offer", "description"], ["answer", "description"], ["candidate", "candidate"]]) {
      on(event, (payload) => {
        const { room, to } = payload;
        if (typeof to !== "string") throw fault("invalid-payload", "to must be a string");
        if (typeof payload[field] !== "object") throw fault("invalid-payload", `${field} must be an object`);
        const self = member(payload);
        const peer = cluster ? io.to(to) : self.room.peers.get(to)?.socket;
        if (!peer) throw fault("peer-unavailable", "no such peer in that room");
        peer.emit(event, { room, from: self.id, [field]: payload[field] });
      });
    }

    on("message", (payload) => {
      const { room, to, data } = payload;
      const self = member(payload);
      if (to === undefined) {
        socket.to(self.room.key).emit("message", { room, from: self.id, data });
        return { delivered: self.room.peers.size - 1 };
      }
      const peer = self.room.peers.get(to);
      if (!peer) throw fault("peer-unavailable", "no such peer in that room");
      peer.socket.emit("message", { room, from: self.id, data });
      return { delivered: 1 };
    });

    socket.on("disconnect", () => {
      for (const self of joined.values()) leave(self, "timeout");
    });
  };
}

function snapshot(room, self) {
  const peers = [];
  let cursor;
  for (const peer of room.peers.values()) {
    if (peer === self) continue;
    if (peers.length === MAX_PEERS_LISTED) {
      cursor = peers.at(-1).id;
      break;
    }
    peers.push({ ...room.describe(peer), polite: self.order > peer.order });
  }
  return {
    room: room.name, self: room.describe(self), resumed: false, peers, cursor, count: room.peers.size,
    locked: false, metadata: {}, revision: 0, locks: [], iceServers: [], resume: randomUUID(),
  };
}

function check(payload) {
  if (payload === null || typeof payload !== "object") throw fault("invalid-payload", "payload must be an object");
  return payload;
}

function checkName(name) {
  if (typeof name !== "string" || name.length === 0 || name.length > 128) {
    throw fault("invalid-payload", "room must be 1 to 128 bytes");
  }
}

function fault(code, message) {
  return Object.assign(new Error(message), { code });
}
