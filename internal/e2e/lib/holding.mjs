// What a Caddy holds, and how much it takes at most while something happens.
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { Socket } from "./socket.mjs";
import { eventually } from "./wait.mjs";

const MB = 2 ** 20;

/** One value of the Prometheus text, the sum over all labels. */
export async function metric(server, name, labels = "") {
  const { body } = await server.admin("GET", "/metrics");
  const values = body.split("\n").filter((l) => l.startsWith(name) && /[ {]/.test(l[name.length]) && l.includes(labels));
  return values.reduce((sum, l) => sum + Number(l.slice(l.lastIndexOf(" "))), 0);
}

/** Sessions, sockets, rooms, live namespaces, goroutines, and the heap in MB after a collection. */
export async function holding(server) {
  const profile = async (path) => (await server.admin("GET", `/debug/pprof/${path}`)).body;
  const { sessions, sockets } = (await server.admin("GET", "/socketio/")).body.servers[0];
  const { namespaces } = (await server.admin("GET", "/socketio/default/namespaces")).body;
  const heap = Number((await profile("heap?gc=1&debug=1")).match(/# HeapAlloc = (\d+)/)[1]) / MB;
  const goroutines = Number((await profile("goroutine?debug=1")).match(/total (\d+)/)[1]);
  return { sessions, sockets, rooms: namespaces.reduce((sum, ns) => sum + ns.rooms, 0), namespaces: namespaces.length, goroutines, heap };
}

// Connections of the tests' own requests and Go's runtime account for a few.
const SPARE_GOROUTINES = 8;
const SPARE_MB = 3;

/** Waits until the server holds no more than it did before. */
export async function nothingLeft(server, before) {
  let now;
  await eventually(async () => {
    now = await holding(server);
    return ["sessions", "sockets", "rooms", "namespaces"].every((what) => now[what] <= before[what]) &&
      now.goroutines <= before.goroutines + SPARE_GOROUTINES && now.heap <= before.heap + SPARE_MB;
  }, "nothing left").catch((error) => assert.fail(`${error.message}: ${JSON.stringify({ before, now })}`));
}

/**
 * Carries an attack out beside a bystander, who must be served all the time, and
 * checks that the heap never takes more than `bound` MB on top of what it did
 * before, garbage included, and that nothing is left in the end.
 */
export async function under(server, bound, attack) {
  const bystander = await Socket.open(server);
  bystander.beating = true; // also while it waits for the metrics
  await bystander.connect();
  const before = await holding(server);
  let highest = before.heap;
  let over = false;
  const watch = (async () => {
    for (let n = 1; !over; n++) {
      highest = Math.max(highest, await metric(server, "go_memstats_heap_inuse_bytes") / MB);
      bystander.send(`42${n}["count-args",1,2]`);
      assert.equal(await next(bystander), `43${n}[2]`);
      await pause(30);
    }
  })();
  try {
    await Promise.race([attack(), watch]);
  } finally {
    over = true;
  }
  await watch;
  assert.ok(highest <= before.heap + bound, `the heap went from ${before.heap.toFixed(1)} to ${highest.toFixed(1)} MB`);
  await nothingLeft(server, before);
  bystander.close();
}

/** The next packet but heartbeats, which are answered. */
export async function next(socket) {
  for (;;) {
    const packet = await socket.receive("the next packet");
    if (packet !== "2") return packet;
    socket.send("3");
  }
}

/** Does something n times, some at once. */
export async function times(n, work, atOnce = 50) {
  let next = 0;
  await Promise.all(Array.from({ length: Math.min(n, atOnce) }, async () => {
    while (next < n) await work(next++);
  }));
}
