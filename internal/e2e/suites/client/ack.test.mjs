// Acks in both directions, in time and too late.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { ask, connected, endClients } from "../../lib/clients.mjs";
import { startServer } from "../../lib/server.mjs";
import { once } from "../../lib/wait.mjs";

let server;
before(async () => (server = await startServer()));
after(async () => {
  endClients();
  await server.stop();
});

for (const transports of [["polling"], ["websocket"]]) {
  const by = transports[0];
  const connect = () => connected("v4", server, "/", { transports });

  test(`${by}: an ack in time`, async () => {
    const socket = await connect();
    assert.deepEqual(await socket.timeout(10_000).emitWithAck("message-with-ack", [1]), [1]);
  });

  test(`${by}: a handler that takes longer than the client's patience`, async () => {
    const socket = await connect();
    const gate = `slow-${by}`;
    await assert.rejects(socket.timeout(100).emitWithAck("wait", gate), /timed out/);
    const other = await connect();
    assert.equal(await ask(other, "open", gate), "opened");
    assert.equal(await ask(socket, "count-args", 1), 1);
  });

  test(`${by}: a client that does not answer the server's question in time`, async () => {
    const socket = await connect();
    const asked = once(socket, "question");
    const answer = await ask(socket, "ask", { event: "question", timeout: 100 });
    assert.equal(answer.ok, false);
    assert.equal(answer.error.code, "timeout");
    const [, late] = await asked;
    late("too late");
    assert.equal(await ask(socket, "count-args", 1), 1);
  });

  test(`${by}: acks of many events find their own callers`, async () => {
    const socket = await connect();
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => ask(socket, "message-with-ack", i)));
    assert.deepEqual(answers, Array.from({ length: 100 }, (_, i) => i));
  });

  test(`${by}: a binary answer from the client`, async () => {
    const socket = await connect();
    socket.on("question", (_, ack) => ack(Buffer.from([1, 2]), "and text"));
    assert.deepEqual(await ask(socket, "ask", { event: "question" }), { answer: [Buffer.from([1, 2]), "and text"] });
  });

  test(`${by}: a question while the client's own acks are due`, async () => {
    const socket = await connect();
    socket.on("question", (n, ack) => ask(socket, "message-with-ack", n).then(() => {}, () => {}) && ack(n));
    const answers = await Promise.all([1, 2, 3].map((arg) => ask(socket, "ask", { event: "question", arg })));
    assert.deepEqual(answers, [1, 2, 3].map((n) => ({ answer: [n] })));
  });
}
