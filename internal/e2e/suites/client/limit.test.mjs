// The size limit of 1 MB, on both transports and in both directions.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { ask, connected, endClients } from "../../lib/clients.mjs";
import { Polling } from "../../lib/polling.mjs";
import { Socket } from "../../lib/socket.mjs";
import { startServer } from "../../lib/server.mjs";
import { once, within } from "../../lib/wait.mjs";

const LIMIT = 1_000_000;

let server, bystander;
before(async () => {
  server = await startServer({ allowEIO3: true, pingInterval: 300_000 });
  bystander = await connected("v4", server);
});
after(async () => {
  endClients();
  await server.stop();
});

const undisturbed = async () => assert.equal(await ask(bystander, "count-args", 1), 1);

// 42, id 1, ["digest"…: what an event of one string adds to it.
const event = (size) => `421["count-args","${"x".repeat(size - '421["count-args",""]'.length)}"]`;

test("websocket: a packet of exactly the limit is taken", async () => {
  const socket = await Socket.open(server);
  await socket.connect();
  socket.send(event(LIMIT));
  assert.equal(await socket.receive(), "431[1]");
  socket.close();
});

test("websocket: a byte more closes the connection with 1009", async () => {
  const socket = await Socket.open(server);
  await socket.connect();
  socket.send(event(LIMIT + 1));
  assert.equal((await socket.closed()).code, 1009);
  await undisturbed();
});

test("websocket: the limit holds for a message in fragments", async () => {
  const socket = await Socket.open(server);
  await socket.connect();
  for (let i = 0; i < 11; i++) socket.ws.send("x".repeat(100_000), { fin: false });
  assert.equal((await socket.closed()).code, 1009);
  await undisturbed();
});

test("polling: a body of exactly the limit is taken", async () => {
  const polling = await Polling.open(server);
  await polling.connect();
  await polling.send(event(LIMIT));
  assert.equal(await polling.receive(), "431[1]");
});

test("polling: a byte more is answered with 413", async () => {
  const polling = await Polling.open(server);
  await polling.connect();
  assert.equal((await polling.post(event(LIMIT + 1))).status, 413);
  await undisturbed();
});

test("polling: the limit holds for a body whose length is not told", async () => {
  const polling = await Polling.open(server);
  await polling.connect();
  const headers = { "transfer-encoding": "chunked" };
  const answer = await polling.post(event(LIMIT + 1), { headers }).catch((error) => ({ status: error.code }));
  assert.ok([413, "ECONNRESET", "EPIPE"].includes(answer.status), `status ${answer.status}`);
  await undisturbed();
});

for (const version of ["v4", "v3", "v2"]) {
  for (const transports of [["polling"], ["websocket"]]) {
    const by = `${version} by ${transports[0]}`;

    test(`${by}: 900 kB of text and binary arrive whole`, async () => {
      const socket = await connected(version, server, "/", { transports });
      const text = "y".repeat(900_000);
      assert.equal(await ask(socket, "message-with-ack", text), text);
      // Base64, on polling, adds a third.
      const data = Buffer.alloc(700_000, "0123456789");
      assert.deepEqual(await ask(socket, "digest", data), digest(data));
    });

    test(`${by}: more than the limit ends the connection`, async () => {
      const socket = await connected(version, server, "/", { transports });
      const gone = once(socket, "disconnect");
      socket.emit("message", "z".repeat(1_100_000));
      assert.match([await gone].flat()[0], /^transport (close|error)$/);
      await undisturbed();
    });

    test(`${by}: nearly a megabyte at once from the server`, async () => {
      const socket = await connected(version, server, "/", { transports });
      const sizes = [];
      const all = new Promise((resolve) => socket.on("drop", (n, filler) => sizes.push(filler.length) === 4 && resolve()));
      socket.emit("flood", { count: 4, size: 240_000 });
      await within(all, "four large events");
      assert.deepEqual(sizes, Array(4).fill(240_000));
    });
  }
}

function digest(data) {
  let sum = 0;
  for (const [i, b] of data.entries()) sum = (sum + ((i % 251) + 1) * b) % 1_000_003;
  return { length: data.length, sum };
}
