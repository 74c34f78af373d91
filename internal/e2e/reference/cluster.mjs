// A Socket.IO server for Node in a cluster, which does across nodes what
// ../testgateway does. Its argument: {port, redis, adapter, label, recovery?, server?,
// package?, ioredis?}; server and package are those of other versions of socket.io and
// of the adapter, ioredis takes the client of that name.
import { createServer } from "node:http";
import { createClient } from "redis";

const config = JSON.parse(process.argv[2]);
const PACKAGES = { streams: "@socket.io/redis-streams-adapter", pubsub: "@socket.io/redis-adapter" };
const { Server } = await import(config.server ?? "socket.io");
const { createAdapter } = await import(config.package ?? PACKAGES[config.adapter]);

async function connect() {
  const client = config.ioredis ? new (await import("ioredis")).Redis(config.redis) : createClient({ url: config.redis });
  client.on("error", (error) => console.log(`redis: ${error.message}`));
  if (!config.ioredis) await client.connect();
  return client;
}

const publisher = await connect();
const adapter = config.adapter === "streams"
  ? createAdapter(publisher)
  : createAdapter(publisher, await connect(), { publishOnSpecificResponseChannel: config.specific });
const http = createServer();
const io = new Server(http, {
  adapter,
  connectionStateRecovery: config.recovery && { maxDisconnectionDuration: config.recovery },
});

function target({ rooms = [], except = [] }) {
  let operator = except.length ? io.except(except) : io;
  if (rooms.length) operator = operator.to(rooms);
  return operator;
}

const actions = {
  emit: (a) => void target(a).emit(a.event, a.arg),
  binary: (a) => void target(a).emit(a.event, { deep: [Buffer.from([0, 1, 255])] }),
  volatile: (a) => void target(a).volatile.emit(a.event, a.arg),
  local: (a) => void target(a).local.emit(a.event, a.arg),
  ask: (a) => new Promise((resolve) => target(a).timeout(a.timeout ?? 5000).emit(a.event, a.arg, (error, answers) =>
    resolve(sorted(error, answers)))),
  join: (a) => void target(a).socketsJoin(a.into),
  leave: (a) => void target(a).socketsLeave(a.into),
  disconnect: (a) => void target(a).disconnectSockets(a.close),
  fetch: async (a) => (await target(a).fetchSockets()).map((s) => ({
    id: s.id, rooms: [...s.rooms].filter((r) => r !== s.id).sort(), data: s.data ?? {}, auth: s.handshake.auth,
    agent: s.handshake.headers["x-agent"] ?? "", query: s.handshake.query.EIO,
  })),
  "server-side": (a) => void io.serverSideEmit(a.event, a.arg),
  "server-side-ask": (a) => new Promise((resolve) => io.serverSideEmit(a.event, a.arg, (error, answers) =>
    resolve(sorted(error, answers)))),
  nodes: () => io.of("/").adapter.serverCount(),
};

function sorted(error, answers = []) {
  return { answers: answers.map((a) => JSON.stringify(a)).sort(), failed: Boolean(error) };
}

for (const event of ["hello", "question"]) {
  io.on(event, (arg, answer) => {
    io.local.to("observers").emit("server-side", event, arg);
    answer?.(config.label);
  });
}

io.on("connection", (socket) => {
  socket.on("across", async (a, answer) => answer((await actions[a.do](a)) ?? null));
  socket.on("join", (room, answer) => (socket.join(room), answer([...socket.rooms])));
  socket.on("set-data", (data, answer) => ((socket.data = data), answer("set")));
  socket.on("whoami", (_, answer) => answer({ id: socket.id, recovered: socket.recovered, data: socket.data }));
  socket.on("to", ({ rooms, event, arg }, answer) => (socket.to(rooms).emit(event, arg), answer("sent")));
  socket.on("message", (...args) => socket.emit("message-back", ...args));
});

process.on("SIGTERM", () => io.close(() => process.exit(0)));
http.listen(config.port, "127.0.0.1", () => console.log("listening"));
