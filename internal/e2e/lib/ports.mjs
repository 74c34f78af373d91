// Ports below the range from which systems take the local ports of outgoing
// connections, so that a server that restarts finds its port still free.
import { createServer } from "node:net";

const FIRST = 21_000;
const COUNT = 500;

// Whoever uses a port listens on its claim too, to the end of the process. That a
// port is free is not enough: between a look and a server's start another test
// file may look as well, and Caddy shares a port with whoever shares it too.
const CLAIMS = FIRST + COUNT;

// Test files run as processes beside each other, which start in different places.
let next = process.pid * 20;

/** A TCP port of 127.0.0.1 that is free now and that no other test file takes. */
export async function freePort() {
  for (let i = 0; i < COUNT; i++) {
    const place = next++ % COUNT;
    if (!(await isFree(FIRST + place))) continue;
    if (await claim(CLAIMS + place)) return FIRST + place;
  }
  throw new Error(`no free port from ${FIRST} to ${FIRST + COUNT - 1}`);
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

async function isFree(port) {
  const probe = await listen(port);
  if (!probe) return false;
  await new Promise((resolve) => probe.close(resolve));
  return true;
}

async function claim(port) {
  const server = await listen(port);
  server?.unref();
  return Boolean(server);
}

/** A server that listens on the port, or undefined. */
function listen(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen(port, () => resolve(server));
  });
}
