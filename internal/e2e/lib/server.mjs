// The server under test: Caddy, or the reference server by which the suites
// themselves are judged.
import { fileURLToPath } from "node:url";
import { startCaddy } from "./caddy.mjs";
import { onFreePort } from "./ports.mjs";
import { Program } from "./process.mjs";

const SCRIPT = fileURLToPath(new URL("../reference/server.mjs", import.meta.url));

/** "caddy", or "reference" when the suites run against the reference server. */
export const KIND = process.env.E2E_SERVER ?? "caddy";

/**
 * Where the reference server deviates from the protocol or from what we promise:
 * gives its value there, ours elsewhere. The reason is for readers.
 */
export function deviation(ours, { reference, because }) {
  if (!because) throw new Error("a deviation needs its reason");
  return KIND === "reference" ? reference : ours;
}

class Reference {
  kind = "reference";

  constructor(port, settings) {
    this.port = port;
    this.settings = settings;
    this.url = `http://127.0.0.1:${port}`;
  }

  async start() {
    const config = JSON.stringify({ port: this.port, settings: this.settings });
    this.program = new Program(process.execPath, [SCRIPT, config]);
    await this.program.line((l) => l === "listening", "the reference server's start");
    return this;
  }

  end(signal) {
    return this.program.end(signal);
  }

  async stop() {
    if (this.program.child.exitCode === null && this.program.child.signalCode === null) await this.program.end("SIGKILL");
  }
}

/** Starts the server under test with settings named as the reference server's are. */
export async function startServer(settings = {}) {
  if (KIND === "caddy") return startCaddy({ settings });
  return onFreePort((port) => new Reference(port, settings).start());
}
