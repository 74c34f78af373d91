// HTTP as bytes, for requests that no client library would send.
import { connect } from "node:net";
import { within } from "./wait.mjs";

/** A TCP connection; `ended` resolves with all that came, once the server has closed it. */
export class Raw {
  constructor(server, { from } = {}) {
    const { hostname, port } = new URL(server.url);
    const parts = (this.parts = []);
    this.socket = connect({ port, host: hostname, localAddress: from });
    this.opened = new Promise((resolve) => this.socket.once("connect", resolve));
    this.ended = new Promise((resolve) => {
      this.socket.on("data", (part) => parts.push(part));
      // A reset is an end, too.
      this.socket.on("error", () => {});
      this.socket.on("close", () => resolve(Buffer.concat(parts)));
    });
  }

  static async open(server, options) {
    const raw = new Raw(server, options);
    await within(raw.opened, "a TCP connection");
    return raw;
  }

  write(data) {
    this.socket.write(data);
  }

  /** Resolves once the server has sent a text. */
  until(text, what) {
    const came = new Promise((resolve) => {
      const look = () => Buffer.concat(this.parts).includes(text) && resolve();
      this.socket.on("data", look);
      look();
    });
    return within(came, what);
  }

  /** What came until the server closed the connection. */
  async end(what = "the end of a connection") {
    return (await within(this.ended, what)).toString("latin1");
  }

  close() {
    this.socket.destroy();
  }
}

/** The request line and headers of a POST to a polling session, which announce length bytes. */
export function postHead(polling, length, headers = "") {
  const { pathname, search, host } = new URL(polling.url);
  return `POST ${pathname}${search} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${length}\r\n${headers}\r\n`;
}

/** A request for a websocket, by itself a session or the upgrade of one. */
export function upgradeHead(server, query = "") {
  const { host } = new URL(server.url);
  return `GET /socket.io/?EIO=4&transport=websocket${query} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
}

/** A client's frame: masked with zeros, so that the payload stays readable. */
export function frame(payload, { opcode = 1, fin = true, length = payload.length, rsv1 = false } = {}) {
  const first = (fin ? 0x80 : 0) | (rsv1 ? 0x40 : 0) | opcode;
  let head;
  if (length < 126) head = Buffer.from([first, 0x80 | length]);
  else if (length < 65536) head = Buffer.from([first, 0x80 | 126, length >> 8, length & 255]);
  else {
    head = Buffer.alloc(10);
    head.set([first, 0x80 | 127]);
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  return Buffer.concat([head, Buffer.alloc(4), Buffer.from(payload)]);
}

/** The code of the close frame at the end of what a websocket got. */
export function closeCode(answer) {
  const bytes = Buffer.from(answer, "latin1");
  for (let at = bytes.indexOf("\r\n\r\n") + 4; at + 2 <= bytes.length;) {
    let length = bytes[at + 1] & 127;
    let start = at + 2;
    if (length === 126) [length, start] = [bytes.readUInt16BE(start), start + 2];
    else if (length === 127) [length, start] = [Number(bytes.readBigUInt64BE(start)), start + 8];
    if ((bytes[at] & 15) === 8) return bytes.readUInt16BE(start);
    at = start + length;
  }
  return undefined;
}
