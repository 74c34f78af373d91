// The call page, by clicks.
import { after, afterEach, before, test } from "node:test";
import assert from "node:assert/strict";
import { Stage } from "./peers.mjs";

let stage;
before(async () => (stage = await Stage.start({ options: ["host first", "room_capacity 4", "empty_timeout 100ms"] })));
after(() => stage?.stop());
afterEach(() => stage.clear());

const inCall = (page) => page.locator("#call").waitFor();
const tile = (page, name) => page.locator("#tiles .tile", { hasText: name });
const problem = (page) => page.locator("#problem").filter({ hasText: /\w/ }).textContent();

/** The pictures of the others move: each video has frames, and gets more. */
async function seesOthers(page, count) {
  await page.waitForFunction((n) => document.querySelectorAll("#tiles .tile:not(.self)").length === n, count);
  const frames = () => page.evaluate(() => [...document.querySelectorAll("#tiles .tile:not(.self) video")]
    .map((video) => video.getVideoPlaybackQuality().totalVideoFrames));
  const old = await frames();
  await page.waitForFunction((past) => [...document.querySelectorAll("#tiles .tile:not(.self) video")]
    .every((video, i) => video.getVideoPlaybackQuality().totalVideoFrames > past[i]), old, { polling: 200 });
}

test("two see each other, with names, mute, camera and chat", async () => {
  const ada = await stage.caller("Ada", "two");
  await inCall(ada);
  const bob = await stage.caller("Bob", "two");
  await inCall(bob);
  await Promise.all([seesOthers(ada, 1), seesOthers(bob, 1)]);
  await tile(ada, "Bob").waitFor();
  await bob.click("#mic");
  await tile(ada, "Bob").locator(".tile-muted:not([hidden])").waitFor();
  await bob.click("#cam");
  await ada.locator("#tiles .without-picture", { hasText: "Bob" }).waitFor();
  await bob.click("#cam");
  await seesOthers(ada, 1);
  await bob.click("#chat-open");
  await bob.fill("#chat-text", "<b>hello</b>");
  await bob.press("#chat-text", "Enter");
  await ada.locator("#chat-log li", { hasText: "<b>hello</b>" }).waitFor({ state: "attached" });
  assert.equal(await ada.textContent("#unread"), "1");
  await bob.click("#leave");
  await tile(ada, "Bob").waitFor({ state: "detached" });
  assert.equal(await problem(bob), "You have left the call.");
  assert.deepEqual([ada.complaints, bob.complaints], [[], []]);
});

test("four see each other, and a fifth finds the room full", async () => {
  const callers = [];
  for (const name of ["Ada", "Bob", "Eve", "Kay"]) {
    callers.push(await stage.caller(name, "four"));
    await inCall(callers.at(-1));
  }
  await Promise.all(callers.map((page) => seesOthers(page, 3)));
  const late = await stage.caller("Zoe", "four");
  assert.equal(await problem(late), "The room is full. Try again when somebody has left.");
});

test("a shared screen is shown to the other and goes away again", async () => {
  const ada = await stage.caller("Ada", "screen");
  const bob = await stage.caller("Bob", "screen");
  await Promise.all([seesOthers(ada, 1), seesOthers(bob, 1)]);
  await bob.click("#screen");
  await ada.locator("#featured .tile", { hasText: "Bob's screen" }).waitFor();
  await ada.waitForFunction(() => document.querySelector("#featured video").videoWidth > 0);
  await bob.click("#screen");
  await ada.locator("#featured .tile").waitFor({ state: "detached" });
  await seesOthers(ada, 1);
});

test("a host mutes, removes and locks out", async () => {
  const host = await stage.caller("Host", "hosted");
  await inCall(host);
  const guest = await stage.caller("Guest", "hosted");
  await seesOthers(host, 1);
  await host.click("#people-open");
  await host.getByRole("button", { name: "Mute Guest" }).click();
  await guest.locator('#mic[aria-pressed="false"]').waitFor();
  await host.getByRole("button", { name: "Remove Guest" }).click();
  await host.click("#confirm-yes");
  assert.equal(await problem(guest), "The host has removed you from the call.");
  await host.click("#lock-room");
  await host.locator("#locked").waitFor();
  await guest.click("#join");
  await guest.locator("#problem", { hasText: "locked the room" }).waitFor();
  await host.click("#close-room");
  await host.click("#confirm-yes");
  assert.equal(await problem(host), "The host has ended the call.");
});

test("a reload frees the place and takes it again", async () => {
  const ada = await stage.caller("Ada", "again");
  const bob = await stage.caller("Bob", "again");
  await Promise.all([seesOthers(ada, 1), seesOthers(bob, 1)]);
  await bob.reload();
  await tile(ada, "Bob").waitFor({ state: "detached", timeout: 5_000 }); // long before the grace time of 10 s
  await bob.locator("#preview:not(.off)").waitFor();
  await bob.click("#join");
  await Promise.all([seesOthers(ada, 1), seesOthers(bob, 1)]);
});

test("on a phone nothing is wider than the screen", async () => {
  const page = await stage.open("/call.html#phone", { width: 360, height: 740 });
  const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok((await overflow()) <= 0);
  await page.fill("#name", "A name that is as long as names get here");
  await page.click("#join");
  await inCall(page);
  await page.click("#people-open");
  assert.ok((await overflow()) <= 0);
});

test("a link with a stray percent sign leads to the room of that name", async () => {
  const page = await stage.caller("Ada", "50%");
  await inCall(page);
  assert.equal(await page.textContent("#call-title"), "50%");
  await page.evaluate(() => (location.hash = "100%"));
  assert.equal(await page.inputValue("#room"), "100%");
  assert.deepEqual(page.complaints, []);
});

test("a device that cannot be opened leaves no dead track that is said to be on", async () => {
  const page = await stage.open("/call.html#device");
  await page.locator("#preview:not(.off)").waitFor();
  await page.locator("#camera option").first().waitFor({ state: "attached" });
  await page.evaluate(() => {
    navigator.mediaDevices.getUserMedia = async () => Promise.reject(new DOMException("busy", "NotReadableError"));
    document.getElementById("camera").dispatchEvent(new Event("change"));
  });
  assert.match(await problem(page), /Another program is using/);
  await page.locator('#lobby-camera[aria-pressed="false"]').waitFor();
  const tracks = () => document.getElementById("preview").srcObject.getTracks().map(({ kind, readyState }) => [kind, readyState]);
  assert.deepEqual(await page.evaluate(tracks), [["audio", "live"]]);
});
