// More of everything than is allowed: handshakes, events, acks, heartbeats. (What
// becomes of a client that stays over its rate: internal/socketio, in synctest's time.)
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { request } from "node:http";
import { startCaddy } from "../../lib/caddy.mjs";
import { metric, next, times, under } from "../../lib/holding.mjs";
import { endpoint } from "../../lib/polling.mjs";
import { frame, Raw, upgradeHead } from "../../lib/raw.mjs";
import { Socket } from "../../lib/socket.mjs";
import { within } from "../../lib/wait.mjs";

let server;
before(async () => {
  const limits = "limits {\n handshakes_per_ip 10/s 30\n events_per_socket 20/s 50\n}";
  server = await startCaddy({ extra: [limits], settings: { pingInterval: 1000, pingTimeout: 3000 } });
});
after(() => server.stop());

/** A handshake from a loopback address of one's own. */
function handshake(localAddress) {
  return within(new Promise((resolve, reject) => {
    const req = request(endpoint(server, { transport: "polling" }), { localAddress, agent: false }, (res) => {
      res.resume().on("end", () => resolve({ status: res.statusCode, retry: res.headers["retry-after"] }));
    });
    req.on("error", reject).end();
  }), "the answer to a handshake");
}

test("handshakes beyond burst and rate of an address get 429, others are served", () =>
  under(server, 25, async () => {
    const refused = await metric(server, "caddy_socketio_refusals_total", "handshakes_per_ip");
    const began = Date.now();
    const answers = [];
    await times(500, async () => answers.push(await handshake("127.0.0.9")));
    const accepted = answers.filter((a) => a.status === 200).length;
    const allowed = 30 + 10 * (Date.now() - began) / 1000;
    assert.ok(accepted >= 30 && accepted <= allowed + 1, `${accepted} of at most ${allowed}`);
    for (const { status, retry } of answers.filter((a) => a.status !== 200)) {
      assert.equal(status, 429);
      assert.match(retry, /^[1-9]\d*$/);
    }
    assert.equal((await handshake("127.0.0.10")).status, 200);
    const more = await metric(server, "caddy_socketio_refusals_total", "handshakes_per_ip") - refused;
    assert.equal(more, answers.length - accepted);
  }));

test("events over the rate are answered with rate-limited, the rest of the socket works", () =>
  under(server, 25, async () => {
    const socket = await Socket.open(server, { localAddress: "127.0.0.11" });
    await socket.connect();
    for (let i = 0; i < 500; i++) socket.send(`42${i}["message-with-ack",${i}]`);
    const answers = [];
    while (answers.length < 500) answers.push(await next(socket));
    const taken = answers.filter((a) => /^43(\d+)\[\1\]$/.test(a)).length;
    assert.ok(taken >= 50 && taken < 300, `${taken} were taken`);
    assert.equal(answers.filter((a) => a.includes('"code":"rate-limited"')).length, 500 - taken);
    socket.close();
  }));

test("acks that nobody asked for call nothing, keep nothing, and count as events", () =>
  under(server, 25, () => times(20, async (i) => {
    const socket = await Socket.open(server, { localAddress: "127.0.0.12" });
    await socket.connect();
    const big = JSON.stringify("x".repeat(10_000));
    const acks = (n, arg) => Array.from({ length: n }, (_, id) => `43${id % 2 ? id : `1844674407370955${id + 1000}`}[${arg}]`);
    socket.send(...acks(40, big), `42${i}["count-args"]`);
    assert.equal(await next(socket), `43${i}[0]`);
    // So many that a machine under load cannot be slow enough for the rate.
    socket.send(...acks(500, 0), `42${i}["count-args"]`);
    assert.match(await next(socket), /"code":"rate-limited"/);
    socket.close();
  })));

test("a question that is never answered is forgotten with its socket", () =>
  under(server, 25, () => times(20, async () => {
    const socket = await Socket.open(server, { localAddress: "127.0.0.13" });
    await socket.connect();
    for (let i = 0; i < 40; i++) socket.send('42["ask",{"event":"question"}]');
    assert.match(await next(socket), /\["question"/);
    socket.close();
  })));

test("websocket pings whose pongs nobody reads take no memory", () =>
  under(server, 25, () => times(10, async () => {
    const raw = await Raw.open(server, { from: "127.0.0.14" });
    raw.socket.pause();
    raw.write(upgradeHead(server));
    raw.write(frame("40"));
    const pings = Buffer.concat(Array.from({ length: 2000 }, () => frame("x".repeat(125), { opcode: 9 })));
    for (let i = 0; i < 5; i++) raw.write(pings);
    // 1.3 MB of answers are beyond the buffers of the connection and of the session.
    raw.socket.resume();
    assert.match(await raw.end(), /^HTTP\/1.1 101 /);
  })));
