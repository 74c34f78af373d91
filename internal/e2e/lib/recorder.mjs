// A proxy that shows what a server receives.
import { createServer, request } from "node:http";
import { connect } from "node:net";
import { once } from "./wait.mjs";

/**
 * Passes everything on to a server. `requests` are those that came, as {method,
 * query, headers}; a websocket's is among them. A client takes it for the server.
 */
export class Recorder {
  requests = [];
  #sockets = new Set();

  static async before(server) {
    const recorder = new Recorder();
    recorder.front = createServer((req, res) => {
      recorder.#note(req);
      const options = { port: server.port, host: "127.0.0.1", path: req.url, method: req.method, headers: req.headers, agent: false };
      const back = request(options, (answer) => {
        res.writeHead(answer.statusCode, answer.headers);
        answer.pipe(res);
      });
      back.on("error", () => res.destroy());
      res.on("close", () => back.destroy());
      req.pipe(back);
    });
    recorder.front.on("upgrade", (req, socket, head) => {
      recorder.#note(req);
      const back = connect(server.port, "127.0.0.1", () => {
        const lines = Object.entries(req.headers).map(([name, value]) => `${name}: ${value}\r\n`);
        back.write(`${req.method} ${req.url} HTTP/1.1\r\n${lines.join("")}\r\n`);
        back.write(head);
        back.pipe(socket).pipe(back);
      });
      for (const [end, other] of [[socket, back], [back, socket]]) end.on("error", () => {}).on("close", () => other.destroy());
    });
    recorder.front.on("connection", (socket) => recorder.#sockets.add(socket.once("close", () => recorder.#sockets.delete(socket))));
    recorder.front.listen(0, "127.0.0.1");
    await once(recorder.front, "listening");
    recorder.url = `http://127.0.0.1:${recorder.front.address().port}`;
    return recorder;
  }

  #note({ method, url, headers }) {
    this.requests.push({ method, query: new URL(url, "http://server").searchParams, headers });
  }

  close() {
    this.front.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
