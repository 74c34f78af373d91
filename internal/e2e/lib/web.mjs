// The pages of this repository, served for the tests.
import { fileURLToPath } from "node:url";
import { Program } from "./process.mjs";

/** The folder of the static pages. */
export const WEB = fileURLToPath(new URL("../../../web", import.meta.url));

/** A Caddyfile site of the directive and the static pages. */
export const withPages = (directive) => `${directive}\nroot * ${WEB}\nfile_server`;

/** The React page's development server on its port, with the server it shall talk to. */
export async function startVite(server, port) {
  const args = [`${WEB}/react/node_modules/vite/bin/vite.js`, "--port", String(port)];
  const env = { ...process.env, VITE_SERVER_URL: server, NO_COLOR: "1" };
  const vite = new Program(process.execPath, args, { cwd: `${WEB}/react`, env });
  await vite.line((l) => /Local:/.test(l), "the start of vite", 60_000);
  return vite;
}
