// A reload drops nobody and loses nothing, whichever way it comes.
import { afterEach, test } from "node:test";
import assert from "node:assert/strict";
import { Agent } from "node:http";
import { ask, connected, endClients } from "../../lib/clients.mjs";
import { startCaddy } from "../../lib/caddy.mjs";
import { directive, NAMESPACES } from "../../lib/caddyfile.mjs";
import { Crowd } from "../../lib/crowd.mjs";
import { Polling } from "../../lib/polling.mjs";
import { Socket } from "../../lib/socket.mjs";
import { once } from "../../lib/wait.mjs";

let server;
afterEach(async () => {
  endClients();
  await server.stop();
});

const EXTRA = ["limits {\n exempt 127.0.0.0/8\n}"];

/** The site, in which only the label of the gateways differs. */
function site(label) {
  const namespaces = NAMESPACES.map((ns) => ns.replace("gateway e2e", `gateway e2e ${label}`));
  return directive({ extra: EXTRA, namespaces, settings: { pingInterval: 300_000, upgradeTimeout: 300_000 } });
}

const byCommand = (label) => server.reload({ site: site(label) });

const byLoad = (label) => server.load({ site: site(label) });

/** The label is "v" and how many reloads there have been with this one. */
async function bySignal(label) {
  server.write({ site: site(label) });
  server.program.child.kill("SIGUSR1");
  let reloads = 0;
  const last = (line) => /successfully reloaded config/.test(line.msg ?? "") && `v${++reloads}` === label;
  await server.program.line(last, "the reload by signal");
}

for (const [size, name, reload] of [[1000, "caddy reload", byCommand], [200, "POST /load", byLoad], [200, "SIGUSR1", bySignal]]) {
  test(`${size} clients, 20 times ${name}`, async (t) => {
    server = await startCaddy({ site: site("v0") });
    const namespaces = ["/", "/custom", "/dyn-1"];
    // Connections that are used again, as those of browsers.
    const agent = new Agent({ keepAlive: true });
    const crowd = await Crowd.gather(server, { size: size - 80, climbers: 60, holders: 20, namespaces, agent });
    for (let i = 1; i <= 20; i++) {
      await crowd.talk();
      await crowd.hold();
      const reloaded = reload(`v${i}`);
      await crowd.talk();
      await reloaded;
      await crowd.talk();
      await crowd.release();
      await crowd.settle();
      await crowd.climb(3);
    }
    await crowd.talk();
    await crowd.settle();
    await crowd.roomsKept();
    const retries = crowd.pollings.reduce((sum, p) => sum + p.retries, 0);
    const events = crowd.announced * crowd.members.length;
    t.diagnostic(`${events} events and as many broadcasts; ${retries} requests hit a closing listener or connection`);
    assert.deepEqual(crowd.websockets.filter((s) => s.ws.readyState !== 1), []);
    const socket = await connected("v4", server);
    assert.equal(await ask(socket, "label"), "v20");
    crowd.leave();
    agent.destroy();
  });
}

test("stock clients notice nothing but the new gateway", async () => {
  server = await startCaddy({ site: site("v0") });
  const sockets = await Promise.all(["v4", "v3"].flatMap((version) => ["/", "/custom", "/dyn-1"].map((ns) =>
    connected(version, server, ns, { transports: ["websocket"] }))));
  const dropped = [];
  for (const socket of sockets) socket.on("disconnect", (reason) => dropped.push(reason));
  const ids = sockets.map((s) => s.id);
  await Promise.all(sockets.map((s) => ask(s, "join", "kept")));
  for (let i = 1; i <= 5; i++) {
    await server.reload({ site: site(`v${i}`) });
    assert.deepEqual(await Promise.all(sockets.map((s) => ask(s, "label"))), sockets.map(() => `v${i}`));
  }
  assert.deepEqual(await Promise.all(sockets.map((s) => ask(s, "rooms"))), sockets.map(() => ["kept"]));
  assert.deepEqual(sockets.map((s) => s.id), ids);
  assert.deepEqual(dropped, []);
});

test("acks in flight arrive after a reload", async () => {
  server = await startCaddy({ site: site("v0") });
  const [waiter, opener] = await Promise.all([connected("v4", server), connected("v4", server)]);
  await ask(opener, "join", "observers");
  const waiting = once(opener, "waiting");
  const passed = ask(waiter, "wait", "gate");
  await waiting;
  const answer = ask(opener, "ask", { event: "question" });
  const [, reply] = await once(opener, "question");
  await server.reload({ site: site("v1") });
  reply("from before");
  assert.deepEqual(await answer, { answer: ["from before"] });
  assert.equal(await ask(opener, "open", "gate"), "opened");
  assert.equal(await passed, "passed");
});

test("a departure after reloads is told once", async () => {
  server = await startCaddy({ site: site("v0") });
  const [observer, leaver] = await Promise.all([connected("v4", server), connected("v4", server)]);
  await ask(observer, "join", "observers");
  const told = [];
  observer.on("departed", ({ id }) => told.push(id));
  for (const label of ["v1", "v2"]) await server.reload({ site: site(label) });
  const departure = (id) => once(observer, "departed", { when: (d) => d.id === id });
  const { id } = leaver;
  const first = departure(id);
  leaver.disconnect();
  await first;
  // Another one, behind which a second word of the first would come.
  const last = await connected("v4", server);
  const end = departure(last.id);
  last.disconnect();
  await end;
  assert.deepEqual(told.filter((t) => t === id), [id]);
});

test("sessions in the middle of an upgrade get through", async () => {
  server = await startCaddy({ site: site("v0") });
  for (const step of ["before the probe", "after the probe"]) {
    const polling = await Polling.open(server);
    await polling.connect();
    const socket = await Socket.upgrade(polling);
    if (step === "before the probe") await server.reload({ site: site(step.replaceAll(" ", "-")) });
    socket.send("2probe");
    assert.equal(await socket.receive(), "3probe");
    if (step === "after the probe") await server.reload({ site: site(step.replaceAll(" ", "-")) });
    socket.send("5", '42["message",1]');
    assert.equal(await socket.receive(), '42["message-back",1]', step);
    socket.close();
  }
});

test("a poll that waits during a reload gets its packet", async () => {
  server = await startCaddy({ site: site("v0") });
  const polling = await Polling.open(server);
  await polling.connect();
  const { answer } = await polling.waitingGet();
  await server.reload({ site: site("v1") });
  await polling.send('42["message",1]');
  assert.equal((await answer).body, '42["message-back",1]');
});
