// Browsers in a call: one Chromium with fake cameras, one context per peer.
import { createHmac } from "node:crypto";
import { chromium } from "playwright-core";
import { startCaddy } from "../../lib/caddy.mjs";
import { directive } from "../../lib/caddyfile.mjs";
import { eventually } from "../../lib/wait.mjs";
import { withPages } from "../../lib/web.mjs";

/** Encoding and decoding in software, for several peers on a busy machine, takes its time. */
export const PATIENCE = 60_000;
export const SECRET = "a secret of thirty-two bytes long";

const ARGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
  "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream=fps=5",
  // Contexts are windows of which only one can be in front; the others must not be slowed down.
  "--disable-background-timer-throttling", "--disable-renderer-backgrounding", "--disable-backgrounding-occluded-windows",
];

/** The directives of the site: the gateway with the given options, the pages, and an empty page. */
export function site({ options = [], extra = [] } = {}) {
  const gateway = ["namespace / {", " gateway webrtc {", ...options.map((line) => `  ${line}`), " }", "}"].join("\n");
  const blank = 'header /blank Content-Type text/html\nrespond /blank "<!doctype html><title>blank</title>"';
  return `${withPages(directive({ extra, namespaces: [gateway] }))}\n${blank}`;
}

/** Accepts tokens of this file: identified users. */
export const AUTH = [`auth jwt {\n secret "${SECRET}"\n}`];

/** A token for a user, for so many seconds. */
export function token(sub, { name = sub, seconds = 3600 } = {}) {
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const head = `${encode({ alg: "HS256", typ: "JWT" })}.${encode({ sub, name, exp: Math.floor(Date.now() / 1000) + seconds })}`;
  return `${head}.${createHmac("sha256", SECRET).update(head).digest("base64url")}`;
}

/** A server with its browser; peers are pages in contexts of their own. */
export class Stage {
  static async start(settings) {
    const stage = new Stage();
    stage.server = await startCaddy({ site: site(settings) });
    stage.browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ARGS });
    return stage;
  }

  async stop() {
    await this.browser?.close();
    await this.server?.stop();
  }

  /** Ends all peers, so that the next test begins alone. */
  async clear() {
    await Promise.all(this.browser.contexts().map((context) => context.close()));
  }

  async open(path, size = { width: 900, height: 600 }, origin = this.server.url) {
    const context = await this.browser.newContext({ viewport: size });
    context.setDefaultTimeout(PATIENCE);
    await context.addInitScript(smallPictures);
    const page = await context.newPage();
    page.complaints = [];
    page.on("pageerror", (error) => page.complaints.push(String(error)));
    await page.goto(origin + path);
    return page;
  }

  /** A peer on the call page, which has been asked to join. */
  async caller(name, room) {
    const page = await this.open(`/call.html#${room}`);
    await page.fill("#name", name);
    await page.locator("#preview:not(.off)").waitFor();
    await page.click("#join");
    return page;
  }

  /**
   * A peer of signaling.js alone, on an empty page: `room` is global there, and `heard` lists its events. Its clock
   * is ahead by that many ms. It renews with the tokens of `renewals`, in their order; an empty one is a failure. It
   * reaches the server at `origin`.
   */
  async peer(room, { state = {}, rtc, auth, media = true, tries, ahead = 0, renewals, transports = ["websocket"], origin } = {}) {
    const page = await this.open("/blank", undefined, origin);
    await page.evaluate(setUp, { room, state, rtc, auth, media, ahead, renewals, transports });
    if (!tries) await page.evaluate(() => window.room.join());
    return page;
  }
}

/** Runs in each page: a machine of few cores cannot encode pictures of the usual size for four peers. */
function smallPictures() {
  if (!navigator.mediaDevices) return;
  const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  const small = ({ video, ...rest }) => (video ? { ...rest, video: { ...video, width: 160, height: 120 } } : rest);
  navigator.mediaDevices.getUserMedia = (wanted) => real(small(wanted));
}

/** Runs in the page. */
async function setUp({ room, state, rtc, auth, media, ahead, renewals, transports }) {
  const now = Date.now;
  Date.now = () => now() + ahead;
  const { Room, request } = await import("/signaling.js");
  const { io } = await import("/shared/socket.io.js");
  const socket = io("/", { auth, transports });
  const renew = renewals && (async () => renewals.shift() || Promise.reject(new Error("nobody is signed in")));
  window.room = new Room(socket, room, { state, rtc, renew });
  window.request = (event, payload) => request(socket, event, payload);
  window.heard = [];
  const types = ["joined", "left", "offline", "expiring", "gone", "message", "metadata", "lock", "moderation", "peer", "error",
    "data", "channel", "connection"];
  for (const type of types) {
    window.room.addEventListener(type, ({ detail: { peer, error, ...rest } }) =>
      window.heard.push({ type, ...rest, id: peer?.id ?? peer, away: peer?.away, error: error && String(error) }),
    );
  }
  socket.onAny((event, data) => event === "message" && data.user && window.heard.push({ type: "ring", ...data }));
  await new Promise((resolve) => (socket.connected ? resolve() : socket.once("connect", resolve)));
  if (!media) return;
  const camera = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
  for (const track of camera.getTracks()) window.room.addTrack(track, camera);
}

/** Waits until the page has heard an event with all the given fields, and returns it. */
export async function heard(page, wanted) {
  const find = (fields) =>
    window.heard.find((event) => Object.entries(fields).every(([name, value]) => event[name] === value));
  const handle = await page.waitForFunction(find, wanted);
  return handle.jsonValue();
}

/** Waits until all connections of a peer of signaling.js are up and nothing is left to negotiate. */
export function settled(page, count) {
  return page.waitForFunction((n) => {
    const pcs = [...window.room.peers.values()].map(({ pc }) => pc);
    return pcs.length === n && pcs.every((pc) => pc.connectionState === "connected" && pc.signalingState === "stable");
  }, count);
}

/** Waits until, from each of its peers, the page has decoded more frames than it had when asked. */
export async function flowing(page, count) {
  const frames = () => page.evaluate(decoded);
  await page.waitForFunction((n) => window.room.peers.size === n, count);
  const before = new Map(await frames());
  // Not in waitForFunction, which takes the promise of an async function for a yes.
  await eventually(async () => {
    const now = await frames();
    return now.length === before.size && now.every(([id, n]) => n > before.get(id));
  }, "frames from every peer", PATIENCE);
}

/** Runs in the page: the number of decoded frames by peer. */
async function decoded() {
  const count = async ({ id, pc }) => {
    const entries = [...(await pc.getStats()).values()].filter((entry) => entry.type === "inbound-rtp");
    return [id, entries.reduce((sum, entry) => sum + (entry.framesDecoded ?? 0), 0)];
  };
  return Promise.all([...window.room.peers.values()].map(count));
}

/** Cuts a peer's connection to the server, and keeps it cut until mend. */
export async function cut(page) {
  await page.evaluate(() => {
    window.room.socket.io.reconnection(false);
    window.room.socket.io.engine.close();
  });
  await heard(page, { type: "offline" });
}

export async function mend(page) {
  await page.evaluate(() => {
    window.room.socket.io.reconnection(true);
    window.room.socket.connect();
  });
}

/** The own peer's id. */
export const idOf = (page) => page.evaluate(() => window.room.self.id);
