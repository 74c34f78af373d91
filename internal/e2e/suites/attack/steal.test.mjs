// Session ids that are guessed, leaked or stolen.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import { request } from "node:http";
import { startCaddy } from "../../lib/caddy.mjs";
import { directive } from "../../lib/caddyfile.mjs";
import { metric, next, times, under } from "../../lib/holding.mjs";
import { endpoint, http, Polling } from "../../lib/polling.mjs";
import { refusal, Socket } from "../../lib/socket.mjs";
import { within } from "../../lib/wait.mjs";

const USERS = "basic_auth bcrypt {\n alice $2a$04$Y7VQ1dHD.kHVTVbyIYwIc.hZFu1KFJXProQqq8kEz8w67zmIg9qBu\n" +
  " bob $2a$04$iPTOcvHdNtlO2Fk0R0925u29YJQ5hFb/bWcRTfiLdXVIiFnp257vm\n}";
const as = (name) => ({ authorization: `Basic ${Buffer.from(`${name}:${name}`).toString("base64")}` });
const OTHER_USER = { code: 4, message: "Forbidden" };

const SECRET = "a-secret-of-at-least-thirty-two-bytes";

/** A token of a user, the nth. */
function token(user, n = 0) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const text = `${part({ alg: "HS256" })}.${part({ sub: user, exp: Math.floor(Date.now() / 1000) + 600 + n })}`;
  return `${text}.${createHmac("sha256", SECRET).update(text).digest("base64url")}`;
}

let open, users, tokens;
before(async () => {
  const extra = ["limits {\n exempt 127.0.0.0/8\n}"];
  const settings = { pingInterval: 300_000 };
  open = await startCaddy({ extra, settings });
  // The names are asked for on the way in, so that the bystander of `under` needs none.
  users = await startCaddy({ site: `@named header Authorization *\nbasic_auth @named ${USERS.slice("basic_auth ".length)}\n${directive({ extra, settings })}` });
  // The bystander's namespace is open to all.
  const namespaces = ["namespace / {\n gateway e2e\n}", `namespace /users {\n gateway e2e\n auth jwt {\n  secret ${SECRET}\n  cookie session\n }\n}`];
  tokens = await startCaddy({ extra, settings, namespaces });
});
after(() => Promise.all([open.stop(), users.stop(), tokens.stop()]));

test("500 guesses on both transports find nothing", () =>
  under(open, 20, async () => {
    const victim = await Polling.open(open);
    await victim.connect();
    const before = await metric(open, "caddy_socketio_refusals_total", "unknown_session");
    const near = (i) => victim.sid.slice(0, -1) + String.fromCharCode(victim.sid.charCodeAt(victim.sid.length - 1) ^ (i % 2 + 1));
    const made = [() => randomBytes(21).toString("base64url"), near, (i) => victim.sid.toLowerCase() + i, () => "", () => "../admin",
      () => `${victim.sid}\0`, () => victim.sid.slice(0, 20), () => "x".repeat(5000)];
    await times(500, async (i) => {
      const sid = made[i % made.length](i);
      if (sid === victim.sid) return;
      if (i % 5 === 0) return void assert.equal((await refusal(open, { query: { sid: sid || "0" } })).status, 400);
      const answer = await http(endpoint(open, { transport: "polling", sid: sid || "0" }));
      assert.equal(answer.status, 400);
      assert.deepEqual(JSON.parse(answer.body), { code: 1, message: "Session ID unknown" });
      assert.ok(!answer.body.includes(victim.sid));
    });
    assert.ok(await metric(open, "caddy_socketio_refusals_total", "unknown_session") - before > 400);
    await victim.send('421["count-args",1]');
    assert.equal(await victim.receive(), "431[1]");
    await victim.send("1");
  }));

test("a session's id does not work for another user, nor for nobody", () =>
  under(users, 20, async () => {
    const alice = await Polling.open(users, { headers: as("alice") });
    const own = { headers: as("alice") };
    await alice.post("40", own);
    assert.match((await alice.get(own)).body, /^40\{/);
    for (const headers of [as("bob"), {}]) {
      for (const options of [{}, { method: "POST", body: '42["message","forged"]' }]) {
        const answer = await http(alice.url, { ...options, headers });
        assert.equal(answer.status, 403);
        assert.deepEqual(JSON.parse(answer.body), OTHER_USER);
      }
      assert.equal((await refusal(users, { query: { sid: alice.sid }, headers })).status, 403);
    }
    await alice.post('421["count-args",1]', own);
    assert.equal((await alice.get(own)).body, "431[1]");
    await alice.post("1", own);
  }));

test("a session's id does not work with another user's token, nor without", () =>
  under(tokens, 20, () => times(10, async (i) => {
    const as = (text) => ({ headers: { cookie: `theme=dark; session=${text}` } });
    const own = as(token("alice"));
    const alice = await Polling.open(tokens, own);
    const eve = as(token("eve"));
    const forged = as(token("alice", 1).replace(/.$/, (c) => (c === "A" ? "B" : "A")));
    const refusedAll = async () => {
      for (const { headers } of [eve, forged, { headers: {} }]) {
        for (const options of [{}, { method: "POST", body: "40/users," }]) {
          const answer = await http(alice.url, { ...options, headers });
          assert.equal(answer.status, 403);
          assert.deepEqual(JSON.parse(answer.body), OTHER_USER);
        }
        assert.equal((await refusal(tokens, { query: { sid: alice.sid }, headers })).status, 403);
      }
    };
    await refusedAll();
    await alice.post("40/users,", own);
    assert.match((await alice.get(own)).body, /^40\/users,/);
    await refusedAll();
    const renewed = as(token("alice", 1));
    await alice.post('42/users,1["count-args",1]', renewed);
    assert.match((await alice.get(renewed)).body, /43\/users,1\[1\]$/);
    const socket = new Socket(tokens, { query: { sid: alice.sid }, headers: i % 2 ? own.headers : renewed.headers });
    await within(socket.opened, "the user's own upgrade");
    socket.send("2probe");
    assert.equal(await socket.receive(), "3probe");
    socket.send("5", '42/users,2["count-args"]');
    assert.equal(await next(socket), "43/users,2[0]");
    socket.close();
  })));

test("a session's id works from another address: mobile clients change theirs", () =>
  under(open, 20, async () => {
    const polling = await Polling.open(open);
    await polling.connect();
    const elsewhere = (method, body) => within(new Promise((resolve, reject) => {
      const req = request(polling.url, { method, localAddress: "127.0.0.8", agent: false }, (res) => {
        let text = "";
        res.setEncoding("utf8").on("data", (part) => (text += part)).on("end", () => resolve(text));
      });
      req.on("error", reject).end(body);
    }), "an answer from elsewhere");
    assert.equal(await elsewhere("POST", '421["count-args",1]'), "ok");
    assert.equal(await elsewhere("GET"), "431[1]");
    const socket = new Socket(open, { query: { sid: polling.sid }, localAddress: "127.0.0.7" });
    await within(socket.opened, "an upgrade from elsewhere");
    socket.send("2probe");
    assert.equal(await socket.receive(), "3probe");
    socket.send("5", '422["count-args"]');
    assert.equal(await next(socket), "432[0]");
    socket.close();
  }));

test("the id of a websocket gives nobody a second transport", () =>
  under(open, 20, async () => {
    const socket = await Socket.open(open);
    await socket.connect();
    const { sid } = socket.handshake;
    for (const options of [{}, { method: "POST", body: '42["message"]' }]) {
      assert.equal((await http(endpoint(open, { transport: "polling", sid }), options)).status, 400);
    }
    assert.equal((await refusal(open, { query: { sid } })).status, 400);
    assert.equal((await http(endpoint(open, { transport: "polling", sid, EIO: 3 }))).status, 400);
    socket.send('421["count-args"]');
    assert.equal(await next(socket), "431[0]");
    socket.close();
  }));
