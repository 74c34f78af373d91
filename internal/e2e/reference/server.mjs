// The reference server of the Socket.IO project with the events of the tests' own
// gateway (../testgateway). The suites are run against it as well: what they
// demand is what it does, or is marked as a deviation.
import { createServer } from "node:http";
import { Server } from "socket.io";
import { gateway } from "./gateway.mjs";

const { port, settings } = JSON.parse(process.argv[2]);
const { recovery, ...options } = settings;
if (recovery) options.connectionStateRecovery = { maxDisconnectionDuration: recovery };

const http = createServer((req, res) => res.writeHead(404).end());
const io = new Server(http, options);
for (const name of ["/", "/custom", /^\/dyn-[0-9]+$/]) gateway(io.of(name));
http.listen(port, () => console.log("listening"));
process.on("SIGTERM", () => io.close(() => process.exit(0)));
