// Caddy as a process: started, reloaded, asked through its admin API, ended.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { caddyfile, directive } from "./caddyfile.mjs";
import { onFreePort } from "./ports.mjs";
import { Program } from "./process.mjs";
import { within } from "./wait.mjs";

const BINARY = process.env.CADDY_BIN;

/** One Caddy with its own directory; it may be started again after it has ended. */
export class Caddy {
  kind = "caddy";

  constructor(port, config, env) {
    this.dir = mkdtempSync(join(tmpdir(), "caddy-e2e-"));
    this.port = port;
    this.config = { ...config, port, admin: `/${join(this.dir, "admin.sock")}` };
    this.url = `${config.scheme ?? "http"}://${config.host ?? "127.0.0.1"}:${port}`;
    this.env = { ...process.env, XDG_DATA_HOME: this.dir, XDG_CONFIG_HOME: this.dir, HOME: this.dir, ...env };
    this.file = join(this.dir, "Caddyfile");
    this.write();
  }

  /** Writes the Caddyfile, with changes if given, for the next start or reload. */
  write(changes = {}) {
    Object.assign(this.config, changes);
    writeFileSync(this.file, caddyfile(this.config));
  }

  /** The arguments that say where the configuration is. */
  get source() {
    return ["--config", this.file, "--adapter", "caddyfile"];
  }

  async start() {
    this.program = new Program(BINARY, ["run", ...this.source], { env: this.env, cwd: this.dir });
    // Parsed or, where the config has another format of its log, as text.
    await this.program.line((l) => /serving initial configuration/.test(l.msg ?? l), "Caddy's start");
    return this;
  }

  /** Runs `caddy reload`; rejects with its output when the config is refused. */
  async reload(changes, flags = []) {
    this.write(changes);
    const address = `unix/${this.config.admin}`;
    const args = ["reload", ...this.source, "--address", address, ...flags];
    const program = new Program(BINARY, args, { env: this.env, cwd: this.dir });
    const { code } = await within(program.exited, "caddy reload");
    if (code !== 0) throw new Error(`caddy reload: ${program.tail()}`);
  }

  /** Loads the Caddyfile through the admin API; rejects with its answer when the config is refused. */
  async load(changes) {
    this.write(changes);
    const { status, body } = await this.admin("POST", "/load", readFileSync(this.file), { "content-type": "text/caddyfile" });
    if (status !== 200) throw new Error(`POST /load: ${status} ${JSON.stringify(body)}`);
  }

  /** Asks the admin API: {status, body}, the body parsed when it is JSON. */
  admin(method, path, body, headers = {}) {
    const answer = new Promise((resolve, reject) => {
      const req = request({ socketPath: this.config.admin.slice(1), path, method, headers: { host: "", ...headers } }, (res) => {
        let text = "";
        res.setEncoding("utf8").on("data", (part) => (text += part));
        res.on("error", reject);
        res.on("end", () => {
          const json = /json/.test(res.headers["content-type"] ?? "") && text;
          resolve({ status: res.statusCode, headers: res.headers, body: json ? JSON.parse(text) : text });
        });
      });
      req.on("error", reject).end(body);
    });
    return within(answer, `${method} ${path} of the admin API`);
  }

  /** The log lines so far, Caddy's and ours. */
  get logs() {
    return this.program.lines;
  }

  signal(name) {
    this.program.child.kill(name);
  }

  /** Ends the process with a signal and returns how it ended. */
  end(signal) {
    return this.program.end(signal);
  }

  /** Ends the process, if it still runs, and removes its directory. */
  async stop() {
    if (this.program?.child.exitCode === null && this.program.child.signalCode === null) await this.program.end("SIGKILL");
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Starts Caddy with a site of the given socketio settings, or with a whole config. */
export async function startCaddy({ settings, extra, namespaces, env, port, ...config } = {}) {
  const site = config.site ?? directive({ settings, extra, namespaces });
  const start = async (on) => {
    const caddy = new Caddy(on, { ...config, site }, env);
    try {
      return await caddy.start();
    } catch (error) {
      await caddy.stop();
      throw error;
    }
  };
  return port ? start(port) : onFreePort(start);
}
