// All operations in all directions between two Caddy nodes and a server for Node,
// with each adapter.
import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { encode } from "@msgpack/msgpack";
import { Emitter } from "@socket.io/redis-emitter";
import { createClient } from "redis";
import { ask, client, endClients, ready } from "../../lib/clients.mjs";
import { NodeServer, Redis, caddyNode, gathered } from "../../lib/redis.mjs";
import { eventually, once } from "../../lib/wait.mjs";

// With pubsub, nodes answer on the channel of all, or of who asks, or some so and
// some so.
const answering = ["publish_on_specific_response_channel"];

for (const { title, adapter, first, second, specific } of [
  { title: "streams", adapter: "streams" },
  { title: "pubsub", adapter: "pubsub" },
  { title: "pubsub, answers to who asks", adapter: "pubsub", first: answering, second: answering, specific: true },
  { title: "pubsub, answers to who asks from one node", adapter: "pubsub", first: answering },
]) {
  describe(title, () => {
    let redis;
    let servers;
    const clients = {};
    const names = ["first", "second", "node"];
    const everybody = [...names];

    const across = (from, action) => ask(clients[from], "across", action);

    /** What each client has heard of an event, once all have heard the mark behind it, sent the same way. */
    async function heard(event, send, mark = byMarker) {
      const got = Object.fromEntries(names.map((n) => [n, []]));
      const listeners = names.map((n) => [clients[n], (...args) => got[n].push(args)]);
      for (const [socket, f] of listeners) socket.on(event, f);
      await send();
      const marks = names.map((n) => once(clients[n], "mark", { when: (m) => m === event }));
      await mark(event);
      await Promise.all(marks);
      for (const [socket, f] of listeners) socket.off(event, f);
      return got;
    }

    // Each node sends a mark in its turn, behind what it sent before.
    let marker = "first";
    const byMarker = (event) => across(marker, { do: "emit", event: "mark", arg: event });

    before(async () => {
      redis = await Redis.start();
      servers = {
        first: await caddyNode(redis, { adapter, label: "first", options: first }),
        second: await caddyNode(redis, { adapter, label: "second", options: second }),
        node: await NodeServer.start(redis, { adapter, specific }),
      };
      for (const name of names) {
        clients[name] = client("v4", servers[name], "/", {
          transports: ["websocket"], auth: { name }, extraHeaders: { "x-agent": name },
        });
        await ready(clients[name]);
        await ask(clients[name], "join", "observers");
        await ask(clients[name], "join", `room-${name}`);
      }
      await gathered(Object.values(clients), 3);
    });

    after(async () => {
      endClients();
      for (const server of Object.values(servers ?? {})) await server.stop();
      await redis?.stop();
    });

    for (const from of everybody) {
      test(`${from}: broadcasts reach all, rooms their members, except nobody there`, async () => {
        marker = from;
        const all = await heard("all", () => across(from, { do: "emit", event: "all", arg: { n: 1, text: "ä" } }));
        assert.deepEqual(all, { first: [[{ n: 1, text: "ä" }]], second: [[{ n: 1, text: "ä" }]], node: [[{ n: 1, text: "ä" }]] });
        const rooms = await heard("rooms", () => across(from, {
          do: "emit", event: "rooms", arg: 2, rooms: ["room-first", "room-node", "observers"], except: ["room-second"],
        }));
        assert.deepEqual(rooms, { first: [[2]], second: [], node: [[2]] });
        for (const to of names) {
          const one = await heard("one", () => across(from, { do: "emit", event: "one", arg: 3, rooms: [`room-${to}`] }));
          assert.deepEqual(one, { first: [], second: [], node: [], [to]: [[3]] });
          const own = await heard("id", () => across(from, { do: "emit", event: "id", arg: 4, rooms: [clients[to].id] }));
          assert.deepEqual(own, { first: [], second: [], node: [], [to]: [[4]] });
        }
      });

      test(`${from}: binary, volatile and local events`, async () => {
        marker = from;
        const binary = await heard("bin", () => across(from, { do: "binary", event: "bin" }));
        for (const name of names) assert.deepEqual(binary[name], [[{ deep: [Buffer.from([0, 1, 255])] }]]);
        const volatile = await heard("vol", () => across(from, { do: "volatile", event: "vol", arg: 1 }));
        assert.deepEqual(volatile, { first: [[1]], second: [[1]], node: [[1]] });
        const local = await heard("loc", () => across(from, { do: "local", event: "loc", arg: 1 }));
        assert.deepEqual(local, { first: [], second: [], node: [], [from]: [[1]] });
      });

      test(`${from}: acks of all clients are collected`, async () => {
        for (const name of names) clients[name].once("poll", (arg, answer) => answer({ name, arg }));
        const { answers, failed } = await across(from, { do: "ask", event: "poll", arg: [7] });
        assert.equal(failed, false);
        assert.deepEqual(answers.map((a) => JSON.parse(a).name), ["first", "node", "second"]);
        // One client stays silent: the others' answers are there after the time.
        for (const name of ["first", "node"]) clients[name].once("silence", (_, answer) => answer(name));
        const some = await across(from, { do: "ask", event: "silence", arg: 1, timeout: 500 });
        assert.deepEqual(some, { answers: ['"first"', '"node"'], failed: true });
      });

      test(`${from}: sockets are listed, moved between rooms and thrown out`, async () => {
        for (const name of names) await ask(clients[name], "set-data", { name, from });
        const list = await across(from, { do: "fetch", rooms: ["observers"] });
        assert.deepEqual(
          list.sort((a, b) => (a.agent < b.agent ? -1 : 1)),
          [...names].sort().map((name) => ({
            id: clients[name].id, rooms: ["observers", `room-${name}`], data: { name, from }, auth: { name }, agent: name, query: "4",
          })),
        );
        await across(from, { do: "join", rooms: ["room-first", "room-node"], into: ["x", "y"] });
        await across(from, { do: "leave", rooms: ["room-node"], into: ["y"] });
        const members = async (room) => (await across(from, { do: "fetch", rooms: [room] })).map((s) => s.agent).sort().join();
        await eventually(async () => (await members("x")) === "first,node" && (await members("y")) === "first", "the moves");
        await across(from, { do: "leave", into: ["x", "y"] });
        for (const to of names) {
          const guest = client("v4", servers[to], "/", { transports: ["websocket"] });
          await ready(guest);
          // A room of its own: other nodes may hear later that the one before is thrown out.
          const room = `guests-${to}`;
          await ask(guest, "join", room);
          const lost = once(guest, "disconnect");
          await across(from, { do: "disconnect", rooms: [room], close: false });
          assert.equal((await lost)[0] ?? (await lost), "io server disconnect");
        }
      });

      test(`${from}: events between servers, with answers`, async () => {
        const others = names.filter((n) => n !== from);
        const told = others.map((n) => once(clients[n], "server-side"));
        await across(from, { do: "server-side", event: "hello", arg: { n: 1 } });
        for (const args of await Promise.all(told)) assert.deepEqual(args, ["hello", { n: 1 }]);
        const { answers, failed } = await across(from, { do: "server-side-ask", event: "question", arg: 2 });
        assert.deepEqual(answers, others.map((n) => JSON.stringify(n)).sort());
        assert.equal(failed, false);
      });
    }

    test("emitters reach all nodes", async () => {
      const publisher = createClient({ url: redis.url });
      await publisher.connect();
      const viaStream = (type, data) => publisher.xAdd("socket.io", "*", {
        uid: "emitter", nsp: "/", type: String(type), data: JSON.stringify(data),
      });
      const emitter = new Emitter(publisher);
      // It does not tell when Redis has what it emits; the answer behind it does.
      const emitted = async (...args) => {
        emitter.emit(...args);
        await publisher.ping();
      };
      const emit = async (event, arg, rooms, except = []) => {
        if (adapter === "streams") {
          await viaStream(3, { packet: { type: 2, data: [event, arg], nsp: "/" }, opts: { rooms, except, flags: {} } });
          return;
        }
        emitter.to(rooms).except(except).emit(event, arg);
        await publisher.ping();
      };
      const mark = (event) => emit("mark", event, []); // a node's own would be there before what comes by Redis
      assert.deepEqual(await heard("emitted", () => emit("emitted", { n: 1 }, ["observers"], ["room-node"]), mark),
        { first: [[{ n: 1 }]], second: [[{ n: 1 }]], node: [] });
      if (adapter === "streams") {
        const data = Buffer.from(encode({ packet: { type: 2, data: ["bytes", { deep: [Buffer.from([9])] }], nsp: "/" }, opts: { rooms: [], except: [], flags: {} } }));
        const entry = { uid: "emitter", nsp: "/", type: "3", data: data.toString("base64") };
        const sent = await heard("bytes", () => publisher.xAdd("socket.io", "*", entry), mark);
        for (const name of names) assert.deepEqual(sent[name], [[{ deep: [Buffer.from([9])] }]]);
      }
      if (adapter === "streams") await viaStream(4, { opts: { rooms: ["room-second"], except: [] }, rooms: ["e"] });
      else emitter.to("room-second").socketsJoin("e");
      await eventually(async () => (await across("first", { do: "fetch", rooms: ["e"] })).length === 1, "the emitter's join");
      if (adapter === "pubsub") {
        const told = once(clients.second, "server-side");
        emitter.serverSideEmit("hello", 5);
        assert.deepEqual(await told, ["hello", 5]);
        assert.deepEqual(await heard("bytes", () => emitted("bytes", Buffer.from([9])), mark),
          { first: [[Buffer.from([9])]], second: [[Buffer.from([9])]], node: [[Buffer.from([9])]] });
        const dated = await heard("date", () => emitted("date", { at: new Date(1e12), none: undefined }), mark);
        assert.deepEqual(dated.first, [[{ at: "2001-09-09T01:46:40.000Z" }]]);
      }
      publisher.destroy();
    });

    if (adapter === "pubsub") {
      test("each node answers on the channel that it is to", async () => {
        const listener = createClient({ url: redis.url });
        await listener.connect();
        const asked = [];
        const answered = [];
        await listener.pSubscribe("socket.io-request#*", (message) => asked.push(JSON.parse(message).uid));
        await listener.pSubscribe("socket.io-response#*", (_, channel) => answered.push(channel));
        assert.equal((await across("node", { do: "fetch", rooms: ["observers"] })).length, 3);
        await eventually(() => answered.length === 2, "two answers");
        const channel = (own) => (own ? `socket.io-response#/#${asked[0]}#` : "socket.io-response#/#");
        assert.deepEqual(answered.sort(), [channel(first), channel(second)].sort());
        listener.destroy();
      });
    }

    test("what cannot be read is skipped", async () => {
      await servers.node.stop(); // it would not get over it
      names.pop();
      await redis.command("XADD", "socket.io", "*", "nsp", "/", "uid", "x", "type", "3", "data", "{");
      await redis.command("XADD", "socket.io", "*", "nsp", "/", "uid", "x", "type", "3", "data", "wcHBwQ==");
      await redis.command("XADD", "socket.io", "*", "nsp", "/", "uid", "x", "type", "3", "data", '{"packet":{"type":2,"data":["all"]}}');
      await redis.command("PUBLISH", "socket.io#/#", "\xc1\xc1");
      await redis.command("PUBLISH", "socket.io-request#/#", "{");
      marker = "second";
      const still = await heard("still", () => across("second", { do: "emit", event: "still", arg: 1 }));
      assert.deepEqual([still.first, still.second], [[[1]], [[1]]]);
    });
  });
}
