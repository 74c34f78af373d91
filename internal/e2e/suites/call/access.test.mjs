// Both pages for those who do not see them, or use no mouse: axe-core finds nothing in any state, in light and dark, on a
// desk and on a phone; and a call can be made by keyboard alone.
import { after, afterEach, before, test } from "node:test";
import assert from "node:assert/strict";
import axe from "axe-core";
import { Stage } from "./peers.mjs";

const DESK = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };

let stage;
before(async () => (stage = await Stage.start({ options: ["host first", "empty_timeout 100ms"] })));
after(() => stage?.stop());
afterEach(() => stage.clear());

/** What axe-core objects to on the page as it is now: all of its rules, none left out. */
async function objections(page) {
  // Not as an element of the page, which its content security policy would refuse.
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe.source);
  const contrast = { runOnly: ["color-contrast"] }; // the only rule that asks for colours
  const found = [];
  for (const [size, colorScheme, options] of [
    [DESK, "light", {}], [DESK, "dark", contrast], [PHONE, "light", contrast], [PHONE, "dark", {}],
  ]) {
    await page.setViewportSize(size);
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    const { violations, passes, incomplete } = await page.evaluate((o) => window.axe.run(o), options);
    // Over a picture, or behind a dialog, a contrast cannot be told: that is incomplete.
    assert.ok(passes.length + incomplete.length, "axe-core has looked at the page");
    for (const { id, help, nodes } of violations) {
      found.push(`${size.width} px, ${colorScheme}: ${id}: ${help}: ${nodes.map(({ html }) => html)}`);
    }
  }
  await page.setViewportSize(DESK);
  return found;
}

const clean = async (page, state) => assert.deepEqual(await objections(page), [], state);

test("the test page", async () => {
  const page = await stage.open("/index.html", DESK);
  await page.locator('#status[data-state="connected"]').waitFor();
  await page.click("#ping");
  await page.locator('#log [data-kind="in"]').waitFor();
  await clean(page, "connected, with messages");
  await page.click("#disconnect");
  await page.locator('#status[data-state="offline"]').waitFor();
  await clean(page, "disconnected");
});

test("the call page, from the lobby to the end of a call", async () => {
  const host = await stage.open("/call.html#access", DESK);
  await host.locator("#preview:not(.off)").waitFor();
  await clean(host, "lobby");
  await host.fill("#name", "Ada");
  await host.click("#join");
  await host.locator("#alone").waitFor();
  await clean(host, "alone");
  const guest = await stage.caller("Bob", "access");
  await host.locator("#tiles .tile", { hasText: "Bob" }).locator(".quality:not([hidden])").waitFor();
  await guest.click("#mic");
  await guest.click("#cam");
  await host.locator("#tiles .without-picture .tile-muted:not([hidden])").waitFor();
  await clean(host, "two");
  await guest.click("#chat-open");
  await guest.fill("#chat-text", "Hello");
  await guest.press("#chat-text", "Enter");
  await host.locator("#unread:not([hidden])").waitFor();
  await host.click("#chat-open");
  await host.locator("#chat-log li").waitFor();
  await clean(host, "chat");
  await guest.click("#screen");
  await host.locator("#featured .tile").waitFor();
  await host.click("#people-open");
  await host.click("#lock-room");
  await host.locator("#locked").waitFor();
  await clean(host, "people and a shared screen, in a locked room");
  await host.getByRole("button", { name: "Remove Bob" }).click();
  await clean(host, "a question");
  await host.click("#confirm-yes");
  await guest.locator("#problem").waitFor();
  await clean(guest, "removed");
  await stage.server.end("SIGKILL");
  await host.locator("#banner").waitFor();
  await clean(host, "offline");
  await stage.server.start();
});

/** Presses Tab until the element has the focus; it must be reached, and be seen to be. */
async function tabTo(page, selector) {
  const target = page.locator(selector);
  const focused = () => target.evaluate((element) => element === document.activeElement);
  for (let i = 0; i < 30 && !(await focused()); i++) await page.keyboard.press("Tab");
  assert.ok(await focused(), `${selector} is reached by Tab`);
  const outline = await target.evaluate((element) => getComputedStyle(element).outlineStyle);
  assert.notEqual(outline, "none", `the focus on ${selector} is seen`);
}

test("by keyboard alone: join, mute, write, ask before removing, leave", async () => {
  const ada = await stage.open("/call.html#keys", DESK);
  await ada.locator("#preview:not(.off)").waitFor();
  const press = (key) => ada.keyboard.press(key);
  const focusOn = (selector) => ada.locator(`${selector}:focus`).waitFor();
  await tabTo(ada, "#lobby-mic");
  await press("Space");
  await ada.locator('#lobby-mic[aria-pressed="false"]').waitFor();
  await tabTo(ada, "#name");
  await ada.keyboard.type("Ada");
  await press("Enter");
  await focusOn("#call-title"); // so that a screen reader tells where this is
  await tabTo(ada, "#mic");
  await press("Enter");
  await ada.locator('#mic[aria-pressed="true"]').waitFor();
  await press("ArrowRight");
  await focusOn("#cam");
  await press("Space");
  await ada.locator('#cam[aria-pressed="false"]').waitFor();
  const bob = await stage.caller("Bob", "keys");
  await bob.locator("#call").waitFor();
  await press("Alt+c");
  await focusOn("#chat-text");
  await ada.keyboard.type("Hello");
  await press("Enter");
  await bob.locator("#chat-log li", { hasText: "Hello" }).waitFor({ state: "attached" });
  await press("Escape");
  await focusOn("#chat-open");
  await press("Alt+p");
  await focusOn("#panel-title");
  await tabTo(ada, '[aria-label="Remove Bob"]');
  await press("Enter");
  await ada.locator("#confirm").waitFor();
  await press("Escape");
  await focusOn('[aria-label="Remove Bob"]');
  await press("Enter");
  await tabTo(ada, "#confirm-yes");
  await press("Enter");
  await bob.locator("#problem", { hasText: "removed you" }).waitFor();
  await focusOn("#panel-title"); // what had the focus is gone
  await press("Escape");
  await focusOn("#people-open");
  await press("End");
  await focusOn("#leave");
  await press("Enter");
  await ada.locator("#problem", { hasText: "You have left" }).waitFor();
  await focusOn("#lobby-title");
});

test("a question that follows the one before at once is answered by itself", async () => {
  const ada = await stage.caller("Ada", "twice");
  const bob = await stage.caller("Bob", "twice");
  const remove = '[aria-label="Remove Bob"]';
  await ada.keyboard.press("Alt+p");
  await ada.locator(remove).waitFor();
  await ada.evaluate((selector) => {
    document.querySelector(selector).click();
    document.getElementById("confirm").close();
    document.querySelector(selector).click();
    return new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve))); // the first's event has come
  }, remove);
  await ada.click("#confirm-yes");
  await bob.locator("#problem", { hasText: "removed you" }).waitFor();
});
