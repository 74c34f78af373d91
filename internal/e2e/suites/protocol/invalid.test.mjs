// Engine.IO v4: after anything invalid the session is closed, and only that one.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { connect } from "node:net";
import { Bystander } from "../../lib/bystander.mjs";
import { http, Polling } from "../../lib/polling.mjs";
import { Socket } from "../../lib/socket.mjs";
import { deviation, startServer } from "../../lib/server.mjs";
import { eventually, within } from "../../lib/wait.mjs";

let server, bystander;
before(async () => {
  server = await startServer({ pingInterval: 300_000 });
  bystander = await Bystander.enter(server);
});
after(() => server.stop());

/** The session of the sid is gone. */
async function gone(polling) {
  assert.equal((await polling.get()).status, 400);
  await bystander.undisturbed();
}

const INVALID = [
  ["an unknown packet type", "abc"],
  ["a packet type out of range", "7"],
  ["an empty payload", ""],
  ["an empty packet between separators", "40\x1e\x1e40"],
  ["a payload of separators", "\x1e\x1e"],
  ["a client's heartbeat in the wrong direction", "2"],
];

for (const [name, payload] of INVALID) {
  test(`polling: ${name} closes the session`, async () => {
    const polling = await Polling.open(server);
    const answer = await polling.post(payload).catch((error) => ({ status: error.code }));
    assert.notEqual(deviation(answer.status, { reference: 400, because: "it answers ok, or cuts the connection" }), 200);
    await gone(polling);
  });

  test(`websocket: ${name} closes the session`, async () => {
    const socket = await Socket.open(server);
    socket.send(payload);
    await socket.closed();
    await bystander.undisturbed();
  });
}

test("packet types that only servers send are ignored", async () => {
  const socket = await Socket.open(server);
  socket.send('0{"sid":"x"}', "6");
  await socket.connect();
  socket.close();
});

test("polling: an invalid packet after a valid one closes the session", async () => {
  const polling = await Polling.open(server);
  await polling.post("40\x1eabc").catch(() => {});
  await gone(polling);
});

test("polling: a pending poll ends when the session is closed by an invalid packet", async () => {
  const polling = await Polling.open(server);
  const poll = polling.get();
  await polling.post("abc").catch(() => {});
  const { status } = await poll;
  assert.ok([200, 400].includes(status), `status ${status}`);
  await gone(polling);
});

test("polling: a binary body closes the session", async () => {
  const polling = await Polling.open(server);
  const headers = { "content-type": "application/octet-stream" };
  const answer = await polling.post(Buffer.from([0x34, 0x30, 0xff]), { headers }).catch(() => ({}));
  assert.notEqual(answer.status, 200);
  await gone(polling);
});

test("polling: a binary POST of hostile lengths closes the session", async () => {
  const polling = await Polling.open(server);
  const headers = { "content-type": "application/octet-stream" };
  const answer = await polling.post(Buffer.from([0, 9, 9, 9, 9, 9, 9, 255, 4]), { headers }).catch(() => ({}));
  assert.notEqual(answer.status, 200);
  await gone(polling);
});

test("a second poll beside a waiting one is refused and closes the session", async () => {
  const polling = await Polling.open(server);
  // Whichever arrives second is the one refused.
  const [a, b] = (await Promise.all([polling.get(), polling.get()])).sort((x, y) => x.status - y.status);
  assert.equal(a.status, 200);
  assert.equal(a.body, "1");
  assert.equal(b.status, 400);
  await gone(polling);
});

test("a second POST beside an unfinished one is refused and closes the session", async () => {
  const polling = await Polling.open(server);
  const { hostname, port, pathname, search } = new URL(polling.url);
  const slow = connect(port, hostname);
  const over = new Promise((resolve) => slow.on("close", resolve).on("error", () => {}).resume());
  slow.write(`POST ${pathname}${search} HTTP/1.1\r\nHost: ${hostname}\r\nContent-Length: 100\r\n\r\n42`);
  // The server has the first POST when it refuses the second.
  const answer = await eventually(async () => {
    const { status } = await polling.post("3").catch(() => ({ status: 0 }));
    return status !== 200 && { status };
  }, "the refusal of a second POST");
  assert.equal(answer.status, 400);
  await gone(polling);
  slow.destroy();
  await within(over, "the end of the unfinished POST");
});

for (const method of ["PUT", "DELETE", "PATCH", "HEAD"]) {
  test(`${method} with a sid is refused and harms nothing`, async () => {
    const polling = await Polling.open(server);
    await polling.connect();
    const { status } = await http(polling.url, { method });
    const wanted = deviation((s) => s === 400 || s === 405, { reference: (s) => s === 500, because: "it has no better answer" });
    assert.ok(wanted(status), `status ${status}`);
    await polling.send('421["count-args"]');
    assert.equal(await polling.receive(), "431[0]");
  });
}

test("a poll with another transport than the session's is refused and harms nothing", async () => {
  const socket = await Socket.open(server);
  await socket.connect();
  const url = socket.ws.url.replace(/^ws/, "http").replace("transport=websocket", "transport=polling");
  const answer = await http(`${url}&sid=${socket.handshake.sid}`);
  assert.equal(answer.status, 400);
  assert.deepEqual(JSON.parse(answer.body), { code: 3, message: "Bad request" });
  socket.send('421["count-args"]');
  assert.equal(await socket.receive(), "431[0]");
  socket.close();
});
