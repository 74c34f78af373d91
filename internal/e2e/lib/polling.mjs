// Engine.IO over long polling, request by request, without a client library.
import { Agent, request } from "node:http";
import { Agent as SecureAgent, request as secureRequest } from "node:https";
import { within } from "./wait.mjs";

const SEPARATOR = "\x1e";
const agents = { "http:": new Agent({ keepAlive: false }), "https:": new SecureAgent({ keepAlive: false, rejectUnauthorized: false }) };

/**
 * One HTTP request: {status, headers, lines, body}, where lines are the headers as
 * pairs in the order they came. A connection that breaks rejects.
 * sent() is called once the request has left.
 */
export function http(url, { method = "GET", body, headers = {}, sent = () => {}, agent } = {}) {
  const { protocol } = new URL(url);
  const answer = new Promise((resolve, reject) => {
    const send = protocol === "https:" ? secureRequest : request;
    const req = send(url, { method, headers, agent: agent ?? agents[protocol] }, (res) => {
      const parts = [];
      res.on("data", (part) => parts.push(part)).on("error", reject);
      res.on("end", () => resolve({ status: res.statusCode, headers: res.headers, lines: pairs(res.rawHeaders), body: Buffer.concat(parts).toString() }));
    });
    req.on("error", reject).on("finish", sent).end(body);
  });
  return within(answer, `${method} ${url}`);
}

const pairs = (flat) => flat.flatMap((name, i) => (i % 2 ? [] : [[name, flat[i + 1]]]));

/** The URL of the Engine.IO endpoint with the given query on top of EIO=4. */
export function endpoint(server, query = {}) {
  const url = new URL("/socket.io/", server.url);
  for (const [name, value] of Object.entries({ EIO: 4, ...query })) {
    if (value !== undefined) url.searchParams.set(name, value);
  }
  return url.href;
}

/**
 * A session over long polling. send() and receive() repeat a request whose
 * connection was reset, and count that in `retries`: when Caddy changes its
 * listeners, the system resets connections that the old one had not accepted yet,
 * and Caddy closes those of an agent with keepAlive that are idle, so no server has
 * seen the request.
 */
export class Polling {
  #packets = [];
  retries = 0;

  constructor(server, answer, handshake, query) {
    Object.assign(this, { server, answer, handshake, query, sid: handshake.sid });
  }

  static async open(server, { query = {}, headers, agent } = {}) {
    const answer = await http(endpoint(server, { transport: "polling", ...query }), { headers, agent });
    if (answer.status !== 200) throw new Error(`handshake: ${answer.status} ${answer.body}`);
    const [open, ...rest] = answer.body.split(SEPARATOR);
    const polling = new Polling(server, answer, JSON.parse(open.slice(1)), query);
    polling.#packets.push(...rest);
    polling.agent = agent;
    return polling;
  }

  get url() {
    return endpoint(this.server, { transport: "polling", ...this.query, sid: this.sid });
  }

  get(options) {
    return http(this.url, { agent: this.agent, ...options });
  }

  post(body, options) {
    return http(this.url, { method: "POST", body, agent: this.agent, ...options });
  }

  /** Posts packets in one payload and checks the success. */
  async send(...packets) {
    const { status, body } = await this.#persist(() => this.post(packets.join(SEPARATOR)));
    if (status !== 200 || body !== "ok") throw new Error(`POST: ${status} ${body}`);
  }

  /** The next packet, heartbeats included, polled for as often as needed. */
  async receive() {
    while (!this.#packets.length) {
      const { status, body } = await this.#persist(() => this.get());
      if (status !== 200) throw new Error(`poll: ${status} ${body}`);
      this.#packets.push(...body.split(SEPARATOR));
    }
    return this.#packets.shift();
  }

  async #persist(request) {
    for (;;) {
      try {
        return await request();
      } catch (error) {
        if (!["ECONNRESET", "EPIPE"].includes(error.code)) throw error;
        this.retries++;
      }
    }
  }

  /** A poll, once the server has it. */
  async waitingGet() {
    let answer;
    await new Promise((sent, failed) => {
      answer = this.get({ sent });
      answer.catch(failed);
    });
    // Connections are accepted in order: after a later one's answer, the poll is there.
    await http(endpoint(this.server, { transport: "none" }));
    return { answer };
  }

  /** Enters a namespace and returns the payload of the answer, past heartbeats. */
  async connect(namespace = "/", auth) {
    const prefix = namespace === "/" ? "" : `${namespace},`;
    await this.send(`40${prefix}${auth ? JSON.stringify(auth) : ""}`);
    let packet = await this.receive();
    while (packet === "2") packet = await this.receive();
    if (!packet.startsWith(`40${prefix}{`)) throw new Error(`CONNECT was answered with ${packet}`);
    return JSON.parse(packet.slice(2 + prefix.length));
  }
}
