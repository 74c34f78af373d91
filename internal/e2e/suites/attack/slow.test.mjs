// Clients that begin something and never end it. (Frames, POSTs and upgrades one
// by one: the tests of internal/engineio. In numbers that count: internal/bench -faults.)
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { startCaddy } from "../../lib/caddy.mjs";
import { times, under } from "../../lib/holding.mjs";
import { Polling } from "../../lib/polling.mjs";
import { frame, postHead, Raw, upgradeHead } from "../../lib/raw.mjs";
import { directive } from "../../lib/caddyfile.mjs";

const N = 200;

let server;
before(async () => {
  // Caddy's own timeouts are a minute; they are what ends headers and bodies.
  const globals = ["servers {\n timeouts {\n  read_header 3s\n  read_body_idle 1s\n }\n}"];
  const site = directive({ settings: { pingInterval: 700, pingTimeout: 2000, upgradeTimeout: 700 }, extra: ["limits {\n exempt 127.0.0.0/8\n}"] });
  server = await startCaddy({ globals, site });
});
after(() => server.stop());

/** N connections at once, which do the same and are all ended by the server. */
const all = (work) => () => times(N, work, N);

test("request headers that never end are cut off, byte by byte or not at all", () =>
  under(server, 20, all(async (i) => {
    const raw = await Raw.open(server);
    raw.write("GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nX-Slow: ");
    const drip = setInterval(() => i % 2 && raw.write("x"), 100);
    const answer = await raw.end();
    clearInterval(drip);
    assert.doesNotMatch(answer, /^HTTP\/1.1 (2|5)/);
  })));

test("a POST that never ends is answered with 408 or 400, never 500, and the session ends", () =>
  under(server, 20, all(async () => {
    const polling = await Polling.open(server);
    const raw = await Raw.open(server);
    raw.write(`${postHead(polling, 1000)}42["cou`);
    assert.match(await raw.end(), /^HTTP\/1.1 (400|408) /);
    assert.equal((await polling.get()).status, 400);
  })));

test("a POST body that comes byte by byte does not outlive its session's heartbeat", () =>
  under(server, 20, () => times(50, async () => {
    const polling = await Polling.open(server);
    const raw = await Raw.open(server);
    raw.write(`${postHead(polling, 1000)}42["message","`);
    const drip = setInterval(() => raw.write("x"), 100);
    // The heartbeat is due while the body is still under way, and nobody answers it.
    const packets = [];
    for (let answer = await polling.get(); answer.status === 200; answer = await polling.get()) packets.push(answer.body);
    // The next byte finds the session gone.
    assert.match(await raw.end(), /^HTTP\/1.1 400 /);
    clearInterval(drip);
    assert.equal(packets[0], "2");
  })));

test("frames and messages that never end do not outlive the heartbeat", () =>
  under(server, 30, all(async (i) => {
    const raw = await Raw.open(server);
    const beginnings = [
      frame(`42["message","${"x".repeat(100)}`, { length: 900_000 }), // announced, not sent
      frame('42["message",', { fin: false }), // a fragment
      frame("").subarray(0, 1), // half a header
      Buffer.concat([frame('451-["message",{"_placeholder":true,"num":0}]')]), // an attachment is due
    ];
    raw.write(upgradeHead(server));
    raw.write(frame("40"));
    await raw.until('40{"sid"', "the entry"); // nothing is kept for a stranger
    raw.write(beginnings[i % beginnings.length]);
    assert.match(await raw.end(), /^HTTP\/1.1 101 [^]*40\{"sid"/);
  })));

test("an upgrade that never ends does not outlive the session", () =>
  under(server, 20, all(async (i) => {
    const polling = await Polling.open(server);
    const raw = await Raw.open(server);
    raw.write(upgradeHead(server, `&sid=${polling.sid}`));
    if (i % 2) raw.write(frame("2probe"));
    assert.match(await raw.end(), /^HTTP\/1.1 101 /);
    while ((await polling.get()).status === 200);
  })));
