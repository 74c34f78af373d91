// Child processes whose output is watched for lines, and which end by their id.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { EventEmitter } from "node:events";
import { PATIENCE, within } from "./wait.mjs";

// A test file that fails half-way takes its programs with it.
const running = new Set();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));

// Nor do they outlive the Go test that started everything, should it be killed.
const parent = Number(process.env.E2E_PARENT);
if (parent) setInterval(() => alive(parent) || process.exit(1), 1000).unref();

function alive(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/**
 * A running program. Emits "line" with each line of its output, parsed when it is
 * JSON; `lines` keeps them all.
 */
export class Program extends EventEmitter {
  lines = [];

  constructor(command, args, options) {
    super();
    this.setMaxListeners(0);
    this.child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
    running.add(this.child);
    this.exited = new Promise((resolve) => {
      this.child.on("error", (error) => resolve({ error }));
      this.child.on("exit", (code, signal) => resolve({ code, signal }));
    });
    this.exited.then(() => running.delete(this.child));
    for (const stream of [this.child.stdout, this.child.stderr]) {
      createInterface({ input: stream }).on("line", (text) => {
        const line = parse(text);
        this.lines.push(line);
        this.emit("line", line);
      });
    }
  }

  get pid() {
    return this.child.pid;
  }

  /** The first line, past ones included, for which when(line) holds; an exit fails it. */
  line(when, what, ms = PATIENCE) {
    const past = this.lines.find(when);
    if (past) return Promise.resolve(past);
    let listener;
    const seen = new Promise((resolve, reject) => {
      listener = (line) => when(line) && resolve(line);
      this.on("line", listener);
      this.exited.then((how) => reject(new Error(`it ended before ${what}: ${JSON.stringify(how)}\n${this.tail()}`)));
    });
    return within(seen, what, ms).finally(() => this.off("line", listener));
  }

  /** Sends a signal and waits for the exit, which it returns. */
  async end(signal = "SIGTERM", ms = 20_000) {
    this.child.kill(signal);
    try {
      return await within(this.exited, `the exit of process ${this.pid} after ${signal}`, ms);
    } catch (error) {
      this.child.kill("SIGKILL");
      throw error;
    }
  }

  tail(n = 30) {
    return this.lines.slice(-n).map((l) => (typeof l === "string" ? l : JSON.stringify(l))).join("\n");
  }
}

function parse(text) {
  try {
    return text.startsWith("{") ? JSON.parse(text) : text;
  } catch {
    return text;
  }
}
