// Tokens that run out: told in time, renewed on the live socket by the same user,
// and otherwise the end; across lost connections and changed keys as well.
import { after, before, beforeEach, test } from "node:test";
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { ask, client, connected, endClients, ready, refused } from "../../lib/clients.mjs";
import { startCaddy } from "../../lib/caddy.mjs";
import { NAMESPACES, directive } from "../../lib/caddyfile.mjs";
import { once } from "../../lib/wait.mjs";

const SECRETS = ["the-first-secret-of-at-least-32-bytes", "the-second-secret-of-at-least-32-bytes"];
// In seconds: long enough to be renewed on a busy machine, short enough to wait for.
const SHORT = 5;
const LONG = 600;

/** A token of a user for so many seconds, with further claims. */
function token(user, seconds = LONG, secret = SECRETS[0], claims = {}) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const text = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub: user, exp: Math.floor(Date.now() / 1000) + seconds, ...claims })}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

const site = (secret, host = "host") => directive({
  settings: { recovery: 60_000 },
  extra: [`auth jwt {\n secret ${secret}\n}`],
  namespaces: [...NAMESPACES, `namespace /hosts {\n gateway webrtc {\n  host claim role ${host}\n }\n}`],
});

let server;
before(async () => (server = await startCaddy({ site: site(SECRETS[0]) })));
beforeEach(() => server.reload({ site: site(SECRETS[0]) }));
after(async () => {
  endClients();
  await server.stop();
});

/** A connected client; auth.token may be changed for its next connection. */
async function user(name, seconds, { namespace = "/", ...options } = {}) {
  const auth = { token: token(name, seconds) };
  const socket = client("v4", server, namespace, { auth: (give) => give({ ...auth }), ...options });
  const expiring = once(socket, "token-expiring").then(first);
  expiring.catch(() => {}); // a long token's comes after the test
  await ready(socket);
  return Object.assign(socket, { credentials: auth, expiring });
}

/** An event's own argument: with recovery an offset follows it. */
const first = (args) => [args].flat()[0];

/** How a socket ends: the reason it was told, and the client's. */
async function end(socket) {
  const [exception, reason] = await Promise.all([once(socket, "exception"), once(socket, "disconnect")]);
  return [first(exception).code, first(reason)];
}

const ENDED = ["token-expired", "io server disconnect"];

/** Breaks the transport, and comes back with another token. */
async function again(socket, next) {
  const lost = once(socket, "disconnect");
  socket.io.engine.close();
  await lost;
  socket.credentials.token = next;
  const back = ready(socket);
  socket.connect();
  await back;
}

for (const transports of [["polling"], ["websocket"]]) {
  test(`${transports}: who renews stays, who does not is closed with the reason`, async () => {
    const [keeps, lapses] = await Promise.all(["ada", "bob"].map((name) => user(name, SHORT, { transports })));
    const over = end(lapses);
    const { expires } = await keeps.expiring;
    assert.ok(expires > Date.now() && expires <= Date.now() + SHORT * 1000, "token-expiring tells the end");
    const answer = await ask(keeps, "renew", { token: token("ada") });
    assert.equal(answer.ok, true);
    assert.ok(answer.expires > Date.now() + SHORT * 1000);
    assert.deepEqual(await over, ENDED); // and thereby past the first token of the other
    assert.equal((await ask(keeps, "whoami")).identity.ID, "ada");
    assert.ok(keeps.connected);
  });
}

test("only the same user's valid token renews, and a refused one changes nothing", async () => {
  const socket = await user("ada", SHORT);
  const over = end(socket);
  for (const [bad, code] of [
    [token("eve"), "forbidden"],
    [token("ada", -1), "unauthorized"],
    [token("ada", LONG, SECRETS[1]), "unauthorized"],
    [token("ada").replace(/\.[^.]*\./, `.${Buffer.from('{"sub":"ada"}').toString("base64url")}.`), "unauthorized"],
    [`${Buffer.from('{"alg":"none"}').toString("base64url")}.${token("ada").split(".")[1]}.`, "unauthorized"],
    ["not a token", "unauthorized"],
    [7, "invalid-payload"],
  ]) {
    assert.equal((await ask(socket, "renew", { token: bad })).error?.code, code);
  }
  assert.equal((await ask(socket, "whoami")).identity.ID, "ada");
  assert.deepEqual(await over, ENDED);
  const line = await server.program.line((l) => l.msg === "renewal refused" && l.reason === "other_user", "the line of another user's token");
  assert.equal(line.user, "ada");
  assert.ok(!JSON.stringify(server.logs).includes(token("eve").split(".")[2]), "no signature is in the log");
});

test("a bad token is unauthorized, with the reason in the log alone", async () => {
  for (const [bad, cause] of [
    [token("ada", -60), /expired/],
    [token("ada", LONG, SECRETS[1]), /signature/],
    ["x".repeat(9000), /more than 8192/],
    [undefined, /no token/],
  ]) {
    const error = await refused(client("v4", server, "/", { auth: { token: bad } }));
    assert.equal(error.message, "unauthorized");
    assert.deepEqual(error.data, { code: "unauthorized" });
    await server.program.line((l) => l.msg === "connection refused" && l.reason === "unauthorized" && cause.test(l.cause), `a line with ${cause}`);
  }
});

test("recovery takes the new token's end, and no other user's token", async () => {
  const [socket, witness] = await Promise.all([user("ada", SHORT), user("bob", SHORT)]);
  const over = end(witness);
  const { id } = socket;
  await again(socket, token("ada"));
  assert.deepEqual([socket.id, socket.recovered], [id, true]);
  assert.deepEqual(await over, ENDED);
  assert.equal((await ask(socket, "whoami")).identity.ID, "ada");
  await assert.rejects(again(socket, token("eve")), /unauthorized/);
});

test("a peer resumes its place with a renewed token of the same user", async () => {
  const room = { room: "resumed" };
  const [ada, witness] = await Promise.all(["ada", "bob"].map((name) => user(name, SHORT, { namespace: "/webrtc" })));
  const over = end(witness);
  const { self, resume } = await ask(ada, "join", room);
  await again(ada, token("ada"));
  const answer = await ask(ada, "join", { ...room, resume });
  assert.deepEqual([answer.resumed, answer.self.id], [true, self.id]);
  assert.deepEqual(await over, ENDED);
  assert.equal((await ask(ada, "peers", room)).ok, true);
  const eve = await user("eve", LONG, { namespace: "/webrtc" });
  const stolen = await ask(eve, "join", { ...room, resume: answer.resume });
  assert.equal(stolen.resumed, false);
});

test("a role that a renewed token or a new rule gives is told to the room", async () => {
  const room = { room: "hosts" };
  const [ada, bob] = await Promise.all(["ada", "bob"].map((name) => user(name, LONG, { namespace: "/hosts" })));
  const { self } = await ask(ada, "join", room);
  await ask(bob, "join", room);
  const told = () => Promise.all([ada, bob].map((socket) => once(socket, "moderation").then(first)));
  const promoted = { ...room, action: "promote", by: null, peer: self.id };
  for (const change of [
    () => ask(ada, "renew", { token: token("ada", LONG, SECRETS[0], { role: ["host", "chair"] }) }),
    async () => {
      await ask(ada, "renew", { token: token("ada", LONG, SECRETS[0], { role: "chair" }) });
      assert.equal((await ask(bob, "peers", room)).peers[0].role, "member");
      await server.reload({ site: site(SECRETS[0], "chair") });
    },
  ]) {
    const news = told();
    await change();
    assert.deepEqual(await news, [promoted, promoted]);
    assert.equal((await ask(bob, "peers", room)).peers[0].role, "host");
  }
});

test("changed keys count from the next renewal on", async () => {
  const socket = await user("ada", LONG);
  await server.reload({ site: site(SECRETS[1]) });
  assert.equal((await ask(socket, "renew", { token: token("ada") })).error?.code, "unauthorized");
  assert.equal((await ask(socket, "renew", { token: token("ada", LONG, SECRETS[1]) })).ok, true);
  assert.equal((await refused(client("v4", server, "/", { auth: { token: token("ada") } }))).message, "unauthorized");
  await connected("v4", server, "/", { auth: { token: token("ada", LONG, SECRETS[1]) } });
  assert.ok(socket.connected);
});
