// Thousands of namespaces and rooms, and clients that come and go.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { startCaddy } from "../../lib/caddy.mjs";
import { NAMESPACES } from "../../lib/caddyfile.mjs";
import { next, times, under } from "../../lib/holding.mjs";
import { Polling } from "../../lib/polling.mjs";
import { frame, Raw, upgradeHead } from "../../lib/raw.mjs";
import { Socket } from "../../lib/socket.mjs";

let server;
before(async () => {
  const limits = "limits {\n events_per_socket 100000/s 100000\n exempt 127.0.0.0/8\n}";
  const namespaces = NAMESPACES.map((ns) => ns.replace("gateway webrtc", "gateway webrtc {\n departure_grace 100ms\n empty_timeout 100ms\n}"));
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
