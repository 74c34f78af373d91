// Guest gateways that panic, wherever they can. (The one answer to each: the suite
// caddy, failure.)
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { startCaddy } from "../../lib/caddy.mjs";
import { next, times, under } from "../../lib/holding.mjs";
import { Socket } from "../../lib/socket.mjs";

let server;
before(async () => {
  const limits = "limits {\n events_per_socket 100000/s 100000\n exempt 127.0.0.0/8\n}";
  server = await startCaddy({ extra: [limits], settings: { pingInterval: 300_000 } });
});
after(() => server.stop());

test("500 panics of handlers are 500 answers, in order", () =>
  under(server, 60, () => times(20, async () => {
    const socket = await Socket.open(server);
    await socket.connect();
    for (let i = 0; i < 25; i++) {
      socket.send(`42${i}["panic"]`);
      assert.match(await next(socket), new RegExp(`^43${i}\\[\\{.*"code":"internal"`));
    }
    socket.close();
  })));

test("a panic in Connect refuses the socket, and keeps nothing of it", () =>
  under(server, 40, () => times(100, async (i) => {
    const socket = await Socket.open(server);
    const prefix = i % 2 ? "/custom," : "";
    socket.send(`40${prefix}{"refuse":"panic"}`);
    const answer = await next(socket);
    assert.ok(answer.startsWith(`44${prefix}{`), answer);
    assert.deepEqual(JSON.parse(answer.slice(2 + prefix.length)), { message: "internal", data: { code: "internal" } });
    // The client may try again in a better way.
    assert.ok((await socket.connect(i % 2 ? "/custom" : "/")).sid);
    socket.close();
  })));

test("a panic in a disconnect hook does not keep the others from being called", () =>
  under(server, 40, async () => {
    const observer = await Socket.open(server);
    await observer.connect();
    observer.send('421["join","observers"]');
    assert.match(await next(observer), /^431/);
    const expected = new Set();
    await times(50, async () => {
      const socket = await Socket.open(server);
      expected.add((await socket.connect("/", {})).sid);
      socket.send('421["panic-when-gone"]');
      assert.match(await next(socket), /^431/);
      socket.close();
    });
    while (expected.size) {
      const packet = await next(observer);
      if (packet.startsWith('42["departed"')) expected.delete(JSON.parse(packet.slice(2))[1].id);
    }
    observer.close();
  }));
