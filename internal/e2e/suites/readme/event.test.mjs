// The events of the README's tables that every namespace of the gateway has, whatever its rooms: what they hold and
// how they are refused. (The others are held against it beside the code of the rooms.)
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { ask, client, endClients, ready } from "../../lib/clients.mjs";
import { startCaddy } from "../../lib/caddy.mjs";
import { topLevel } from "../../lib/readme.mjs";
import { once } from "../../lib/wait.mjs";

const SECRET = "a secret of thirty-two bytes long";

/** A token of a user with further claims. */
function token(sub, claims = {}) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const head = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub, ...claims })}`;
  return `${head}.${createHmac("sha256", SECRET).update(head).digest("base64url")}`;
}

const soon = () => ({ exp: Math.floor(Date.now() / 1000) + 4 });

let server;
before(async () => {
  const extra = [`auth jwt {\n secret "${SECRET}"\n}`];
  server = await startCaddy({ extra, namespaces: ["namespace / {\n gateway webrtc\n}"] });
});
after(async () => {
  endClients();
  await server.stop();
});

/** The cells of an event's row, in the table that starts with the heading. */
function row(heading, event) {
  const table = topLevel("README.md").split(`\n| ${heading} |`)[1].split("\n\n")[0].split("\n");
  const found = table.map((line) => line.split("|").slice(1, -1)).find(([first]) => first?.includes(`\`${event}\``));
  assert.ok(found, `the README has ${event}`);
  return found;
}

/** The fields that a cell tells, as several objects of the kind have them. */
const told = (cell) => cell.match(/\{([^}]*)\}/)[1].split(", ").sort();
const seen = (...objects) => [...new Set(objects.flatMap(Object.keys))]
  .filter((field) => field !== "ok")
  .map((field) => (objects.every((object) => field in object) ? field : `${field}?`))
  .sort();
const codes = (cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code).sort();

async function user(claims) {
  const socket = client("v4", server, "/", { auth: { token: token("ada", claims) } });
  await ready(socket);
  return socket;
}

test("ping and pong", async () => {
  const socket = await user();
  assert.deepEqual(told(row("from the client", "ping")[2]), seen(await ask(socket, "ping")));
  const pong = once(socket, "pong");
  socket.emit("ping", { any: "thing" });
  assert.equal(row("from the server", "pong")[1].trim(), `\`${await pong}\``);
});

test("renew", async () => {
  const socket = await user();
  const [, payload, answer, refusals] = row("from the client", "renew");
  assert.deepEqual(told(payload), ["token"]);
  const renew = (text) => ask(socket, "renew", { token: text });
  assert.deepEqual(told(answer), seen(await renew(token("ada")), await renew(token("ada", soon()))));
  const refused = [await renew("no token"), await renew(token("eve"))].map(({ error }) => error.code);
  assert.deepEqual(codes(refusals), refused.sort());
});

test("token-expiring and exception", async () => {
  const socket = client("v4", server, "/", { auth: { token: token("ada", soon()) } });
  const expiring = once(socket, "token-expiring");
  await ready(socket);
  const [, notice] = row("from the server", "token-expiring");
  assert.deepEqual(told(notice), seen(await expiring));
  const [, exception] = row("from the server", "exception");
  const [refusal, end] = [once(socket, "exception"), once(socket, "exception", { when: ({ event }) => !event })];
  socket.emit("leave", { room: "none" });
  assert.deepEqual(told(exception), seen(await refusal, await end));
  assert.ok(exception.includes(`\`${(await end).code}\``));
});
