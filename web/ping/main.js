/**
 * The test page: connect, send a ping, watch what comes back. `?namespace=` and
 * `?transport=` choose the first connection, so that a link can reproduce a fault.
 */
import { open } from "./connection.js";
import { addLine, describe } from "./log.js";

const byId = (id) => document.getElementById(id);
const log = byId("log");
const form = byId("settings");

/** The socket in use; null before the first and after a deliberate disconnect. */
let socket = null;
/** When the ping that awaits its pong was sent, in ms of the page's clock. */
let pingSentAt = 0;

function showState(state, text) {
  const status = byId("status");
  status.dataset.state = state;
  status.textContent = text;
  byId("socket-id").textContent = socket?.id ?? "none";
  byId("ping").disabled = state !== "connected";
  byId("disconnect").disabled = state === "offline";
}

function showEvent(event, args) {
  let text = `${event}: ${describe(args)}`;
  if (event === "pong" && pingSentAt) {
    text += ` (${Math.round(performance.now() - pingSentAt)} ms)`;
    pingSentAt = 0;
  }
  addLine(log, "in", text);
}

function disconnect() {
  socket?.disconnect();
  socket = null;
  showState("offline", "Offline");
}

function connect() {
  disconnect();
  const { namespace, transport } = Object.fromEntries(new FormData(form));
  showState("connecting", "Connecting");
  socket = open(namespace, transport.split(","), {
    state: showState,
    transport: (name) => (byId("transport-in-use").textContent = name),
    event: showEvent,
    note: (kind, text) => addLine(log, kind, text),
  });
}

byId("ping").addEventListener("click", () => {
  pingSentAt = performance.now();
  socket.emit("ping");
  addLine(log, "out", "ping sent");
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  connect();
});
byId("disconnect").addEventListener("click", disconnect);
byId("clear").addEventListener("click", () => log.replaceChildren());

for (const [name, value] of new URLSearchParams(location.search)) {
  const field = form.elements.namedItem(name);
  if (field) field.value = value;
}
// An unknown ?transport= leaves the list without a choice; the default is the first.
byId("transport").selectedIndex = Math.max(0, byId("transport").selectedIndex);
connect();
