// coturn as a process: a TURN server that shares a secret with the gateway.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onFreePort } from "./ports.mjs";
import { Program } from "./process.mjs";

/** A TURN server on a port of the loopback interface; `url` is what clients are given. */
export class TurnServer {
  static async start(secret) {
    return onFreePort(async (port) => {
      const server = new TurnServer();
      server.url = `turn:127.0.0.1:${port}?transport=udp`;
      server.dir = mkdtempSync(join(tmpdir(), "turn-e2e-"));
      const args = [
        "-n", // no configuration file
        "--use-auth-secret", `--static-auth-secret=${secret}`, "--realm=e2e.test", "--fingerprint",
        "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", `--listening-port=${port}`, "--allow-loopback-peers",
        "--no-tls", "--no-dtls", "--no-tcp", "--no-cli", "--no-rfc5780", "--log-file=stdout", "--verbose",
        `--pidfile=${join(server.dir, "pid")}`, `--userdb=${join(server.dir, "db")}`,
      ];
      server.program = new Program(process.env.TURNSERVER ?? "turnserver", args, { cwd: server.dir });
      try {
        await server.program.line((line) => new RegExp(`listener opened on *: *127.0.0.1:${port}`).test(line), "the start of coturn");
      } catch (error) {
        await server.stop();
        throw error;
      }
      return server;
    });
  }

  /** The log lines of a session whose user has this name. */
  linesOf(user) {
    return this.program.lines.filter((line) => String(line).includes(`user <${user}>`));
  }

  async stop() {
    if (this.program.child.exitCode === null && this.program.child.signalCode === null) await this.program.end("SIGTERM");
    rmSync(this.dir, { recursive: true, force: true });
  }
}
