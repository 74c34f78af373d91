// A JWKS server that hangs, lies or disappears. (Each answer and each rate by itself:
// caddymodule/auth, in synctest's time.)
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { generateKeyPairSync, sign } from "node:crypto";
import { startCaddy } from "../../lib/caddy.mjs";
import { next, times, under } from "../../lib/holding.mjs";
import { Socket } from "../../lib/socket.mjs";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const KEYS = JSON.stringify({ keys: [{ ...publicKey.export({ format: "jwk" }), kid: "one", alg: "EdDSA", use: "sig" }] });

/** A valid token of a key id. */
function token(kid) {
  const part = (o) => Buffer.from(JSON.stringify(o)).toString("base64url");
  const text = `${part({ alg: "EdDSA", kid })}.${part({ sub: "ada", exp: Math.floor(Date.now() / 1000) + 600 })}`;
  return `${text}.${sign(null, Buffer.from(text), privateKey).toString("base64url")}`;
}

const ISSUERS = {
  "hangs": () => {},
  "hangs in the middle": (res) => res.writeHead(200, { "content-length": 1000 }).write("{"),
  "sends without end": (res) => {
    const flood = setInterval(() => res.write("x".repeat(100_000)), 1);
    res.on("close", () => clearInterval(flood));
  },
  "answers with a page": (res) => res.end("<html>Sign in</html>"),
  "answers with other keys": (res) => res.end(JSON.stringify({ keys: [{ ...JSON.parse(KEYS).keys[0], kid: "other" }] })),
  "answers with a secret for a key": (res) => res.end(JSON.stringify({ keys: [{ kty: "oct", k: "AAAA", kid: "one", alg: "EdDSA" }] })),
  "answers with 500": (res) => res.writeHead(500).end(KEYS),
  "redirects for ever": (res, req) => res.writeHead(302, { location: req.url }).end(),
  "hangs up": (res) => res.destroy(),
};

// Each issuer is a path of one server, and has a namespace of its own.
const NAMES = [...Object.keys(ISSUERS), "turns"];
const asked = NAMES.map(() => 0);
let turn = (res) => res.end(KEYS);

let issuer, server;
before(async () => {
  issuer = createServer((req, res) => {
    const i = Number(req.url.slice(1));
    asked[i]++;
    (ISSUERS[NAMES[i]] ?? turn)(res, req);
  });
  await new Promise((resolve) => issuer.listen(0, "127.0.0.1", resolve));
  const jwks = `http://127.0.0.1:${issuer.address().port}`;
  const guarded = NAMES.map((_, i) => `namespace /issuer-${i} {\n gateway e2e\n auth jwt {\n  jwks ${jwks}/${i}\n }\n}`);
  server = await startCaddy({
    namespaces: ["namespace / {\n gateway e2e\n}", ...guarded],
    extra: ["limits {\n exempt 127.0.0.0/8\n}"], settings: { pingInterval: 300_000 },
  });
});
after(async () => {
  await server.stop();
  issuer.closeAllConnections();
  issuer.close();
});

/** The answer to a CONNECT with a token, without the namespace. */
async function enter(i, kid) {
  const socket = await Socket.open(server);
  socket.send(`40/issuer-${i},${JSON.stringify({ token: token(kid) })}`);
  const answer = await next(socket);
  socket.close();
  return [answer.slice(0, 2), JSON.parse(answer.slice(answer.indexOf("{")))];
}

const REFUSED = ["44", { message: "unauthorized", data: { code: "unauthorized" } }];

test("issuers that hang and lie let nobody in, and hold nobody up", () =>
  under(server, 40, async () => {
    const failed = await Promise.allSettled(Object.keys(ISSUERS).map((_, i) =>
      times(30, async (n) => assert.deepEqual(await enter(i, n % 2 ? "one" : `made-up-${n}`), REFUSED))));
    for (const [i, { reason }] of failed.entries()) assert.equal(reason, undefined, `the issuer that ${NAMES[i]}: ${reason}`);
    // Not once for each token; a redirect is followed a few times.
    for (const [i, n] of asked.slice(0, -1).entries()) assert.ok(n > 0 && n <= 12, `the issuer that ${NAMES[i]} was asked ${n} times`);
  }));

test("an issuer that disappears, or begins to lie, leaves those with its keys in", () =>
  under(server, 30, async () => {
    const i = NAMES.indexOf("turns");
    assert.equal((await enter(i, "one"))[0], "40");
    for (const worse of [ISSUERS["hangs up"], ISSUERS["answers with a page"], ISSUERS["answers with other keys"]]) {
      turn = worse;
      assert.deepEqual(await enter(i, "unknown"), REFUSED);
      assert.equal((await enter(i, "one"))[0], "40");
    }
  }));
