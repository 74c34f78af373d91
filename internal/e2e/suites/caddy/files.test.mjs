// serve_client: the files of the JavaScript client below the path, as the
// reference server serves them.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { http } from "../../lib/polling.mjs";
import { startCaddy } from "../../lib/caddy.mjs";
import { directive } from "../../lib/caddyfile.mjs";

const DIST = fileURLToPath(new URL("../../node_modules/socket.io-client/dist/", import.meta.url));

let server;
before(async () => {
  server = await startCaddy({ site: `encode gzip\n${directive({ extra: [`serve_client ${DIST}`] })}\nrespond next` });
});
after(() => server.stop());

const file = (name, options) => http(`${server.url}/socket.io/${name}`, options);

for (const name of ["socket.io.js", "socket.io.min.js", "socket.io.esm.min.js", "socket.io.msgpack.min.js"]) {
  test(`${name} and its map are served whole`, async () => {
    const script = await file(name);
    assert.equal(script.status, 200);
    assert.equal(script.body, readFileSync(DIST + name, "utf8"));
    assert.match(script.headers["content-type"], /^text\/javascript/);
    assert.equal(script.headers["cache-control"], "public, max-age=0");
    assert.equal(script.headers["x-content-type-options"], "nosniff");
    assert.equal(script.headers["cross-origin-resource-policy"], undefined, "pages of other sites may load it");
    const map = await file(`${name}.map`);
    assert.equal(map.body, readFileSync(`${DIST}${name}.map`, "utf8"));
    assert.match(map.headers["content-type"], /^application\/json/);
  });
}

test("who has the file is told so", async () => {
  const { etag } = (await file("socket.io.js")).headers;
  assert.match(etag, /^"\w+"$/);
  const again = await file("socket.io.js", { headers: { "if-none-match": etag } });
  assert.deepEqual([again.status, again.body, again.headers.etag], [304, "", etag]);
  assert.equal((await file("socket.io.js", { headers: { "if-none-match": '"older"' } })).status, 200);
});

test("HEAD has no body, other methods are not allowed", async () => {
  const head = await file("socket.io.js", { method: "HEAD" });
  assert.deepEqual([head.status, head.body], [200, ""]);
  const post = await file("socket.io.js", { method: "POST" });
  assert.deepEqual([post.status, post.headers.allow], [405, "GET, HEAD"]);
});

test("no other file is served, and none of the directory around", async () => {
  for (const name of ["socket.io.mjs", "other.js", "../package.json", "..%2fpackage.json", "socket.io.js/", "broadcast-operator.d.ts"]) {
    assert.equal((await file(name)).body, "next", name);
  }
});
