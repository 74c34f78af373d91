// Engine.IO v4: packets over long polling and websocket frames.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Polling } from "../../lib/polling.mjs";
import { refusal, Socket } from "../../lib/socket.mjs";
import { deviation, startServer } from "../../lib/server.mjs";

let server;
before(async () => (server = await startServer({ pingInterval: 300_000 })));
after(() => server.stop());

test("a successful POST is answered with ok", async () => {
  const polling = await Polling.open(server);
  const { status, body, headers } = await polling.post("40");
  assert.equal(status, 200);
  assert.equal(body, "ok");
  assert.match(headers["content-type"], /^text\//);
});

test("a poll waits until there is something to send", async () => {
  const polling = await Polling.open(server);
  await polling.connect();
  const poll = polling.get();
  await polling.send('42["message","late"]');
  const { status, body } = await poll;
  assert.equal(status, 200);
  assert.equal(body, '42["message-back","late"]');
});

test("several packets of one payload are all taken, in order", async () => {
  const polling = await Polling.open(server);
  await polling.connect();
  await polling.send('42["message",1]', '42["message",2]', '42["message",3]');
  for (const n of [1, 2, 3]) assert.equal(await polling.receive(), `42["message-back",${n}]`);
});

test("packets that wait leave together, in order", async () => {
  const polling = await Polling.open(server);
  await polling.connect();
  await polling.send('421["flood",{"count":3,"size":1}]');
  const want = ['42["drop",0,"x"]', '42["drop",1,"x"]', '42["drop",2,"x"]', "431[3]"];
  for (const packet of want) assert.equal(await polling.receive(), packet);
});

test("text is UTF-8 both ways", async () => {
  const polling = await Polling.open(server);
  await polling.connect();
  const text = "ä€😀\u0000\u001f\u2028";
  await polling.send(`42["message",${JSON.stringify(text)}]`);
  const packet = await polling.receive();
  assert.deepEqual(JSON.parse(packet.slice(2)), ["message-back", text]);
});

test("binary over polling is base64 after a b, both ways", async () => {
  const polling = await Polling.open(server);
  await polling.connect();
  await polling.send('451-["message",{"_placeholder":true,"num":0}]', "bAQIDBA==");
  assert.equal(await polling.receive(), '451-["message-back",{"_placeholder":true,"num":0}]');
  assert.equal(await polling.receive(), "bAQIDBA==");
});

test("a payload over chunked transfer encoding is taken", async () => {
  const polling = await Polling.open(server);
  const answer = await polling.post("40", { headers: { "transfer-encoding": "chunked" } });
  assert.equal(answer.body, "ok");
  assert.match(await polling.receive(), /^40\{"sid"/);
});

test("a text content type with a charset is text", async () => {
  const polling = await Polling.open(server);
  const answer = await polling.post("40", { headers: { "content-type": "text/plain;charset=UTF-8" } });
  assert.equal(answer.body, "ok");
  assert.match(await polling.receive(), /^40\{"sid"/);
});

test("answers of a poll must not be cached", async () => {
  const polling = await Polling.open(server);
  await polling.send("40");
  const { headers } = await polling.get();
  assert.equal(headers["cache-control"], "no-store");
});

test("a large poll is compressed for a client that takes gzip, a small one is not", async () => {
  const polling = await Polling.open(server);
  await polling.connect();
  const accept = { headers: { "accept-encoding": "gzip" } };
  await polling.send('42["message","small"]');
  assert.equal((await polling.get(accept)).headers["content-encoding"], undefined);
  await polling.send(`42["message","${"x".repeat(4096)}"]`);
  assert.equal((await polling.get(accept)).headers["content-encoding"], "gzip");
});

test("each websocket frame is one packet, text and binary", async () => {
  const socket = await Socket.open(server);
  await socket.connect();
  socket.send('42["message","hello"]', '42["message","world"]');
  assert.equal(await socket.receive(), '42["message-back","hello"]');
  assert.equal(await socket.receive(), '42["message-back","world"]');
  socket.send('451-["message",{"_placeholder":true,"num":0}]', Buffer.from([1, 2, 3, 4]));
  assert.equal(await socket.receive(), '451-["message-back",{"_placeholder":true,"num":0}]');
  assert.deepEqual(await socket.receive(), Buffer.from([1, 2, 3, 4]));
  socket.close();
});

test("a websocket message in fragments is one packet", async () => {
  const socket = await Socket.open(server);
  await socket.connect();
  socket.ws.send('42["mess', { fin: false });
  socket.ws.send('age","in ', { fin: false });
  socket.ws.send('parts"]', { fin: true });
  assert.equal(await socket.receive(), '42["message-back","in parts"]');
  socket.close();
});

test("a websocket ping frame is answered", async () => {
  const socket = await Socket.open(server);
  const pong = new Promise((resolve) => socket.ws.once("pong", (data) => resolve(data.toString())));
  socket.ws.ping("are you there");
  assert.equal(await pong, "are you there");
  socket.close();
});

test("a close packet ends a pending poll with noop, and the session", async () => {
  const polling = await Polling.open(server);
  const { answer } = await polling.waitingGet();
  await polling.send("1");
  assert.deepEqual(await answer.then(({ status, body }) => [status, body]), [200, "6"]);
  assert.equal((await polling.get()).status, 400);
});

test("a close packet ends a websocket", async () => {
  const socket = await Socket.open(server);
  socket.send("1");
  const because = "it takes close packets from polling only, and waits for the ping timeout";
  if (deviation(false, { reference: true, because })) {
    socket.close();
    return;
  }
  await socket.closed();
  assert.equal((await refusal(server, { query: { sid: socket.handshake.sid } })).status, 400);
});
