// Socket.IO v5: events, acks and binary attachments.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Socket } from "../../lib/socket.mjs";
import { startServer } from "../../lib/server.mjs";

let server;
before(async () => (server = await startServer({ pingInterval: 300_000 })));
after(() => server.stop());

async function connected(namespace) {
  const socket = await Socket.open(server);
  await socket.connect(namespace);
  return socket;
}

const ECHOES = [
  ["several arguments", '42["message",1,"2",{"3":[true]}]', '42["message-back",1,"2",{"3":[true]}]'],
  ["no argument", '42["message"]', '42["message-back"]'],
  ["null", '42["message",null]', '42["message-back",null]'],
  ["an empty name as argument", '42["message",""]', '42["message-back",""]'],
  ["a separator inside a string", '42["message","\\u001e"]', '42["message-back","\\u001e"]'],
];

for (const [name, sent, received] of ECHOES) {
  test(`an event with ${name}`, async () => {
    const socket = await connected();
    socket.send(sent);
    assert.deepEqual(JSON.parse((await socket.receive()).slice(2)), JSON.parse(received.slice(2)));
    socket.close();
  });
}

test("an event in a custom namespace comes back in it", async () => {
  const socket = await connected("/custom");
  socket.send('42/custom,["message",1]');
  assert.equal(await socket.receive(), '42/custom,["message-back",1]');
  socket.close();
});

for (const id of ["0", "1", "456", "123456789"]) {
  test(`an ack carries the id ${id} of its event`, async () => {
    const socket = await connected();
    socket.send(`42${id}["message-with-ack",{"a":[false]}]`);
    assert.equal(await socket.receive(), `43${id}[{"a":[false]}]`);
    socket.close();
  });
}

test("an ack in a custom namespace names it", async () => {
  const socket = await connected("/custom");
  socket.send('42/custom,13["message-with-ack","bar"]');
  assert.equal(await socket.receive(), '43/custom,13["bar"]');
  socket.close();
});

test("an event without id gets no ack", async () => {
  const socket = await connected();
  socket.send('42["message-with-ack",1]', '422["message-with-ack",2]');
  assert.equal(await socket.receive(), "432[2]");
  socket.close();
});

test("the server's question is answered by an ack of the same id", async () => {
  const socket = await connected();
  socket.send('421["ask",{"event":"question","arg":"?"}]');
  const question = await socket.receive();
  const [, id] = question.match(/^42(\d+)\["question","\?"\]$/);
  socket.send(`43${id}["first","second"]`);
  assert.equal(await socket.receive(), '431[{"answer":["first","second"]}]');
  socket.close();
});

test("an empty ack is an ack", async () => {
  const socket = await connected();
  socket.send('421["ask",{"event":"question"}]');
  const [, id] = (await socket.receive()).match(/^42(\d+)\["question"/);
  socket.send(`43${id}[]`);
  assert.equal(await socket.receive(), '431[{"answer":[]}]');
  socket.close();
});

test("an ack nobody waits for, or a second one, is ignored", async () => {
  const socket = await connected();
  socket.send("43999[1]", '421["ask",{"event":"question"}]');
  const [, id] = (await socket.receive()).match(/^42(\d+)\["question"/);
  socket.send(`43${id}[1]`, `43${id}[2]`, '422["count-args"]');
  assert.equal(await socket.receive(), '431[{"answer":[1]}]');
  assert.equal(await socket.receive(), "432[0]");
  socket.close();
});

const bytes = (...values) => Buffer.from(values);

test("several attachments at any depth", async () => {
  const socket = await connected();
  const tail = '{"_placeholder":true,"num":0},{"deep":[{"_placeholder":true,"num":1}]}]';
  socket.send(`452-["message",${tail}`, bytes(1, 2, 3), bytes(4, 5, 6));
  assert.equal(await socket.receive(), `452-["message-back",${tail}`);
  assert.deepEqual(await socket.inbox.takeAll(2), [bytes(1, 2, 3), bytes(4, 5, 6)]);
  socket.close();
});

test("attachments in a custom namespace with an ack", async () => {
  const socket = await connected("/custom");
  socket.send('451-/custom,789["message-with-ack",{"_placeholder":true,"num":0}]', bytes(9));
  assert.equal(await socket.receive(), '461-/custom,789[{"_placeholder":true,"num":0}]');
  assert.deepEqual(await socket.receive(), bytes(9));
  socket.close();
});

test("an empty attachment", async () => {
  const socket = await connected();
  socket.send('451-["message",{"_placeholder":true,"num":0}]', bytes());
  assert.equal(await socket.receive(), '451-["message-back",{"_placeholder":true,"num":0}]');
  assert.deepEqual(await socket.receive(), bytes());
  socket.close();
});

test("a binary answer to the server's question", async () => {
  const socket = await connected();
  socket.send('421["ask",{"event":"question"}]');
  const [, id] = (await socket.receive()).match(/^42(\d+)\["question"/);
  socket.send(`461-${id}["bar",{"_placeholder":true,"num":0}]`, bytes(1, 2));
  assert.equal(await socket.receive(), '461-1[{"answer":["bar",{"_placeholder":true,"num":0}]}]');
  assert.deepEqual(await socket.receive(), bytes(1, 2));
  socket.close();
});

test("ten attachments are taken", async () => {
  const socket = await connected();
  const places = Array.from({ length: 10 }, (_, num) => ({ _placeholder: true, num }));
  const frames = places.map((_, i) => bytes(i));
  socket.send(`4510-["message",${JSON.stringify(places)}]`, ...frames);
  assert.match(await socket.receive(), /^4510-\["message-back"/);
  assert.deepEqual(await socket.inbox.takeAll(10), frames);
  socket.close();
});

test("events of one socket are handled in order, text and binary mixed", async () => {
  const socket = await connected();
  const want = [];
  for (let i = 0; i < 50; i++) {
    if (i % 3) socket.send(`42["message",${i}]`);
    else socket.send(`451-["message",${i},{"_placeholder":true,"num":0}]`, bytes(i));
    want.push(i);
  }
  const got = [];
  while (got.length < 50) {
    const frame = await socket.receive();
    if (typeof frame === "string") got.push(JSON.parse(frame.slice(frame.indexOf("[")))[1]);
  }
  assert.deepEqual(got, want);
  socket.close();
});
