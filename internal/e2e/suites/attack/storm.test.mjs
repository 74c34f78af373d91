// Thousands of namespaces and rooms, and clients that come and go.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { ask, connected, endClients } from "../../lib/clients.mjs";
import { startCaddy } from "../../lib/caddy.mjs";
import { NAMESPACES } from "../../lib/caddyfile.mjs";
import { next, times, under } from "../../lib/holding.mjs";
import { Polling } from "../../lib/polling.mjs";
import { frame, Raw, upgradeHead } from "../../lib/raw.mjs";
import { Socket } from "../../lib/socket.mjs";
import { eventually } from "../../lib/wait.mjs";

let server;
before(async () => {
  const limits = "limits {\n events_per_socket 100000/s 100000\n exempt 127.0.0.0/8\n}";
  const rooms = ["departure_grace 100ms", "empty_timeout 100ms", "room_capacity 100", "presence_interval 20 50ms"];
  const namespaces = NAMESPACES.map((ns) => ns.replace("gateway webrtc", `gateway webrtc {\n ${rooms.join("\n ")}\n}`));
  server = await startCaddy({ extra: [limits], namespaces, settings: { pingInterval: 300_000 } });
});
after(() => server.stop());

test("2,048 dynamic namespaces are there and gone; a session gets 64 of them", () =>
  under(server, 60, () => times(32, async (i) => {
    const socket = await Socket.open(server);
    for (let n = 0; n < 64; n++) assert.ok((await socket.connect(`/dyn-${i * 64 + n}`)).sid);
    socket.send("40/dyn-999999,");
    assert.match(await next(socket), /^44\/dyn-999999,\{"message":"/);
    socket.send('42/dyn-0,["x"]'.replace("0", String(i * 64)));
    assert.match(await next(socket), /"unknown-event"/);
    socket.close();
  }, 10)));

test("namespaces that do not exist are refused a hundred times over", () =>
  under(server, 25, () => times(20, async (i) => {
    const socket = await Socket.open(server);
    for (let n = 0; n < 100; n++) {
      socket.send(`40/none-${i}-${n},`);
      assert.equal(await next(socket), `44/none-${i}-${n},{"message":"Invalid namespace"}`);
    }
    socket.close();
  })));

test("a socket gets 50 rooms; 2,000 joins and leaves keep none", () =>
  under(server, 40, () => times(5, async (i) => {
    const socket = await Socket.open(server);
    await socket.connect();
    const ask = async (id, event, room) => {
      socket.send(`42${id}[${JSON.stringify(event)},${JSON.stringify(room)}]`);
      return next(socket);
    };
    for (let n = 0; n < 200; n++) {
      assert.equal(await ask(n, "join", `storm-${i}-${n}`), `43${n}[["storm-${i}-${n}"]]`);
      assert.equal(await ask(n, "leave", `storm-${i}-${n}`), `43${n}[[]]`);
    }
    const answers = [];
    for (let n = 0; n < 60; n++) answers.push(await ask(n, "join", `${"long".repeat(20)}-${i}-${n}`));
    const refused = answers.filter((a) => a.includes('"code":"too-many-rooms"')).length;
    assert.ok(refused >= 10 && refused <= 11, `${refused} of 60 joins were refused`); // the socket's own room may count
    socket.close();
  })));

test("500 rooms of the webrtc gateway, joined and left without waiting", () =>
  under(server, 60, () => times(10, async (i) => {
    const socket = await Socket.open(server);
    await socket.connect("/webrtc");
    for (let n = 0; n < 50; n++) {
      const room = JSON.stringify({ room: `storm-${i}-${n}` });
      socket.send(`42/webrtc,${2 * n}["join",${room}]`, `42/webrtc,${2 * n + 1}["leave",${room}]`);
    }
    let acks = 0;
    while (acks < 100) acks += (await next(socket)).startsWith("43/webrtc,") ? 1 : 0;
    socket.close();
  })));

/** What a member takes its room for, by the snapshot of its join and the events after it. */
class View {
  peers = new Map();
  faults = [];

  static async of(server, room) {
    const view = new View();
    view.socket = await connected("v4", server, "/webrtc", { transports: ["websocket"] });
    for (const [event, take] of Object.entries(view.#events())) view.socket.on(event, (news) => take(news));
    await new Promise((resolve) => view.socket.emit("join", { room }, (snapshot) => {
      snapshot.peers.forEach((peer) => view.#join(peer));
      view.self = snapshot.self;
      resolve();
    }));
    return view;
  }

  #events() {
    const change = (id, news) => (this.peers.has(id) ? Object.assign(this.peers.get(id), news) : this.faults.push(["change of", id]));
    return {
      "peer-joined": ({ peer }) => this.#join(peer),
      "peer-left": ({ id }) => this.#leave(id),
      "peer-state": ({ id, state }) => change(id, { state }),
      "peer-away": ({ id }) => change(id, { away: true }),
      "peer-back": ({ id }) => change(id, { away: false }),
      presence: ({ count, joined, left, away, states }) => {
        joined.forEach((peer) => this.#join(peer));
        states.forEach(({ id, state }) => change(id, { state }));
        away.forEach((id) => change(id, { away: true }));
        left.forEach(({ id }) => this.#leave(id));
        this.batches = (this.batches ?? 0) + 1;
        if (count !== this.peers.size + 1) this.faults.push(["count", count, this.peers.size + 1]);
      },
    };
  }

  #join(peer) {
    if (this.peers.has(peer.id)) this.faults.push(["joined twice", peer.id]);
    this.peers.set(peer.id, peer);
  }

  #leave(id) {
    if (!this.peers.delete(id)) this.faults.push(["left unknown", id]);
  }

  /** The others, as the server or this member says. */
  async others() {
    const { peers } = await ask(this.socket, "peers", { room: "shared" });
    const plain = (list) => [...list].map(({ id, state, away }) => [id, state, Boolean(away)]).sort();
    return [plain(this.peers.values()), plain(peers)];
  }
}

test("40 clients join and leave one room in every way; its members see it as it is", async (t) => {
  t.after(() => endClients());
  await under(server, 60, async () => {
    const views = await Promise.all([1, 2, 3].map(() => View.of(server, "shared")));
    const answer = async (socket, id) => {
      while (!(await next(socket)).startsWith(`43/webrtc,${id}[`));
    };
    const emit = (socket, id, event, more) => socket.send(`42/webrtc,${id}${JSON.stringify([event, { room: "shared", ...more }])}`);
    const enter = async () => {
      const socket = await Socket.open(server);
      await socket.connect("/webrtc");
      return socket;
    };
    await times(40, async (i) => {
      let socket = await enter();
      for (let n = 0; n < 12; n++) {
        emit(socket, 2 * n, "join");
        const way = (i + n) % 4;
        if (way > 0) await answer(socket, 2 * n);
        if (way < 2) {
          emit(socket, 2 * n + 1, "leave");
          await answer(socket, 2 * n + 1);
          continue;
        }
        emit(socket, 2 * n + 1, "state", { state: { n } });
        await answer(socket, 2 * n + 1);
        if (way === 2) socket.ws.terminate(); // away, and gone after the grace time
        else socket.send("41/webrtc,"), socket.close();
        socket = await enter();
      }
      socket.close();
    });
    const stay = await Promise.all(Array.from({ length: 30 }, enter));
    for (const [i, socket] of stay.entries()) {
      emit(socket, 0, "join", { state: { i } });
      await answer(socket, 0);
    }
    for (const view of views) {
      // Those whose connection was cut last may still be in their grace time.
      const settled = async () => view.peers.size === 32 && isDeepStrictEqual(...(await view.others()));
      await eventually(settled, "the view of a member");
      assert.deepEqual(view.faults, []);
      assert.ok(view.batches > 0, "there were batches");
    }
    for (const socket of stay) socket.close();
    for (const view of views) view.socket.close();
  });
});

test("500 clients that enter and are gone before the answer", () =>
  under(server, 60, () => times(500, async (i) => {
    if (i % 4 === 0) {
      const polling = await Polling.open(server);
      await polling.post("40\x1e40/custom,\x1e40/dyn-7,\x1e1");
      return;
    }
    const raw = await Raw.open(server);
    raw.write(upgradeHead(server));
    raw.write(Buffer.concat([frame("40"), frame("40/dyn-8,"), frame('42["join","gone"]')]));
    await new Promise((resolve) => raw.socket.once("data", resolve));
    raw.close();
  })));
