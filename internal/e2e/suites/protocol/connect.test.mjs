// Socket.IO v5: entering and leaving namespaces.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Polling } from "../../lib/polling.mjs";
import { Socket } from "../../lib/socket.mjs";
import { startServer } from "../../lib/server.mjs";

let server;
before(async () => (server = await startServer({ connectTimeout: 400, pingInterval: 300_000 })));
after(() => server.stop());

const SID = /^[\w-]{20,}$/;

for (const [name, namespace] of [["main", "/"], ["a custom", "/custom"], ["a dynamic", "/dyn-42"]]) {
  test(`CONNECT to ${name} namespace is answered with the socket's id`, async () => {
    const socket = await Socket.open(server);
    const answer = await socket.connect(namespace);
    assert.deepEqual(Object.keys(answer), ["sid"]);
    assert.match(answer.sid, SID);
    assert.notEqual(answer.sid, socket.handshake.sid);
    socket.close();
  });

  test(`the auth payload reaches ${name} namespace`, async () => {
    const socket = await Socket.open(server);
    await socket.connect(namespace, { token: "123", greet: true });
    const prefix = namespace === "/" ? "" : `${namespace},`;
    const greeting = await socket.receive();
    assert.ok(greeting.startsWith(`42${prefix}["auth",`), greeting);
    assert.deepEqual(JSON.parse(greeting.slice(2 + prefix.length))[1], { greet: true, token: "123" });
    socket.close();
  });
}

test("CONNECT over polling", async () => {
  const polling = await Polling.open(server);
  assert.match((await polling.connect("/custom")).sid, SID);
});

test("a namespace may be named without its comma when nothing follows", async () => {
  const socket = await Socket.open(server);
  socket.send("40/custom");
  assert.match(await socket.receive(), /^40\/custom,\{"sid":"[\w-]{20,}"\}$/);
  socket.close();
});

for (const namespace of ["/random", "/dyn-x", "/custom/", "/Custom", "/dyn-1/more", "/__proto__"]) {
  test(`the unknown namespace ${namespace} is refused`, async () => {
    const socket = await Socket.open(server);
    socket.send(`40${namespace},`);
    assert.equal(await socket.receive(), `44${namespace},{"message":"Invalid namespace"}`);
    socket.close();
  });
}

test("a refused CONNECT leaves the other namespaces alone", async () => {
  const socket = await Socket.open(server);
  await socket.connect();
  socket.send("40/random,", '427["count-args"]');
  assert.equal(await socket.receive(), '44/random,{"message":"Invalid namespace"}');
  assert.equal(await socket.receive(), "437[0]");
  socket.close();
});

test("a gateway that refuses: message and data reach the client", async () => {
  const socket = await Socket.open(server);
  socket.send('40/custom,{"refuse":"coded"}');
  const packet = await socket.receive();
  assert.ok(packet.startsWith("44/custom,{"), packet);
  const error = JSON.parse(packet.slice("44/custom,".length));
  assert.equal(error.message, "You are banned");
  assert.deepEqual(error.data, { code: "banned", until: 5 });
  socket.close();
});

test("a connection that enters no namespace is closed after connect_timeout", async () => {
  const socket = await Socket.open(server);
  await socket.closed();
});

test("a connection whose only CONNECT was refused is closed after connect_timeout", async () => {
  const socket = await Socket.open(server);
  socket.send("40/random,");
  await socket.closed();
});

for (const [name, packet] of [
  ["an event", '42["message"]'],
  ["an event for a namespace", '42/custom,["message"]'],
  ["an ack", "431[1]"],
  ["a DISCONNECT", "41"],
  ["a CONNECT_ERROR", '44{"message":"x"}'],
]) {
  test(`${name} before CONNECT closes the connection`, async () => {
    const socket = await Socket.open(server);
    socket.send(packet);
    await socket.closed();
  });
}

test("an event for a namespace that was not entered closes the connection", async () => {
  const socket = await Socket.open(server);
  await socket.connect();
  socket.send('42/custom,["message"]');
  await socket.closed();
});

test("a second CONNECT to the same namespace closes the connection", async () => {
  const socket = await Socket.open(server);
  await socket.connect();
  socket.send("40");
  await socket.closed();
});

test("DISCONNECT leaves one namespace, the connection and the others stay", async () => {
  const socket = await Socket.open(server);
  await socket.connect();
  await socket.connect("/custom");
  socket.send("41/custom,", '42["message","to the main namespace"]');
  assert.equal(await socket.receive(), '42["message-back","to the main namespace"]');
  socket.close();
});

test("DISCONNECT from the only namespace keeps the connection", async () => {
  const socket = await Socket.open(server);
  await socket.connect();
  socket.send("41");
  const { sid } = await socket.connect("/custom");
  assert.match(sid, SID);
  socket.close();
});

test("DISCONNECT and CONNECT again on one connection give a new socket", async () => {
  const socket = await Socket.open(server);
  const observer = await Socket.open(server);
  await observer.connect();
  observer.send('421["join","observers"]');
  assert.equal(await observer.receive(), '431[["observers"]]');
  const first = await socket.connect();
  assert.match(await observer.receive(), /"arrived"/);
  socket.send("41");
  assert.match(await observer.receive(), /"departed".*"client namespace disconnect"/);
  const second = await socket.connect();
  assert.notEqual(first.sid, second.sid);
  socket.send('427["count-args"]');
  assert.equal(await socket.receive(), "437[0]");
  socket.close();
  observer.close();
});

test("the server's DISCONNECT is told, with and without closing the connection", async () => {
  const socket = await Socket.open(server);
  await socket.connect();
  await socket.connect("/custom");
  socket.send('42/custom,["disconnect-me",false]');
  assert.equal(await socket.receive(), "41/custom,");
  socket.send('427["count-args"]');
  assert.equal(await socket.receive(), "437[0]");
  socket.send('42["disconnect-me",true]');
  await socket.closed();
});
