// A config reload in the middle of a call.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { Stage, flowing, idOf, site } from "./peers.mjs";

let stage;
before(async () => (stage = await Stage.start({ options: ["room_capacity 4"] })));
after(() => stage?.stop());

test("the call goes on, and the new capacity applies", async () => {
  const pages = [await stage.peer("reload"), await stage.peer("reload")];
  await Promise.all(pages.map((page) => flowing(page, 1)));
  const before = await Promise.all(pages.map(idOf));
  await stage.server.reload({ site: site({ options: ["room_capacity 2"] }) });
  const third = await stage.peer("reload", { media: false, tries: true });
  assert.equal(await third.evaluate(() => window.room.join().catch(({ code }) => code)), "room-full");
  await Promise.all(pages.map((page) => flowing(page, 1)));
  assert.deepEqual(await Promise.all(pages.map(idOf)), before);
  const offline = () => window.heard.filter(({ type }) => type === "offline" || type === "gone" || type === "left");
  for (const page of pages) assert.deepEqual(await page.evaluate(offline), []);
});
