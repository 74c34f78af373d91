// Ports below the range from which systems take the local ports of outgoing
// connections, so that a server that restarts finds its port still free.
import { createServer } from "node:net";

const FIRST = 21_000;
const BLOCK = 20;
const BLOCKS = 25;

// Test files run as processes beside each other: each starts in a block of its own.
let next = (process.pid % BLOCKS) * BLOCK;

/** A TCP port of 127.0.0.1 that is free now. */
export async function freePort() {
  for (let i = 0; i < BLOCK * BLOCKS; i++) {
    const port = FIRST + (next++ % (BLOCK * BLOCKS));
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port from ${FIRST} to ${FIRST + BLOCK * BLOCKS - 1}`);
}

/** What start(port) gives, on another port when somebody took the first meanwhile. */
export async function onFreePort(start) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(await freePort());
    } catch (error) {
      if (attempt === 5 || !/address already in use/.test(error.message)) throw error;
    }
  }
}

function isFree(port) {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, () => probe.close(() => resolve(true)));
  });
}
