// The Node server that the benchmark compares with: socket.io with its defaults
// and the same gateway, on HTTP or, with a certificate, HTTPS.
//
//   node server.js <port> [<certificate> <key>]
//
// CLUSTER names an adapter, streams or pubsub, to use with the Redis of REDIS_URL.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { Server } from "socket.io";
import { adapter } from "./adapter.js";
import { gateway } from "./gateway.js";

const [port, cert, key] = process.argv.slice(2);

const http = cert
  ? createSecureServer({ cert: readFileSync(cert), key: readFileSync(key) })
  : createServer();

// The defaults: polling and websocket, no permessage-deflate, 25 s heartbeats
// (shorter ones where it is measured how silent clients are noticed).
const heartbeat = Number(process.env.HEARTBEAT_MS);
const cluster = await adapter(process.env.CLUSTER, process.env.REDIS_URL);
const io = new Server(http, { adapter: cluster, ...(heartbeat && { pingInterval: heartbeat, pingTimeout: heartbeat }) });

// What the documentation advises against memory use: the request of the
// handshake is not kept for the life of the session.
io.engine.on("connection", (session) => {
  session.request = null;
});

io.on("connection", gateway(io, Boolean(cluster)));

// The benchmark asks every server for a collection before it reads its memory,
// so that garbage is not counted as the price of a socket.
process.on("SIGUSR2", () => globalThis.gc?.());

http.listen(Number(port), "127.0.0.1", 4096);
