// What every stock client does, over every transport.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { ask, connected, endClients, TRANSPORTS, upgraded } from "../../lib/clients.mjs";
import { startServer } from "../../lib/server.mjs";
import { once } from "../../lib/wait.mjs";

let server;
before(async () => (server = await startServer({ allowEIO3: true })));
after(async () => {
  endClients();
  await server.stop();
});

for (const version of ["v4", "v3", "v2"]) {
  for (const [name, transports] of Object.entries(TRANSPORTS)) {
    const on = `${version} by ${name}`;
    const connect = async (namespace) => {
      const socket = await connected(version, server, namespace, { transports });
      if (name === "upgrade") await upgraded(socket);
      return socket;
    };

    test(`${on}: connects, and knows the id that the server knows`, async () => {
      const socket = await connect();
      const me = await ask(socket, "whoami");
      // A v2 client takes its Engine.IO session id for the socket's. The server
      // does not: the session id is a credential, the socket's id is public.
      if (version === "v2" && process.env.E2E_SERVER !== "reference") {
        assert.notEqual(me.id, socket.id.split("#").at(-1));
      } else {
        assert.equal(me.id, version === "v2" ? socket.id.split("#").at(-1) : socket.id);
      }
      assert.equal(me.namespace, "/");
      const wanted = name === "polling" ? "polling" : "websocket";
      assert.equal(me.transport, wanted);
      assert.equal(socket.io.engine.transport.name, wanted);
    });

    test(`${on}: events and acks`, async () => {
      const socket = await connect();
      const back = once(socket, "message-back");
      socket.emit("message", "ä€😀", 1.5, { deep: [null, true] });
      assert.deepEqual(await back, ["ä€😀", 1.5, { deep: [null, true] }]);
      assert.deepEqual(await ask(socket, "message-with-ack", { a: 1 }), { a: 1 });
    });

    test(`${on}: the server asks`, async () => {
      const socket = await connect();
      socket.on("question", (arg, ack) => ack(`${arg} indeed`));
      assert.deepEqual(await ask(socket, "ask", { event: "question", arg: "well" }), { answer: ["well indeed"] });
    });

    test(`${on}: binary both ways`, async () => {
      const socket = await connect();
      const data = Buffer.from(Array.from({ length: 1000 }, (_, i) => i % 256));
      const back = once(socket, "message-back");
      socket.emit("message", "file", { data, more: [Buffer.from([0]), data] });
      const [text, received] = await back;
      assert.equal(text, "file");
      assert.deepEqual(received, { data, more: [Buffer.from([0]), data] });
      assert.deepEqual(await ask(socket, "message-with-ack", data), data);
    });

    test(`${on}: a namespace`, async () => {
      const socket = await connect("/custom");
      assert.equal((await ask(socket, "whoami")).namespace, "/custom");
    });

    test(`${on}: a namespace of a pattern`, async () => {
      const socket = await connect("/dyn-7");
      assert.equal((await ask(socket, "whoami")).namespace, "/dyn-7");
    });

    test(`${on}: 300 events arrive once and in order`, async () => {
      const socket = await connect();
      const got = [];
      const all = new Promise((resolve) => socket.on("message-back", (n) => got.push(n) === 300 && resolve()));
      for (let n = 0; n < 300; n++) socket.emit("message", n);
      await all;
      assert.deepEqual(got, Array.from({ length: 300 }, (_, n) => n));
    });
  }
}
