/**
 * The call page: a lobby, a call, and the lobby again. `#name` is the room, `?namespace=` another namespace of the
 * gateway than "/".
 */
import { io } from "../shared/socket.io.js";
import { admit } from "../signaling.js";
import { Call } from "./call.js";
import { Chat } from "./chat.js";
import { bindControls } from "./controls.js";
import { copyLink, linkTo, Lobby } from "./lobby.js";
import { LocalMedia } from "./media.js";
import { clearNotices, notify } from "./notices.js";
import { Panel } from "./panel.js";
import { People } from "./people.js";
import { explain, explainEnd } from "./texts.js";
import { Tiles } from "./tiles.js";

const byId = (id) => document.getElementById(id);
const namespace = new URLSearchParams(location.search).get("namespace") ?? "/";
const socket = io(namespace, { withCredentials: true });
admit(socket); // hears of a sign-in that ends soon, in the lobby as well
const media = new LocalMedia();
const tiles = new Tiles();
/** @type {Call|null} the call that goes on */
let call = null;

/** Runs a step and tells of its failure. Resolves with whether it succeeded. */
async function attempt(step) {
  try {
    await step();
    return true;
  } catch (error) {
    // Who closes the browser's choice of a screen has not met an error.
    if (error.name !== "NotAllowedError" || !byId("lobby").hidden) notify(explain(error));
    return false;
  }
}

const people = new People((...order) => attempt(() => call.room.moderate(...order)));
const chat = new Chat((text) => attempt(() => call.room.send({ text })), () => panel.open === "chat");
const panel = new Panel((open) => open === "chat" && chat.read());
const lobby = new Lobby(media, join);

async function join(choice) {
  const attempted = new Call({ socket, media, tiles, people, chat }, choice);
  call = attempted;
  await connected();
  await attempted.start();
  lobby.close();
  byId("call").hidden = false;
  byId("call-title").textContent = choice.room;
  byId("call-title").focus();
  byId("link").value = linkTo(choice.room);
  document.title = `${choice.room} – Call`;
  attempted.ended.then(leave);
}

/** Resolves when the socket is connected, and rejects with what keeps it from that. */
function connected() {
  if (socket.connected) return Promise.resolve();
  // A refusal by the server is final for the client, unlike a network that fails.
  if (!socket.active) socket.connect();
  return new Promise((resolve, reject) => {
    const settle = (error) => {
      socket.off("connect", settle).off("connect_error", settle);
      if (!error) return resolve();
      const code = error.data?.code ?? (socket.active ? "offline" : "refused");
      reject(Object.assign(error, { code }));
    };
    socket.on("connect", settle).on("connect_error", settle);
  });
}

function leave(end) {
  call = null;
  byId("call").hidden = true;
  panel.close();
  chat.clear();
  clearNotices();
  media.stop();
  lobby.open(explainEnd(end));
}

bindControls(media, attempt);
byId("leave").addEventListener("click", () => call.room.leave());
byId("copy").addEventListener("click", () => copyLink(call.room.name));
byId("link").addEventListener("focus", ({ target }) => target.select());
lobby.open();
