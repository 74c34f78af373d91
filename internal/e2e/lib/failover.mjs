// Redis servers of which one may die: a copy takes its place, by the vote of Sentinels
// or of the servers of a Redis Cluster.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onFreePort } from "./ports.mjs";
import { Program } from "./process.mjs";
import { BINARY, Redis } from "./redis.mjs";
import { eventually } from "./wait.mjs";

// Copies are made at once, which needs no wait for others that may come.
const AT_ONCE = ["--repl-diskless-sync-delay", 0];
const COPIED = (line) => /MASTER <-> REPLICA sync: Finished with success/.test(line);

/** What watches a master by the name "main". */
class Sentinel {
  static start(master) {
    return onFreePort(async (port) => {
      const sentinel = new Sentinel();
      sentinel.port = port;
      sentinel.dir = mkdtempSync(join(tmpdir(), "sentinel-e2e-"));
      const file = join(sentinel.dir, "sentinel.conf");
      writeFileSync(file, [
        `port ${port}`, "bind 127.0.0.1", `dir ${sentinel.dir}`, `sentinel monitor main 127.0.0.1 ${master.port} 2`,
        "sentinel down-after-milliseconds main 1000", "sentinel failover-timeout main 3000", "",
      ].join("\n"));
      sentinel.program = new Program(BINARY, [file, "--sentinel"]);
      await sentinel.program.line((l) => /\+monitor master main/.test(l), "the start of a Sentinel");
      return sentinel;
    });
  }

  async stop() {
    if (this.program.child.exitCode === null && this.program.child.signalCode === null) await this.program.end("SIGKILL");
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/**
 * A master and its copy: {url, master, copy, masters, key}. `masters` are all servers
 * that have keys, and the key `key` is the master's. replaced() waits until the copy
 * is the master.
 */
class Failover {
  servers = [];

  async add(args) {
    const redis = await Redis.start([...AT_ONCE, ...args]);
    this.servers.push(redis);
    return redis;
  }

  /** Waits until the copy has what the master has. */
  async copied() {
    await this.master.commands(["SET", this.key, 1], ["WAIT", 1, 10_000]);
  }

  /** The master dies, with what runs beside it. */
  async kill() {
    for (const one of [this.master, ...(this.beside ?? [])]) await one.program.end("SIGKILL");
  }

  async stop() {
    for (const server of this.servers) await server.stop();
  }
}

/** A master with a copy, watched by three Sentinels, of which one is on the master's machine. */
export async function startSentinels() {
  const all = new Failover();
  all.key = "copied";
  all.master = await all.add([]);
  all.masters = [all.master];
  all.copy = await all.add(["--replicaof", "127.0.0.1", all.master.port]);
  await all.copy.program.line(COPIED, "the copy");
  const sentinels = [];
  for (let i = 0; i < 3; i++) {
    sentinels.push(await Sentinel.start(all.master));
    all.servers.push(sentinels[i]);
  }
  for (const { program } of sentinels) {
    const met = () => program.lines.filter((l) => /\+sentinel /.test(l)).length === 2;
    await program.line(() => met() && program.lines.some((l) => /\+slave /.test(l)), "the meeting of the Sentinels");
  }
  all.beside = sentinels.slice(0, 1);
  all.url = `redis+sentinel://${sentinels.map((s) => `127.0.0.1:${s.port}`).join(",")}/main`;
  all.replaced = async () => {
    await all.copy.program.line((l) => /MASTER MODE enabled/.test(l), "the new master", 30_000);
    all.masters = [all.copy];
  };
  return all;
}

/** A Redis Cluster of three masters, with a copy of the one that has a key and what begins with it. */
export async function startRedisCluster(key) {
  const all = new Failover();
  all.key = `{${key}}copied`;
  const options = ["--cluster-enabled", "yes", "--cluster-node-timeout", 2000];
  all.masters = [];
  for (let i = 0; i < 3; i++) all.masters.push(await all.add(options));
  all.copy = await all.add(options);
  const first = (i) => Math.floor((i * 16384) / 3);
  for (const [i, server] of all.masters.entries()) {
    await server.command("CLUSTER", "ADDSLOTSRANGE", first(i), first(i + 1) - 1);
    await server.command("CLUSTER", "SET-CONFIG-EPOCH", i + 1); // equal ones would be changed later, perhaps in an election
  }
  for (const server of all.masters) {
    for (const { port } of all.servers) await server.command("CLUSTER", "MEET", "127.0.0.1", port);
  }
  const slot = await all.copy.command("CLUSTER", "KEYSLOT", all.key);
  all.master = all.masters.findLast((_, i) => first(i) <= slot);
  const id = await all.master.command("CLUSTER", "MYID");
  await eventually(() => all.copy.command("CLUSTER", "REPLICATE", id).catch(() => false), "the copy meets its master");
  await all.copy.program.line(COPIED, "the copy");
  for (const { program } of all.servers) await program.line((l) => /Cluster state changed: ok/.test(l), "a whole cluster");
  // Who does not know the copy would not vote for it.
  const known = new RegExp(`${await all.copy.command("CLUSTER", "MYID")} \\S+ slave `);
  for (const master of all.masters) await eventually(async () => known.test(await master.command("CLUSTER", "NODES")), "all know the copy");
  all.url = `redis+cluster://${all.masters.map((m) => `127.0.0.1:${m.port}`).join(",")}`;
  all.replaced = async () => {
    await all.copy.program.line((l) => /Failover election won/.test(l), "the new master", 30_000);
    all.masters = [...all.masters.filter((m) => m !== all.master), all.copy];
  };
  return all;
}
