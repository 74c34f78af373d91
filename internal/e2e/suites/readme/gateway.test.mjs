// The gateways of the README, built in by the script: that of 20 lines, and the one
// that was a NestJS gateway.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { ask, connected, endClients } from "../../lib/clients.mjs";
import { startCaddy } from "../../lib/caddy.mjs";
import { block } from "../../lib/readme.mjs";
import { once } from "../../lib/wait.mjs";

let server;
before(async () => {
  const chat = block("caddyfile", "gateway chat");
  server = await startCaddy({ namespaces: [chat, chat.replaceAll("chat", "nest")] });
});
after(async () => {
  endClients();
  await server.stop();
});

test("the guest gateway answers, and tells the others", async () => {
  const [ada, bob] = [await connected("v4", server, "/chat"), await connected("v4", server, "/chat")];
  const heard = once(bob, "said");
  assert.equal(await ask(ada, "say", "hello"), "said");
  assert.equal(await heard, "hello");
});

test("what was a NestJS gateway serves its clients as before", async () => {
  const [ada, bob] = [await connected("v4", server, "/nest"), await connected("v4", server, "/nest")];
  const [said, heard] = [once(bob, "said"), once(ada, "heard")];
  ada.emit("say", "hello");
  assert.equal(await said, "hello");
  assert.equal(await heard, "hello");
  const exception = once(ada, "exception");
  ada.emit("say", "");
  assert.equal((await exception).code, "empty");
});
