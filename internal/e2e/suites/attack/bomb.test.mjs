// A few kilobytes that unpack to very much.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { constants, deflateRawSync, gzipSync } from "node:zlib";
import { startCaddy } from "../../lib/caddy.mjs";
import { times, under } from "../../lib/holding.mjs";
import { http, Polling } from "../../lib/polling.mjs";
import { closeCode, frame, Raw, upgradeHead } from "../../lib/raw.mjs";
import { Socket } from "../../lib/socket.mjs";

let server;
before(async () => {
  const extra = ["permessage_deflate 1KB", "limits {\n exempt 127.0.0.0/8\n}"];
  server = await startCaddy({ extra, settings: { pingInterval: 300_000 } });
});
after(() => server.stop());

/** A message as the extension has it: without the empty block at the end. */
const deflated = (data) => deflateRawSync(data, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
// A hundred megabytes, 100 kB on the wire.
const BOMB = deflated(Buffer.concat([Buffer.from('42["message","'), Buffer.alloc(100 * 2 ** 20, "x")]));
const offer = (s) => upgradeHead(s).replace("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n");

test("the extension works for what stays within the limit", async () => {
  const socket = await Socket.open(server, { perMessageDeflate: { threshold: 0 } });
  await socket.connect();
  socket.send(`421["message-with-ack","${"x".repeat(900_000)}"]`);
  assert.equal(await socket.receive(), `431["${"x".repeat(900_000)}"]`);
  socket.close();
});

for (const [name, frames] of Object.entries({
  "in one frame": [frame(BOMB, { rsv1: true })],
  "as binary": [frame(BOMB, { rsv1: true, opcode: 2 })],
  "in fragments": [frame(BOMB.subarray(0, 50_000), { rsv1: true, fin: false }), frame(BOMB.subarray(50_000), { opcode: 0 })],
})) {
  test(`20 deflate bombs of 100 MB each ${name} are closed with 1009`, () =>
    under(server, 60, () => times(20, async () => {
      const raw = await Raw.open(server);
      raw.write(Buffer.concat([Buffer.from(offer(server)), frame("40"), ...frames]));
      const answer = await raw.end();
      assert.match(answer, /permessage-deflate/);
      assert.equal(closeCode(answer), 1009);
    })));
}

test("a deflate stream that is garbage, or without end, is closed with 1007", () =>
  under(server, 20, () => times(20, async (i) => {
    const raw = await Raw.open(server);
    const bad = Buffer.alloc(1000, i % 2 ? 0xff : 0x06);
    raw.write(Buffer.concat([Buffer.from(offer(server)), frame("40"), frame(bad, { rsv1: true })]));
    assert.equal(closeCode(await raw.end()), 1007);
  })));

test("a compressed frame without the extension is a breach", () =>
  under(server, 20, async () => {
    const raw = await Raw.open(server);
    raw.write(Buffer.concat([Buffer.from(upgradeHead(server)), frame("40"), frame(BOMB, { rsv1: true })]));
    assert.equal(closeCode(await raw.end()), 1002);
  }));

test("a POST that says it is compressed is not unpacked", () =>
  under(server, 20, () => times(20, async () => {
    const polling = await Polling.open(server);
    await polling.connect();
    const headers = { "content-encoding": "gzip" };
    assert.equal((await http(polling.url, { method: "POST", body: GZIPPED, headers })).status, 400);
    assert.equal((await polling.get()).status, 400);
  })));

const GZIPPED = gzipSync(Buffer.alloc(50 * 2 ** 20, "4"));
