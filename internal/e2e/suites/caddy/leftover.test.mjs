// Bad input leaves nothing behind: neither sessions, which their limit would show,
// nor goroutines.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { ask, connected, endClients } from "../../lib/clients.mjs";
import { startCaddy } from "../../lib/caddy.mjs";
import { endpoint, http, Polling } from "../../lib/polling.mjs";
import { refusal, Socket } from "../../lib/socket.mjs";
import { eventually } from "../../lib/wait.mjs";

const PLACES = 10;
// Goroutines that Caddy may start by itself meanwhile; each test does its worst 27 times.
const SPARE = 5;
let server, bystander, quiet;
before(async () => {
  const limits = `limits {\n connections ${PLACES + 1}\n exempt 127.0.0.0/8\n}`;
  server = await startCaddy({ extra: [limits], settings: { connectTimeout: 3000, upgradeTimeout: 500, pingInterval: 300_000 } });
  bystander = await connected("v4", server);
  await allFree(); // what starts with the first connections is there now
  quiet = await goroutines();
});
after(async () => {
  endClients();
  await server.stop();
});

/** A new session. The server frees a place a moment after the client has seen its session end. */
async function open(Kind) {
  let session;
  await eventually(async () => {
    try {
      session = await Kind.open(server);
    } catch (error) {
      if (!/429/.test(error.message)) throw error;
    }
    return session;
  }, "a free place");
  return session;
}

/** All places but the bystander's can be taken, so nobody else holds one. */
async function allFree() {
  assert.equal(await ask(bystander, "count-args", 1), 1);
  const taken = [];
  await eventually(async () => {
    try {
      const socket = await Socket.open(server);
      taken.push(socket);
      await socket.connect();
    } catch {
      return false;
    }
    return taken.length >= PLACES;
  }, `${PLACES} free places`);
  for (const socket of taken) {
    socket.close();
    await socket.closed();
  }
}

/** How many goroutines the server has. */
async function goroutines() {
  const { body } = await server.admin("GET", "/debug/pprof/goroutine?debug=1");
  return Number(/total (\d+)/.exec(body)[1]);
}

const websocket = (...frames) => async () => {
  const socket = await open(Socket);
  socket.send(...frames);
  await socket.closed();
};

const polling = (body, headers) => async () => {
  const session = await open(Polling);
  await session.post(body, { headers }).catch(() => {});
  assert.equal((await session.get()).status, 400);
};

const BAD = {
  "handshakes without a version": () => http(endpoint(server, { EIO: undefined, transport: "polling" })),
  "websocket handshakes of unknown transports": () => refusal(server, { query: { transport: "abc" } }),
  "handshakes of refused origins": () => refusal(server, { headers: { origin: "https://evil.test" } }),
  "handshakes by POST": () => http(endpoint(server, { transport: "polling" }), { method: "POST", body: "4" }),
  "websockets without a key": () => http(endpoint(server, { transport: "websocket" }), { headers: { connection: "upgrade", upgrade: "websocket" } }),
  "websocket packets of no type": websocket("abc"),
  "websocket packets of no JSON": websocket("40", '42["x",'),
  "websocket messages over the limit": websocket("x".repeat(1_000_001)),
  "websocket frames that are not masked": async () => {
    const socket = await open(Socket);
    socket.ws._socket.write(Buffer.from([0x81, 0x01, 0x32]));
    await socket.closed();
  },
  "binary without an event": websocket("40", Buffer.from([1])),
  "polling packets of no type": polling("abc"),
  "polling binary bodies": polling(Buffer.from([255, 0]), { "content-type": "application/octet-stream" }),
  "polling bodies over the limit": polling("x".repeat(1_000_001)),
  "polling by an unknown method": async () => {
    const session = await open(Polling);
    assert.equal((await http(session.url, { method: "PUT" })).status, 400);
    assert.equal((await session.post("1")).status, 200);
  },
  "two polls at once": async () => {
    const session = await open(Polling);
    await Promise.all([session.get(), session.get()]);
    assert.equal((await session.get()).status, 400);
  },
  "upgrades that do not get on": async () => {
    const session = await open(Polling);
    await session.connect();
    await (await Socket.upgrade(session)).closed();
    assert.equal((await session.post("1")).status, 200);
  },
  "sessions that enter no namespace": async () => void (await (await open(Socket)).closed()),
  "events before CONNECT": websocket('42["message"]'),
  "closes right after the handshake": async () => {
    const socket = await open(Socket);
    socket.send("40");
    socket.close();
    await socket.closed();
  },
};

for (const [name, misbehave] of Object.entries(BAD)) {
  test(`${name} leave nothing behind`, async () => {
    for (let round = 0; round < 3; round++) await Promise.all(Array.from({ length: PLACES - 1 }, misbehave));
    await allFree();
    await eventually(async () => (await goroutines()) <= quiet + SPARE, `the end of all goroutines but ${quiet + SPARE}`);
  });
}

test("a handshake over the limit is answered with 429 and Retry-After", async () => {
  const taken = await Promise.all(Array.from({ length: PLACES }, () => open(Socket)));
  const answer = await http(endpoint(server, { transport: "polling" }));
  assert.equal(answer.status, 429);
  assert.match(answer.headers["retry-after"], /^\d+$/);
  assert.equal((await refusal(server)).status, 429);
  for (const socket of taken) socket.close();
  await allFree();
});
