// Another client, whose session must be as it was whatever the others do.
import assert from "node:assert/strict";
import { Socket } from "./socket.mjs";

/** A session in the main namespace. */
export class Bystander {
  static async enter(server) {
    const bystander = new Bystander();
    bystander.socket = await Socket.open(server);
    await bystander.socket.connect();
    return bystander;
  }

  /** An event goes there and back, and nothing else came. */
  async undisturbed() {
    this.socket.send('427["count-args",1]');
    assert.equal(await this.socket.receive(), "437[1]");
  }
}
