// A network between a client and the server that can lose everything without closing anything.
import { connect, createServer } from "node:net";

/** A TCP line to a server: `url` is its near end. */
export class Line {
  #held = false;
  #flows = new Set();

  static async open(server) {
    const line = new Line();
    line.listener = createServer((near) => line.#carry(near, server.port));
    await new Promise((resolve) => line.listener.listen(0, "127.0.0.1", resolve));
    line.url = `http://127.0.0.1:${line.listener.address().port}`;
    return line;
  }

  /** Loses what the connections of now carry, for good; those that come wait. */
  hold() {
    this.#held = true;
    for (const flow of this.#flows) flow.lost = true;
  }

  /** Carries what has come since. */
  release() {
    this.#held = false;
    for (const flow of this.#flows) flow.start();
  }

  close() {
    this.listener.close();
    for (const { near, far } of this.#flows) near.destroy(), far?.destroy();
  }

  #carry(near, port) {
    const flow = { near };
    flow.start = () => {
      if (flow.far || flow.lost) return;
      flow.far = connect(port, "127.0.0.1");
      const pass = (from, to) => {
        from.on("data", (data) => flow.lost || to.write(data));
        from.on("close", () => flow.lost || to.destroy());
        from.on("error", () => {}); // it closes, too
      };
      pass(near, flow.far);
      pass(flow.far, near);
    };
    near.on("error", () => {});
    this.#flows.add(flow);
    if (this.#held) near.pause();
    else flow.start();
  }
}
