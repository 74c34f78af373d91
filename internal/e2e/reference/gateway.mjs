// The events of ../testgateway for the reference server, as far as they have a
// counterpart there.

const OBSERVERS = "observers";
const gates = new Map();

function gate(name) {
  if (!gates.has(name)) {
    const entry = {};
    entry.opened = new Promise((resolve) => (entry.open = resolve));
    gates.set(name, entry);
  }
  return gates.get(name);
}

export function gateway(namespace) {
  namespace.use((socket, next) => {
    if (!socket.handshake.auth.refuse) return next();
    next(Object.assign(new Error("You are banned"), { data: { code: "banned", until: 5 } }));
  });
  namespace.on("connection", (socket) => {
    register(socket);
    if (socket.handshake.auth.greet === true) socket.emit("auth", socket.handshake.auth);
    socket.nsp.to(OBSERVERS).emit("arrived", describe(socket));
  });
}

function register(socket) {
  const nsp = socket.nsp;
  const answer = (event, f) =>
    socket.on(event, async (...args) => {
      const ack = typeof args.at(-1) === "function" ? args.pop() : () => {};
      ack(await f(...args));
    });
  socket.on("message", (...args) => socket.emit("message-back", ...args));
  answer("message-with-ack", (first) => first);
  answer("count-args", (...args) => args.length);
  answer("digest", digest);
  answer("ask", ({ event, arg, timeout }) =>
    new Promise((resolve) => {
      const target = timeout ? socket.timeout(timeout) : socket;
      target.emit(event, arg, (...got) => {
        if (timeout && got.shift()) return resolve({ ok: false, error: { code: "timeout" } });
        resolve({ answer: got });
      });
    }));
  answer("join", (room) => (socket.join(room), sorted(socket)));
  answer("leave", (room) => (socket.leave(room), sorted(socket)));
  answer("rooms", () => sorted(socket));
  answer("broadcast", ({ except = [], event, arg }) => (socket.broadcast.except(except).emit(event, arg), "sent"));
  answer("to", ({ rooms, except = [], event, arg }) => (socket.to(rooms).except(except).emit(event, arg), "sent"));
  answer("to-binary", (room, event, data) => void socket.to(room).emit(event, data));
  answer("namespace-to", ({ rooms = [], except = [], event, arg }) => {
    (rooms.length ? nsp.to(rooms) : nsp).except(except).emit(event, arg);
    return "sent";
  });
  answer("sockets", async (room) => (await nsp.in(room).fetchSockets()).map((s) => s.id).sort());
  answer("wait", async (name) => {
    nsp.to(OBSERVERS).emit("waiting", name);
    await gate(name).opened;
    return "passed";
  });
  answer("open", (name) => (gate(name).open(), "opened"));
  answer("set-data", (value) => ((socket.data = value), "set"));
  answer("whoami", () => describe(socket));
  answer("disconnect-me", (closeConnection) => void socket.disconnect(closeConnection));
  answer("flood", ({ count, size }) => {
    for (let i = 0; i < count; i++) socket.emit("drop", i, "x".repeat(size));
    return count;
  });
  let rooms = [];
  socket.on("disconnecting", () => (rooms = sorted(socket)));
  socket.on("disconnect", (reason) => nsp.to(OBSERVERS).emit("departed", { id: socket.id, reason, rooms }));
}

function digest(data) {
  let sum = 0;
  for (const [i, b] of data.entries()) sum = (sum + ((i % 251) + 1) * b) % 1_000_003;
  return { length: data.length, sum };
}

function sorted(socket) {
  return [...socket.rooms].filter((room) => room !== socket.id).sort();
}

function describe(socket) {
  const { headers, query, auth, address, secure, issued } = socket.handshake;
  const canonical = (name) => name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
  const cookies = (headers.cookie ?? "").split("; ").filter(Boolean).map((pair) => pair.split("="));
  return {
    id: socket.id, namespace: socket.nsp.name, transport: socket.conn.transport.name,
    recovered: socket.recovered, data: socket.data,
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [canonical(name), value])),
    cookies: Object.fromEntries(cookies), query: { ...query }, auth,
    ip: address.replace("::ffff:", ""), secure, host: headers.host, time: issued,
  };
}
