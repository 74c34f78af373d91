// Packets that are legal in form and meant to hurt. (Malformed ones, one by one:
// the suite protocol and the fuzz tests.)
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { startCaddy } from "../../lib/caddy.mjs";
import { next, times, under } from "../../lib/holding.mjs";
import { Polling } from "../../lib/polling.mjs";
import { closeCode, frame, Raw, upgradeHead } from "../../lib/raw.mjs";
import { Socket } from "../../lib/socket.mjs";

const LIMIT = 1_000_000;

let server;
before(async () => {
  server = await startCaddy({ extra: ["limits {\n exempt 127.0.0.0/8\n}"], settings: { pingInterval: 300_000 } });
});
after(() => server.stop());

/** What a connected socket answers to frames: a packet, or "closed". */
async function outcome(frames, namespace = "/") {
  const socket = await Socket.open(server);
  await socket.connect(namespace);
  socket.send(...frames);
  const answer = await next(socket).catch(() => "closed");
  socket.close();
  return answer;
}

const nested = (depth) => "[".repeat(depth) + "]".repeat(depth);

// What comes back is what was sent, byte for byte: nobody interprets it.
for (const [name, value] of Object.entries({
  "__proto__ as key": '{"__proto__":{"admin":true},"constructor":{"prototype":{"x":1}}}',
  "a key twice": '{"a":1,"a":2}',
  "a number beyond every float": "1e999999",
  "an integer of 1,000 digits": "9".repeat(1000),
  "a number of 1,000 decimals": `0.${"1".repeat(1000)}`,
  "a lone surrogate": '"\\ud800"',
  "control characters": '"\\u0000\\u001e\\u2028"',
  "a hundred levels": nested(99),
})) {
  test(`${name} is passed on as it is`, () =>
    under(server, 10, async () => assert.equal(await outcome([`421["message-with-ack",${value}]`]), `431[${value}]`)));
}

test("a gateway that decodes such a value gets an error, not a crash", () =>
  under(server, 10, async () => {
    for (const value of ["1e999999", "9".repeat(1000), '{"__proto__":1}', nested(99), '"x"']) {
      assert.match(await outcome([`421["typed",{"room":"r","count":${value}}]`]), /^431\[\{"error":\{.*"code":"invalid-payload"|^431\[\{"ok":false,.*"invalid-payload"/);
    }
  }));

for (const [name, frames] of Object.entries({
  "a hundred levels and one": [`421["message",${nested(101)}]`],
  "half a megabyte of brackets": [`421["message",${"[".repeat(500_000)}`],
  "half a megabyte of objects": [`421["message",${'{"a":'.repeat(100_000)}`],
  "more than a thousand arguments": [`421["message"${",1".repeat(1001)}]`],
  "an ack id of 21 digits": [`42${"1".repeat(21)}["message"]`],
  "an ack id of a megabyte": [`42${"1".repeat(900_000)}["message"]`],
  "a namespace of a megabyte": [`40/${"x".repeat(900_000)},`],
  "attachments without their event": [Buffer.alloc(1000), Buffer.alloc(1000)],
  "an event in place of its attachment": ['452-["message"]', Buffer.alloc(10), '42["message"]'],
})) {
  test(`${name}: the connection is closed`, () =>
    under(server, 25, () => times(10, async () => assert.equal(await outcome(frames), "closed"))));
}

for (const [name, answer] of Object.entries({
  "42[1]": /"unknown-event"/, "42[-1e5]": /"unknown-event"/, '42[""]': /"unknown-event"/, '42["__proto__"]': /"unknown-event"/,
  '42["constructor"]': /"unknown-event"/, '42["error"]': /"unknown-event"/,
  "42[true]": /^closed$/, "42[false]": /^closed$/, "42[null]": /^closed$/, "42[{}]": /^closed$/, "42[[]]": /^closed$/,
  '42["connect"]': /^closed$/, '42["connect_error"]': /^closed$/, '42["disconnect"]': /^closed$/, '42["disconnecting"]': /^closed$/,
  '42["newListener"]': /^closed$/, '42["removeListener"]': /^closed$/, '42["\\u0063onnect"]': /^closed$/,
})) {
  test(`the event name ${name.slice(2)}`, () =>
    under(server, 10, async () => {
      for (const namespace of ["/", "/custom"]) {
        const packet = namespace === "/" ? name : `42/custom,${name.slice(2)}`;
        assert.match(await outcome([packet], namespace), answer);
      }
    }));
}

test("text that is not UTF-8 is closed with 1007 on a websocket, refused on polling", () =>
  under(server, 10, async () => {
    for (const bad of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xe2, 0x82]]) {
      const text = Buffer.concat([Buffer.from('42["message","'), Buffer.from(bad), Buffer.from('"]')]);
      const raw = await Raw.open(server);
      raw.write(Buffer.concat([Buffer.from(upgradeHead(server)), frame("40")]));
      await raw.until('40{"sid":"', "the answer to CONNECT");
      raw.write(frame(text));
      assert.equal(closeCode(await raw.end()), 1007);
      const polling = await Polling.open(server);
      await polling.connect();
      assert.equal((await polling.post(text)).status, 400);
      assert.equal((await polling.get()).status, 400);
    }
  }));

test("frames that announce terabytes are closed with 1009 before a byte of them", () =>
  under(server, 10, () => times(50, async (i) => {
    const raw = await Raw.open(server);
    const head = frame("", { length: i % 2 ? LIMIT + 1 : 2 ** 40, opcode: 1 + (i % 2) });
    raw.write(Buffer.concat([Buffer.from(upgradeHead(server)), frame("40")]));
    await raw.until('40{"sid":"', "the answer to CONNECT");
    raw.write(head);
    assert.equal(closeCode(await raw.end()), 1009);
  })));

const places = Array.from({ length: 10 }, (_, num) => ({ _placeholder: true, num }));
const withTen = `4510-1["count-args",${JSON.stringify(places)}]`;
const ten = (size) => places.map(() => Buffer.alloc(size));

test("the attachments of an event have the limit together", () =>
  under(server, 25, async () => {
    assert.equal(await outcome([withTen, ...ten(LIMIT / 10)]), "431[1]");
    assert.equal(await outcome([withTen, ...ten(LIMIT / 10 + 1)]), "closed");
    assert.equal(await outcome([withTen, ...ten(990_000)]), "closed");
  }));

test("a hundred clients that have entered nothing announce ten attachments, send nine, and stay", () =>
  // A message of each may be on its way, but not nine.
  under(server, 250, async () => {
    const parts = ten(990_000).slice(1).map((part) => frame(part, { opcode: 2 }));
    await times(100, async () => {
      const raw = await Raw.open(server);
      raw.write(Buffer.concat([Buffer.from(upgradeHead(server)), frame(withTen)]));
      // All of it, whatever the answer: a client that attacks does not read.
      for (const part of parts) raw.write(part);
      assert.notEqual(closeCode(await raw.end()), undefined);
    }, 100);
  }));
