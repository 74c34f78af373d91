// The code of the README, as a reader would copy it.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const ROOT = new URL("../../../", import.meta.url);

/** A file of the repository's top level. */
export const topLevel = (name) => readFileSync(fileURLToPath(new URL(name, ROOT)), "utf8");

/** The one block of code of the language that contains the text. */
export function block(language, text) {
  const all = [...topLevel("README.md").matchAll(/^```(\w+)\n(.*?)^```$/gms)];
  const found = all.filter(([, lang, code]) => lang === language && code.includes(text));
  if (found.length !== 1) throw new Error(`the README has ${found.length} blocks of ${language} with ${text}`);
  return found[0][2];
}

/**
 * Runs a block of JavaScript with the given names in its scope; imports are
 * replaced by these.
 */
export function execute(code, scope) {
  const AsyncFunction = (async () => {}).constructor;
  return new AsyncFunction(...Object.keys(scope), code.replace(/^import .*$/gm, ""))(...Object.values(scope));
}
