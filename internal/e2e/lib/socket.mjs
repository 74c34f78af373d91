// Engine.IO over a websocket, frame by frame, without a client library.
import WebSocket from "ws";
import { endpoint } from "./polling.mjs";
import { Inbox, within } from "./wait.mjs";

/** Where a websocket handshake goes. */
export function wsEndpoint(server, query = {}) {
  return endpoint(server, { transport: "websocket", ...query }).replace(/^http/, "ws");
}

/** A websocket whose frames are taken in order: text as string, binary as Buffer. */
export class Socket {
  inbox = new Inbox();
  /** Whether heartbeats are answered when they come, rather than taken like the rest. */
  beating = false;

  constructor(server, { query, headers, ...options } = {}) {
    this.ws = new WebSocket(wsEndpoint(server, query), { headers, rejectUnauthorized: false, ...options });
    this.ws.on("message", (data, binary) => {
      const frame = binary ? data : data.toString();
      if (this.beating && frame === "2") this.ws.send("3");
      else this.inbox.push(frame);
    });
    this.opened = new Promise((resolve, reject) => {
      this.ws.on("open", resolve);
      this.ws.on("error", reject);
      this.ws.on("unexpected-response", (req, res) => {
        reject(Object.assign(new Error(`refused with ${res.statusCode}`), { status: res.statusCode, headers: res.headers }));
        req.destroy();
      });
    });
    this.opened.catch(() => {});
    this.closing = new Promise((resolve) => {
      this.ws.on("close", (code, reason) => {
        this.inbox.end(new Error(`the websocket was closed with ${code} ${reason}`));
        resolve({ code, reason: reason.toString() });
      });
    });
  }

  /** Opens a session of its own; `handshake` is what the open packet said. */
  static async open(server, options) {
    const socket = new Socket(server, options);
    await within(socket.opened, "the websocket handshake");
    socket.handshake = JSON.parse((await socket.receive()).slice(1));
    return socket;
  }

  /** Takes a polling session over, as a client that upgrades does. */
  static async upgrade(polling) {
    const socket = new Socket(polling.server, { query: { ...polling.query, sid: polling.sid } });
    await within(socket.opened, "the websocket handshake");
    return socket;
  }

  send(...frames) {
    for (const frame of frames) this.ws.send(frame);
  }

  /** The next frame. */
  receive(what) {
    return this.inbox.take(what);
  }

  /** Enters a namespace and returns the payload of the answer, past heartbeats. */
  async connect(namespace = "/", auth) {
    const prefix = namespace === "/" ? "" : `${namespace},`;
    this.send(`40${prefix}${auth ? JSON.stringify(auth) : ""}`);
    let packet = await this.receive("the answer to CONNECT");
    while (packet === "2") packet = await this.receive("the answer to CONNECT");
    if (!packet.startsWith?.(`40${prefix}{`)) throw new Error(`CONNECT was answered with ${packet}`);
    return JSON.parse(packet.slice(2 + prefix.length));
  }

  /** Resolves with {code, reason} once the server has closed. */
  closed() {
    return within(this.closing, "the end of the websocket");
  }

  close() {
    this.ws.terminate();
  }
}

/** How the server refuses a websocket handshake: the HTTP status, or the close code. */
export async function refusal(server, options) {
  const socket = new Socket(server, options);
  const refused = socket.opened.then(() => socket.closed(), (error) => ({ status: error.status, error }));
  return within(refused, "the refusal of a websocket");
}
