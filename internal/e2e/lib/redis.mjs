// Redis as a process, and the servers of a cluster around it.
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createClient } from "redis";
import { startCaddy } from "./caddy.mjs";
import { onFreePort } from "./ports.mjs";
import { Program } from "./process.mjs";
import { eventually } from "./wait.mjs";

export const BINARY = process.env.REDIS_SERVER ?? "redis-server";
const NODE_SERVER = fileURLToPath(new URL("../reference/cluster.mjs", import.meta.url));

/** A Redis of its own; it may be ended and started again on its port. */
export class Redis {
  static start(args = []) {
    return onFreePort(async (port) => {
      const redis = new Redis();
      redis.dir = mkdtempSync(join(tmpdir(), "redis-e2e-"));
      redis.port = port;
      redis.args = args;
      return redis.run();
    });
  }

  get url() {
    return `redis://127.0.0.1:${this.port}`;
  }

  async run() {
    this.program = new Program(BINARY, [
      "--port", this.port, "--bind", "127.0.0.1", "--dir", this.dir, "--save", "", "--appendonly", "no", ...this.args,
    ].map(String));
    await this.program.line((l) => /Ready to accept connections/.test(l), "the start of redis");
    return this;
  }

  signal(name) {
    this.program.child.kill(name);
  }

  /** Runs one command over a connection of its own. */
  async command(...words) {
    return (await this.commands(words))[0];
  }

  /** Runs commands over a connection of their own, and gives their answers. */
  async commands(...list) {
    const client = createClient({ url: this.url });
    client.on("error", () => {});
    await client.connect();
    try {
      const texts = list.map((words) => words.map((w) => (Buffer.isBuffer(w) ? w : String(w))));
      return await Promise.all(texts.map((words) => client.sendCommand(words)));
    } finally {
      client.destroy();
    }
  }

  end(signal = "SIGKILL") {
    return this.program.end(signal);
  }

  async stop() {
    if (this.program.child.exitCode === null && this.program.child.signalCode === null) await this.end();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** A way to Redis on which everything can get lost, while no connection is closed. */
export class Way {
  dropping = false;
  #sockets = new Set();

  static async to(redis) {
    const way = new Way();
    way.server = createServer((near) => {
      const far = connect(redis.port, "127.0.0.1");
      for (const [from, to] of [[near, far], [far, near]]) {
        way.#sockets.add(from);
        from.on("data", (data) => way.dropping || to.write(data));
        from.on("error", () => {}).on("close", () => (way.#sockets.delete(from), way.dropping || to.destroy()));
      }
    });
    await new Promise((resolve) => way.server.listen(0, "127.0.0.1", resolve));
    way.url = `redis://127.0.0.1:${way.server.address().port}`;
    return way;
  }

  close() {
    this.server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** A Caddy in the cluster. */
export function caddyNode(redis, { adapter = "streams", label = "caddy", settings, options = [], url = redis.url, extra = [], port } = {}) {
  return startCaddy({
    settings, port,
    extra: [`cluster redis ${url} {\n adapter ${adapter}\n${options.map((o) => ` ${o}\n`).join("")}}`, ...extra],
    namespaces: [`namespace / {\n gateway e2e ${label}\n}`],
  });
}

/** A Socket.IO server for Node in the cluster. */
export class NodeServer {
  kind = "node";

  static start(redis, config = {}) {
    return onFreePort(async (port) => {
      const server = new NodeServer();
      server.port = port;
      server.url = `http://127.0.0.1:${port}`;
      server.program = new Program(process.execPath, [
        NODE_SERVER, JSON.stringify({ adapter: "streams", label: "node", redis: redis.url, ...config, port }),
      ]);
      await server.program.line((l) => l === "listening", "the start of the server for Node");
      return server;
    });
  }

  end(signal) {
    return this.program.end(signal);
  }

  async stop() {
    if (this.program.child.exitCode === null && this.program.child.signalCode === null) await this.end("SIGKILL");
  }
}

/** Waits until every client's server counts that many nodes. */
export async function gathered(clients, n) {
  for (const socket of clients) {
    await eventually(async () => (await socket.timeout(5000).emitWithAck("across", { do: "nodes" })) === n, `a cluster of ${n}`);
  }
}
