// The published vulnerabilities of the reference implementation, each by its number.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { startCaddy } from "../../lib/caddy.mjs";
import { times, under } from "../../lib/holding.mjs";
import { Polling } from "../../lib/polling.mjs";
import { Socket } from "../../lib/socket.mjs";

let server;
before(async () => {
  server = await startCaddy({ extra: ["limits {\n exempt 127.0.0.0/8\n}"], settings: { pingInterval: 300_000 } });
});
after(() => server.stop());

test("CVE-2026-59725: a POST of bytes, which version 4 does not have, is refused", () =>
  under(server, 10, async () => {
    for (const body of [Buffer.from([0x04, 0x80, 0xff]), Buffer.from("40"), Buffer.alloc(1000)]) {
      const polling = await Polling.open(server);
      const { status } = await polling.post(body, { headers: { "content-type": "application/octet-stream" } });
      assert.equal(status, 400);
      assert.equal((await polling.get()).status, 400, "the session lives");
    }
  }));

test("CVE-2026-69185: packets that announce what never comes hold no memory once their client is gone", () =>
  under(server, 60, () =>
    times(20, async () => {
      const socket = await Socket.open(server);
      await socket.connect();
      socket.send('4510-["message"]', ...Array.from({ length: 9 }, () => Buffer.alloc(100_000)));
      socket.send("2"); // everything before it has arrived when this closes the connection
      await socket.closed();
    })));

test("CVE-2026-33151: more than ten attachments close the connection before one has come", () =>
  under(server, 10, async () => {
    for (const count of ["11", "1000000", "99999999999999999999"]) {
      const socket = await Socket.open(server);
      await socket.connect();
      socket.send(`45${count}-["message",{"_placeholder":true,"num":0}]`);
      await socket.closed();
    }
  }));

test("CVE-2023-32695: an event name that is an object closes the connection", () =>
  under(server, 10, async () => {
    for (const name of ['{"toString":""}', '{"__proto__":null}', "[]", "{}"]) {
      const socket = await Socket.open(server);
      await socket.connect();
      socket.send(`42[${name}]`);
      await socket.closed();
    }
  }));
