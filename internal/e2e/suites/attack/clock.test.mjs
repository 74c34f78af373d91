// Tokens by clocks that have jumped, or tell no time at all. (The server's own clock
// that is set, or stands still, under live sockets: TestClock… of internal/socketio.)
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { startCaddy } from "../../lib/caddy.mjs";
import { next, times, under } from "../../lib/holding.mjs";
import { Socket } from "../../lib/socket.mjs";

const SECRET = "a-secret-of-at-least-thirty-two-bytes";
const HOUR = 3600;

let server;
before(async () => {
  const auth = `auth jwt {\n  secret ${SECRET}\n  leeway 1m\n }`;
  server = await startCaddy({
    namespaces: ["namespace / {\n gateway e2e\n}", `namespace /timed {\n gateway e2e\n ${auth}\n}`],
    extra: ["limits {\n exempt 127.0.0.0/8\n}"], settings: { pingInterval: 300_000 },
  });
});
after(() => server.stop());

/** A token with these times, as they are written in JSON. */
function token(times) {
  const part = (text) => Buffer.from(text).toString("base64url");
  const text = `${part('{"alg":"HS256"}')}.${part(`{"sub":"ada"${Object.entries(times).map(([k, v]) => `,"${k}":${v}`).join("")}}`)}`;
  return `${text}.${createHmac("sha256", SECRET).update(text).digest("base64url")}`;
}

/** The answers to a CONNECT with a token, and to an event after it. */
async function enter(text) {
  const socket = await Socket.open(server);
  socket.send(`40/timed,${JSON.stringify({ token: text })}`);
  const answer = await next(socket);
  if (answer.startsWith("40")) {
    socket.send('42/timed,1["count-args"]');
    assert.equal(await next(socket), "43/timed,1[0]");
  }
  socket.close();
  return answer.slice(0, 2);
}

const seconds = (offset) => Math.floor(Date.now() / 1000) + offset;

const CLOCKS = {
  "an hour behind": [() => ({ iat: seconds(-HOUR), exp: seconds(-HOUR + 60) }), "44"],
  "an hour ahead, not valid yet": [() => ({ nbf: seconds(HOUR), exp: seconds(2 * HOUR) }), "44"],
  "ahead by less than the leeway": [() => ({ nbf: seconds(20), iat: seconds(20), exp: seconds(HOUR) }), "40"],
  "behind by less than the leeway": [() => ({ exp: seconds(-20) }), "40"],
  "before 1970": [() => ({ exp: -1 }), "44"],
  "that counts milliseconds": [() => ({ exp: Date.now() + HOUR * 1000 }), "44"],
  "beyond all numbers": [() => ({ exp: "1e400" }), "44"],
  "beyond all years": [() => ({ exp: "9223372036854775807" }), "44"],
  "that is text": [() => ({ exp: '"tomorrow"' }), "44"],
  "that ends before it begins": [() => ({ nbf: seconds(HOUR), exp: seconds(-HOUR) }), "44"],
};

for (const [name, want] of [["refused", "44"], ["taken", "40"]]) {
  const clocks = Object.entries(CLOCKS).filter(([, [, answer]]) => answer === want);
  test(`a token is ${name} of a clock ${clocks.map(([clock]) => clock).join("; ")}`, () =>
    under(server, 20, () => times(20 * clocks.length, async (i) => {
      const [clock, [claims]] = clocks[i % clocks.length];
      assert.equal(await enter(token(claims())), want, clock);
    })));
}
