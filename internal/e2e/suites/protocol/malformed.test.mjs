// Socket.IO v5: a packet that cannot be right closes its connection, and only that.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Bystander } from "../../lib/bystander.mjs";
import { Polling } from "../../lib/polling.mjs";
import { Socket } from "../../lib/socket.mjs";
import { deviation, startServer } from "../../lib/server.mjs";

let server, bystander;
before(async () => {
  server = await startServer({ pingInterval: 300_000 });
  bystander = await Bystander.enter(server);
});
after(() => server.stop());

const MALFORMED = {
  "an unknown packet type": ["4abc"],
  "a packet type out of range": ["49"],
  "an empty packet": ["4"],
  "an event whose payload is an object": ["42{}"],
  "an event without payload": ["42"],
  "an event with an empty array": ["42[]"],
  "an event that is not JSON": ['42["message",'],
  "an event with garbage after its JSON": ['42["message"]x'],
  "an event whose id is no number": ['42abc["message-with-ack",1]'],
  "an event whose name is an object": ['42[{"toString":"x"}]'],
  "an event whose name is null": ["42[null]"],
  "an event whose name is an array": ['42[["message"]]'],
  "the reserved name connect": ['42["connect"]'],
  "the reserved name connect_error": ['42["connect_error"]'],
  "the reserved name disconnect": ['42["disconnect"]'],
  "the reserved name disconnecting": ['42["disconnecting"]'],
  "the reserved name newListener": ['42["newListener"]'],
  "an ack whose payload is an object": ["431{}"],
  "an ack without payload": ["431"],
  "a DISCONNECT with a payload": ["41{}"],
  "a CONNECT with a string as payload": ['40/custom,"token"'],
  "a CONNECT with an array as payload": ["40/custom,[1]"],
  "a CONNECT that is not JSON": ["40/custom,{"],
  "a CONNECT_ERROR": ['44{"message":"x"}'],
  "a binary frame without its event": [Buffer.from([1])],
  "a text frame in place of an attachment": ['451-["message",{"_placeholder":true,"num":0}]', '42["message"]'],
  "an attachment count that is no number": ['45x-["message"]'],
  "an attachment count without its dash": ['451["message"]'],
  "a negative attachment count": ['45-1-["message"]'],
  "more than ten attachments": ['4511-["message"]'],
  "a huge attachment count": ['45999999999-["message",{"_placeholder":true,"num":0}]'],
};

// The protocol: "The payload is mandatory", else "the receiver MUST close the connection".
const TOLERATED = ["an event without payload", "an ack without payload"];

for (const [name, frames] of Object.entries(MALFORMED)) {
  test(`websocket: ${name}`, async () => {
    const because = "it takes a missing payload for an empty one";
    if (TOLERATED.includes(name) && deviation(false, { reference: true, because })) return;
    const socket = await Socket.open(server);
    await socket.connect();
    socket.send(...frames);
    await socket.closed();
    assert.deepEqual(socket.inbox.waiting.filter((f) => f !== "1"), []);
    await bystander.undisturbed();
  });
}

for (const name of ["an unknown packet type", "an event that is not JSON", "an event whose name is an object"]) {
  test(`polling: ${name}`, async () => {
    const polling = await Polling.open(server);
    await polling.connect();
    await polling.post(MALFORMED[name][0]).catch(() => {});
    let answer = await polling.get();
    // A session that closes while a poll is due may say so once.
    if (answer.status === 200) {
      assert.equal(answer.body.split("\x1e").at(-1), "1");
      answer = await polling.get();
    }
    assert.equal(answer.status, 400);
    await bystander.undisturbed();
  });
}

for (const num of ["1", "-1", "1e9", '"0"', '"__proto__"', "null"]) {
  test(`a placeholder with num ${num} reaches no handler`, async () => {
    const socket = await Socket.open(server);
    await socket.connect();
    socket.send(`451-3["digest",{"_placeholder":true,"num":${num}}]`, Buffer.from([7]));
    const outcome = await Promise.race([socket.closed().then(() => "closed"), socket.receive().catch(() => "closed")]);
    const refused = (o) => o === "closed" || (o.startsWith("433[{") && o.includes('"code":"invalid-payload"'));
    assert.ok(refused(outcome), `outcome: ${outcome}`);
    socket.close();
    await bystander.undisturbed();
  });
}

test("an event with zero attachments is an event", async () => {
  const socket = await Socket.open(server);
  await socket.connect();
  socket.send('450-4["count-args"]', '425["count-args"]');
  const because = "its decoder waits for attachments of such an event";
  if (deviation(false, { reference: true, because })) return void (await socket.closed());
  assert.equal(await socket.receive(), "434[0]");
  assert.equal(await socket.receive(), "435[0]");
  socket.close();
});

test("JSON nested 100,000 deep harms nobody else", async () => {
  if (deviation(false, { reference: true, because: "its process dies of a stack overflow" })) return;
  const socket = await Socket.open(server);
  await socket.connect();
  const depth = 100_000;
  socket.send(`42["message",${"[".repeat(depth)}${"]".repeat(depth)}]`);
  await Promise.race([socket.closed(), socket.receive().catch(() => {})]);
  socket.close();
  await bystander.undisturbed();
});
