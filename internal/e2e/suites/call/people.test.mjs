// signaling.js with identified users: the same one twice, and ringing.
import { afterEach, test } from "node:test";
import assert from "node:assert/strict";
import { AUTH, Stage, heard, token } from "./peers.mjs";

let stage;
afterEach(() => stage.clear());

const as = (user) => ({ auth: { token: token(user) }, media: false });
const tried = (page) => page.evaluate(() => window.room.join().then(() => "in", ({ code }) => code));

for (const [rule, expected] of [["allow", "in"], ["reject", "duplicate-user"], ["replace", "in"]]) {
  test(`the same user twice, with duplicate_user ${rule}`, async (t) => {
    stage = await Stage.start({ extra: AUTH, options: [`duplicate_user ${rule}`] });
    t.after(() => stage.stop());
    const first = await stage.peer("twice", as("ada"));
    const second = await stage.peer("twice", { ...as("ada"), tries: true });
    assert.equal(await tried(second), expected);
    if (rule === "replace") await heard(first, { type: "left", reason: "replaced" });
    else assert.ok(await first.evaluate(() => window.room.self));
  });
}

test("ringing a user reaches all of that user's sockets and tells who rings", async (t) => {
  stage = await Stage.start({ extra: AUTH, options: ["direct_messages on"] });
  t.after(() => stage.stop());
  const ada = await stage.peer("ada's", as("ada"));
  const phones = [await stage.peer("phone", as("bob")), await stage.peer("desk", as("bob"))];
  const answer = await ada.evaluate(() => window.request("message", { user: "bob", data: { ring: "call-1" } }));
  assert.equal(answer.delivered, 2);
  for (const phone of phones) {
    assert.deepEqual((await heard(phone, { type: "ring", user: "ada" })).data, { ring: "call-1" });
  }
});
